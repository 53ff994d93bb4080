"""Networks come out the same wherever they are trained, are kept one by one, and mistakes are told of."""

import copy
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from hrtem_ood import store
from hrtem_ood.campaign.identity import seed_sequence
from hrtem_ood.campaign.specs import NetworkSpec, PackSpec, TrainingSetSpec
from hrtem_ood.errors import ArtefactError, ConfigError, DeviceError
from hrtem_ood.networks.checkpoint import network_from, read_network, weights_sha256
from hrtem_ood.networks.hardware import reproducible, torch_device
from hrtem_ood.networks.images import Batches, Images
from hrtem_ood.networks.unet import build
from hrtem_ood.training import module, stage
from hrtem_ood.training.data import epoch_batches, read_pairs
from hrtem_ood.training.module import Segmentation, fit, pixel_cross_entropy
from hrtem_ood.training.selection import select
from hrtem_ood.training.stage import train

SIDE = 16


@pytest.fixture
def datasets(tmp_path: Path) -> list[Path]:
    """Two datasets of bright discs in noise."""
    paths = []
    for index, name in enumerate(("a-dataset", "b-dataset")):
        rng = np.random.default_rng(index)
        y, x = np.mgrid[:SIDE, :SIDE]
        centre = rng.uniform(4, 12, (2, 10, 1, 1))
        label = (np.hypot(y - centre[0], x - centre[1]) < 4).astype(np.uint8)
        counts = rng.poisson(4 + 8 * label).astype(np.uint8)
        data = {"counts": (("image", "y", "x"), counts), "label": (("image", "y", "x"), label)}
        paths.append(tmp_path / "datasets" / f"{name}.zarr.zip")
        store.write_zarr(paths[-1], xr.Dataset(data, coords={"image": np.arange(10)}), {"id": name})
    return paths


def pack_of(*seeds: int, **hyperparameters: Any) -> PackSpec:
    training_set = TrainingSetSpec(datasets=("a-dataset", "b-dataset"), structures=10, images=7, validation=3)
    chosen = {"epochs": 3, "batch_size": 3, "learning_rate": 0.02, "architecture": {"channels": 2, "depth": 1}}
    return PackSpec(
        training_set=training_set,
        networks=tuple(
            NetworkSpec(training_set=training_set.id, hyperparameters=chosen | hyperparameters | {"seed": seed})
            for seed in seeds
        ),
    )


def run(pack: PackSpec, datasets: list[Path], results: Path) -> dict[str, Any]:
    output = results / "packs" / f"{pack.id}.json"
    train(pack, datasets, results / "networks", output, device="cpu")
    return store.read_json(output)


def images_of(pack: PackSpec, datasets: list[Path]) -> tuple[Images, Images]:
    training, validation = select(pack.training_set)
    return read_pairs(datasets, training), read_pairs(datasets, validation)


def validation_loss(network: torch.nn.Module, images: Images) -> float:
    network.eval()
    with torch.no_grad():
        logits = network(images.image)
    probability = logits.double().softmax(dim=1).gather(1, images.label.long().unsqueeze(1))
    return float(-probability.log().mean())


def bare_loop(spec: NetworkSpec, training: Images, validation: Images) -> dict[str, torch.Tensor]:
    """Train without Lightning, as a reference."""
    hyper = spec.hyperparameters
    torch.manual_seed(int(seed_sequence(spec.id, 0).generate_state(1, np.uint64)[0]))
    network = build(hyper.architecture)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=hyper.learning_rate, weight_decay=hyper.weight_decay, fused=True
    )
    steps = hyper.epochs * -(-len(training.image) // hyper.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, hyper.learning_rate, total_steps=steps)
    best, weights = np.inf, {}
    for epoch in range(hyper.epochs):
        network.train()
        for image, label in epoch_batches(training, hyper.batch_size, network=spec.id, epoch=epoch):
            optimizer.zero_grad()
            pixel_cross_entropy(network(image), label).backward()
            optimizer.step()
            schedule.step()
        loss = validation_loss(network, validation)
        if loss < best:
            best, weights = loss, copy.deepcopy(network.state_dict())
    return weights


def test_training_is_the_bare_loop(datasets: list[Path]) -> None:
    pack = pack_of(0)
    images = images_of(pack, datasets)
    with reproducible():
        trained = fit(pack.networks[0], *images)
        expected = bare_loop(pack.networks[0], *images)
    assert trained.weights is not None
    assert weights_sha256(trained.weights) == weights_sha256(expected)


def test_the_best_epoch_is_kept(datasets: list[Path]) -> None:
    pack = pack_of(0, epochs=5)
    training, validation = images_of(pack, datasets)
    wrong = Images(validation.image, 1 - validation.label)  # the more is learnt, the worse
    with reproducible():
        trained = fit(pack.networks[0], training, wrong)
    curve = trained.curves["validation_loss"]
    assert len(curve) == len(trained.curves["train_loss"]) == len(trained.curves["learning_rate"]) == 5
    assert trained.best_epoch == int(np.argmin(curve)) < 4
    assert trained.best_validation_loss == min(curve) < curve[-1]
    network = build(pack.networks[0].hyperparameters.architecture)
    network.load_state_dict(trained.weights or {})
    assert validation_loss(network, wrong) == pytest.approx(min(curve), rel=1e-5)


def test_checkpoint_tells_what_it_is(datasets: list[Path], tmp_path: Path) -> None:
    pack = pack_of(0)
    told = run(pack, datasets, tmp_path)
    (network,) = pack.networks
    content = read_network(tmp_path / "networks" / f"{network.id}.ckpt")
    assert content["architecture"] == {"name": "unet", "channels": 2, "depth": 1}
    assert content["parameters"] == network.json_text
    floats = [tensor.dtype for name, tensor in content["state_dict"].items() if "num_batches" not in name]
    assert set(floats) == {torch.float32}
    assert "standardised" in content["input"]
    assert not network_from(content).training
    entry = told["networks"][network.id]
    assert entry["sha256_of_weights"] == weights_sha256(content["state_dict"])
    assert entry["best_val_loss"] == content["best_val_loss"]
    assert told["parameters"] == pack.json_text


def test_a_network_comes_out_the_same_in_any_pack_and_order(datasets: list[Path], tmp_path: Path) -> None:
    together = run(pack_of(0, 1), datasets, tmp_path / "together")["networks"]
    torch.manual_seed(1234)  # nor does it depend on what was drawn before
    reversed_ = run(pack_of(1, 0), datasets, tmp_path / "reversed")["networks"]
    assert list(reversed_) == list(together)[::-1]
    one, other = (together[id_]["sha256_of_weights"] for id_ in together)
    assert one != other
    for id_, entry in together.items():
        assert reversed_[id_]["sha256_of_weights"] == entry["sha256_of_weights"]


def test_one_thread_trains_and_the_caller_keeps_its_own(
    datasets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings() -> tuple[int, bool]:
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    seen = []
    monkeypatch.setattr(stage, "fit", lambda *arguments: seen.append(settings()) or fit(*arguments))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run(pack_of(0), datasets, tmp_path)
        assert settings() == (2, False)
    finally:
        torch.set_num_threads(threads)
    assert seen == [(1, True)]


def test_trained_networks_are_kept(
    datasets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(pack_of(0), datasets, tmp_path)
    fitted = []
    monkeypatch.setattr(stage, "fit", lambda spec, *images: fitted.append(spec.id) or fit(spec, *images))
    pack = pack_of(0, 1)
    both = run(pack, datasets, tmp_path)
    assert fitted == [pack.networks[1].id]
    assert f"{pack.networks[0].id} is trained already" in capsys.readouterr().err
    assert both["networks"][pack.networks[0].id] == first["networks"][pack.networks[0].id]
    run(pack, datasets, tmp_path)
    assert len(fitted) == 1


def test_a_finished_network_survives_a_crash_of_the_next(
    datasets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = pack_of(0, 1)

    def crash_later(spec: NetworkSpec, *images: Images) -> Any:
        if spec == pack.networks[1]:
            raise KeyboardInterrupt
        return fit(spec, *images)

    monkeypatch.setattr(stage, "fit", crash_later)
    with pytest.raises(KeyboardInterrupt):
        run(pack, datasets, tmp_path)
    assert [path.name for path in (tmp_path / "networks").iterdir()] == [f"{pack.networks[0].id}.ckpt"]
    assert not (tmp_path / "packs").exists()


def test_a_terminated_job_ends_at_once_and_says_so(
    datasets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def terminate(self: Segmentation, batch: Any, index: int) -> torch.Tensor:
        steps.append(index)
        os.kill(os.getpid(), signal.SIGTERM)
        return self._loss(batch, "train")

    monkeypatch.setattr(Segmentation, "training_step", terminate)
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(SystemExit, match="143"):
            run(pack_of(0, 1), datasets, tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(steps) == 1
    assert not (tmp_path / "networks").exists()


def test_a_damaged_network_is_an_error(datasets: list[Path], tmp_path: Path) -> None:
    pack = pack_of(0)
    run(pack, datasets, tmp_path)
    path = tmp_path / "networks" / f"{pack.networks[0].id}.ckpt"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtefactError, match=rf"{path.name} is damaged .* Delete"):
        run(pack, datasets, tmp_path)
    path.write_bytes(whole)
    changed = store.read_checkpoint(path)
    changed["state_dict"]["head.bias"] += 1
    store.write_checkpoint(path, changed)
    with pytest.raises(ArtefactError, match="holds damaged weights"):
        run(pack, datasets, tmp_path)


def test_a_diverged_network_is_told_of_and_does_not_stop_the_others(
    datasets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = Segmentation.training_step

    def diverge(self: Segmentation, batch: Any, index: int) -> torch.Tensor:
        bad = self.spec.hyperparameters.seed == 0 and self.current_epoch == 1
        return step(self, (batch[0] * torch.inf, batch[1]) if bad else batch, index)

    monkeypatch.setattr(Segmentation, "training_step", diverge)
    pack = pack_of(0, 1)
    told = run(pack, datasets, tmp_path)["networks"]
    bad, good = (told[network.id] for network in pack.networks)
    assert bad["diverged"] is True
    assert "sha256_of_weights" not in bad
    assert good["diverged"] is False
    assert f"{pack.networks[0].id} diverged in epoch 2" in capsys.readouterr().err
    content = read_network(tmp_path / "networks" / f"{pack.networks[0].id}.ckpt")
    assert content["diverged"]
    assert len(content["curves"]["train_loss"]) == 2, "the rest of its epochs are spared"
    # and it is not tried again
    monkeypatch.setattr(module.pl, "Trainer", None)
    assert run(pack, datasets, tmp_path)["networks"] == told


def test_datasets_must_be_those_of_the_training_set(datasets: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="needs the datasets a-dataset, b-dataset, not b-dataset, a-dataset"):
        run(pack_of(0), datasets[::-1], tmp_path)


@pytest.mark.parametrize(("depth", "stride"), [(4, 16), (5, 32)])
def test_images_must_have_room_for_all_levels(datasets: list[Path], tmp_path: Path, depth: int, stride: int) -> None:
    pack = pack_of(0, architecture={"channels": 1, "depth": depth})
    with pytest.raises(ConfigError, match=rf"depth: images are 16 px wide.* of {stride} px"):
        run(pack, datasets, tmp_path)


@pytest.mark.parametrize(("value", "word"), [(0, "no"), (1, "every")])
def test_labels_must_have_both_classes(datasets: list[Path], tmp_path: Path, value: int, word: str) -> None:
    for path in datasets:
        dataset = store.read_zarr(path)
        dataset["label"][:] = value
        store.write_zarr(path, dataset, {})
    with pytest.raises(ConfigError, match=rf"{word} pixel of the training images of a-dataset, b-dataset is labelled"):
        run(pack_of(0), datasets, tmp_path)


def test_no_gpu_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device("auto") == torch_device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceError, match=r"execution\.device is gpu, but PyTorch sees no GPU"):
        torch_device("gpu")


def test_a_slurm_job_of_many_tasks_trains_as_one_process(
    datasets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {
        "JOB_ID": "1",
        "JOB_NAME": "job",
        "NTASKS": "4",
        "PROCID": "2",
        "LOCALID": "2",
        "NODEID": "0",
    }.items():
        monkeypatch.setitem(os.environ, f"SLURM_{key}", value)
    told = run(pack_of(0), datasets, tmp_path)["networks"]
    assert not next(iter(told.values()))["diverged"]


def test_validation_batches_add_up_to_the_mean_over_images(datasets: list[Path]) -> None:
    # 3 validation images in batches of 2: the short batch must not weigh as much as the long one
    pack = pack_of(0, batch_size=2, epochs=1)
    training, validation = images_of(pack, datasets)
    assert [len(image) for image, _ in Batches(validation, 2)] == [2, 1]
    with reproducible():
        trained = fit(pack.networks[0], training, validation)
    network = build(pack.networks[0].hyperparameters.architecture)
    network.load_state_dict(trained.weights or {})
    assert trained.best_validation_loss == pytest.approx(validation_loss(network, validation), rel=1e-5)
