"""Networks come out the same wherever they are trained, are kept one by one, and mistakes are told of."""

import os
from typing import Any

import numpy as np
import pytest
import torch

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import NetworkSpec, PackSpec, TrainingSetSpec
from hrtem_ood.config.training import Architecture
from hrtem_ood.errors import ArtifactError, ConfigError, DeviceError, HrtemOodError
from hrtem_ood.learning import torch_device as torch_devices
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Batches, Images, standardise
from hrtem_ood.learning.checkpoint import load_network, read_network, training_domain, weights_sha256
from hrtem_ood.learning.torch_device import torch_device
from hrtem_ood.learning.training import fit as fitting
from hrtem_ood.learning.training.fit import fit
from hrtem_ood.learning.training.lightning_module import Segmentation
from hrtem_ood.stages import train

SIDE = 16


def validation_loss(network: torch.nn.Module, images: Images) -> float:
    network.eval()
    with torch.no_grad():
        logits = network(standardise(images.counts).unsqueeze(1))
    probability = logits.double().softmax(dim=1).gather(1, images.label.long().unsqueeze(1))
    return float(-probability.log().mean())


def test_the_best_epoch_is_kept(lab: Any) -> None:
    pack = lab.pack(0, epochs=5)
    training, validation = lab.images()
    wrong = Images(validation.counts, 1 - validation.label)  # the more is learnt, the worse
    trained = lab.fit(pack.networks[0], (training, wrong))
    curve = trained.curves["validation_loss"]
    assert len(curve) == len(trained.curves["train_loss"]) == len(trained.curves["learning_rate"]) == 5
    assert trained.best_epoch == int(np.argmin(curve)) < 4
    assert trained.best_validation_loss == min(curve) < curve[-1]
    network = build(pack.networks[0].hyperparameters.architecture)
    network.load_state_dict(trained.weights or {})
    assert validation_loss(network, wrong) == pytest.approx(min(curve), rel=1e-5)


def entry_count(spec: NetworkSpec) -> int:
    return sum(tensor.numel() for tensor in build(spec.hyperparameters.architecture).parameters())


def test_checkpoint_tells_what_it_is(lab: Any) -> None:
    pack = lab.pack(0)
    told = lab.run(pack)
    (network,) = pack.networks
    content = read_network(lab.network(network))
    assert Architecture(**content["architecture"]) == network.hyperparameters.architecture
    assert content["parameter_count"] == entry_count(network)
    assert content["flops_per_image"] > 2 * 9 * 2 * SIDE**2, "more than its first convolution"
    on = training_domain(content)
    assert [(condition.defocus_A, images) for condition, images in on.conditions] == [(0, 4), (100, 3)]
    assert (on.energy_eV, on.pixel_size_A, on.side_px) == (200e3, 0.5, SIDE)
    assert content["parameters"] == network.json_text
    floats = [tensor.dtype for name, tensor in content["state_dict"].items() if "num_batches" not in name]
    assert set(floats) == {torch.float32}
    assert "standardised" in content["input"]
    assert not load_network(content).training
    entry = told["networks"][network.id]
    assert entry["sha256_of_weights"] == weights_sha256(content["state_dict"])
    assert entry["best_val_loss"] == content["best_val_loss"]
    assert (entry["epochs"], entry["parameter_count"]) == (3, content["parameter_count"])
    assert entry["flops_per_image"] == content["flops_per_image"]
    assert told["parameters"] == pack.json_text


def test_a_network_comes_out_the_same_in_any_pack_and_order(lab: Any) -> None:
    together = lab.at("together").run(lab.pack(0, 1))["networks"]
    torch.manual_seed(1234)  # nor does it depend on what was drawn before
    reversed_ = lab.at("reversed").run(lab.pack(1, 0))["networks"]
    assert list(reversed_) == list(together)[::-1]
    one, other = (together[id_]["sha256_of_weights"] for id_ in together)
    assert one != other
    for id_, entry in together.items():
        assert reversed_[id_]["sha256_of_weights"] == entry["sha256_of_weights"]


def test_one_thread_trains_and_the_caller_keeps_its_own(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def settings() -> tuple[int, bool]:
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    seen = []
    monkeypatch.setattr(train, "fit", lambda *arguments: seen.append(settings()) or fit(*arguments))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        lab.run(lab.pack(0))
        assert settings() == (2, False)
    finally:
        torch.set_num_threads(threads)
    assert seen == [(1, True)]


def test_trained_networks_are_kept(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = lab.run(lab.pack(0))
    fitted = []
    monkeypatch.setattr(train, "fit", lambda spec, *images: fitted.append(spec.id) or fit(spec, *images))
    pack = lab.pack(0, 1)
    both = lab.run(pack)
    assert fitted == [pack.networks[1].id]
    assert f"{pack.networks[0].id} is trained already" in capsys.readouterr().err
    assert both["networks"][pack.networks[0].id] == first["networks"][pack.networks[0].id]
    lab.run(pack)
    assert len(fitted) == 1


def test_a_finished_network_survives_a_crash_of_the_next(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = lab.pack(0, 1)

    def crash_later(spec: NetworkSpec, *images: Images) -> Any:
        if spec == pack.networks[1]:
            raise KeyboardInterrupt
        return fit(spec, *images)

    monkeypatch.setattr(train, "fit", crash_later)
    with pytest.raises(KeyboardInterrupt):
        lab.run(pack)
    assert [path.name for path in (lab.results / "networks").iterdir()] == [f"{pack.networks[0].id}.ckpt"]
    assert not (lab.results / "packs").exists()


def test_a_damaged_network_is_an_error(lab: Any) -> None:
    pack = lab.pack(0)
    lab.run(pack)
    path = lab.network(pack.networks[0])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=rf"{path.name} is damaged .* Delete"):
        lab.run(pack)
    path.write_bytes(whole)
    changed = store.read_checkpoint(path)
    changed["state_dict"]["head.bias"] += 1
    store.write_checkpoint(path, changed)
    with pytest.raises(ArtifactError, match="holds damaged weights"):
        lab.run(pack)


def test_a_diverged_network_is_told_of_and_does_not_stop_the_others(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = Segmentation.take_step

    def diverge(self: Segmentation, batch: Any) -> None:
        bad = self.spec.hyperparameters.seed == 0 and self.current_epoch == 1
        step(self, (batch[0] * torch.inf, batch[1]) if bad else batch)

    monkeypatch.setattr(Segmentation, "take_step", diverge)
    pack = lab.pack(0, 1)
    told = lab.run(pack)["networks"]
    bad, good = (told[network.id] for network in pack.networks)
    assert bad["diverged"] is True
    assert "sha256_of_weights" not in bad
    assert good["diverged"] is False
    assert f"{pack.networks[0].id} diverged in epoch 2" in capsys.readouterr().err
    content = read_network(lab.network(pack.networks[0]))
    assert content["diverged"]
    assert len(content["curves"]["train_loss"]) == 2, "the rest of its epochs are spared"
    # and it is not tried again
    monkeypatch.setattr(fitting.pl, "Trainer", None)
    assert lab.run(pack)["networks"] == told


@pytest.mark.parametrize("kind", ["train", "validation"])
@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_a_loss_that_is_no_number_is_divergence(
    lab: Any, monkeypatch: pytest.MonkeyPatch, kind: str, value: float
) -> None:
    add = Segmentation._add

    def broken(self: Segmentation, which: str, loss: torch.Tensor, images: int) -> None:
        add(self, which, loss + value if which == kind else loss, images)

    monkeypatch.setattr(Segmentation, "_add", broken)
    trained = lab.fit(lab.spec())
    assert trained.diverged
    assert trained.weights is None
    assert len(trained.curves["train_loss"]) == (1 if kind == "train" else 3)


def test_only_the_noise_that_is_missing_is_read(lab: Any) -> None:
    fresh, stored = lab.pack(0, resample_noise=True), lab.pack(0)
    lab.run(fresh)
    for path in lab.datasets:
        store.write_zarr(path, store.read_zarr(path).drop_vars("expected_counts"), {})
    both = PackSpec(training_set=stored.training_set, networks=(*fresh.networks, *stored.networks))
    assert len(lab.run(both)["networks"]) == 2


def test_datasets_must_be_those_of_the_training_set(lab: Any) -> None:
    lab.datasets.reverse()
    with pytest.raises(ArtifactError, match="needs the datasets a-dataset, b-dataset, not b-dataset, a-dataset"):
        lab.run(lab.pack(0))


@pytest.mark.parametrize(("depth", "stride"), [(4, 16), (5, 32)])
def test_images_must_have_room_for_all_levels(lab: Any, depth: int, stride: int) -> None:
    pack = lab.pack(0, architecture={"base_channels": 1, "depth": depth})
    message = rf"{pack.networks[0].id}: architecture .*depth={depth}.*: images are 16 px wide.* of {stride} px"
    with pytest.raises(HrtemOodError, match=message):
        lab.run(pack)


def test_one_network_that_fails_does_not_stop_the_others(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = lab.pack(0, 1, 2)

    def fail(spec: NetworkSpec, *rest: Any) -> Any:
        if spec == pack.networks[0]:
            raise RuntimeError("a bug")
        if spec == pack.networks[1]:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: 8 bytes"
            )
        return fit(spec, *rest)

    monkeypatch.setattr(train, "fit", fail)
    with pytest.raises(HrtemOodError) as told:
        lab.run(pack)
    text, (first, second, third) = str(told.value), (network.id for network in pack.networks)
    assert "2 of 3 networks" in text
    assert f"{first}: RuntimeError: a bug" in text
    assert f"training {second}: out of memory" in text
    assert "Use a smaller batch_size (now 3), a smaller architecture (now unet(base_channels=2, depth=1))" in text
    assert third not in text
    assert "Traceback" in capsys.readouterr().err, "the log tells more of what was not foreseen"
    assert lab.network(pack.networks[2]).exists()
    assert not (lab.results / "packs").exists()
    monkeypatch.setattr(train, "fit", fit)
    assert len(lab.run(pack)["networks"]) == 3


def test_a_checkpoint_of_another_architecture_is_an_error(lab: Any) -> None:
    pack = lab.pack(0)
    lab.run(pack)
    content = read_network(lab.network(pack.networks[0]))
    content["architecture"]["base_channels"] = 4
    with pytest.raises(ArtifactError, match=rf"network {pack.networks[0].id} has weights of another architecture .*4"):
        load_network(content)


def test_fresh_noise_needs_noise_free_images(lab: Any) -> None:
    for path in lab.datasets:
        store.write_zarr(path, store.read_zarr(path).drop_vars("expected_counts"), {})
    lab.run(lab.pack(0))
    with pytest.raises(ArtifactError, match=r"a-dataset\.zarr\.zip holds no expected_counts\. Delete"):
        lab.run(lab.pack(0, resample_noise=True))


@pytest.mark.parametrize(("value", "word"), [(0, "no"), (1, "every")])
def test_labels_must_have_both_classes(lab: Any, value: int, word: str) -> None:
    for path in lab.datasets:
        dataset = store.read_zarr(path)
        dataset["label"][:] = value
        store.write_zarr(path, dataset, {})
    with pytest.raises(ConfigError, match=rf"{word} pixel of the training images of a-dataset, b-dataset is labelled"):
        lab.run(lab.pack(0))


def test_no_gpu_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_devices, "torch_usability", lambda: torch_devices.Usability(False))
    assert torch_device("auto") == torch_device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceError, match=r"execution\.device, or --device\), but PyTorch detects none"):
        torch_device("gpu")


def test_a_slurm_job_of_many_tasks_trains_as_one_process(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {
        "JOB_ID": "1",
        "JOB_NAME": "job",
        "NTASKS": "4",
        "PROCID": "2",
        "LOCALID": "2",
        "NODEID": "0",
    }.items():
        monkeypatch.setitem(os.environ, f"SLURM_{key}", value)
    told = lab.run(lab.pack(0))["networks"]
    assert not next(iter(told.values()))["diverged"]


def test_validation_batches_add_up_to_the_mean_over_images(lab: Any) -> None:
    # 3 validation images in batches of 2: the short batch must not weigh as much as the long one
    pack = lab.pack(0, batch_size=2, epochs=1)
    training, validation = lab.images()
    assert [len(image) for image, _ in Batches(validation, 2, torch.device("cpu"))] == [2, 1]
    trained = lab.fit(pack.networks[0], (training, validation))
    network = build(pack.networks[0].hyperparameters.architecture)
    network.load_state_dict(trained.weights or {})
    assert trained.best_validation_loss == pytest.approx(validation_loss(network, validation), rel=1e-5)


def test_a_pack_of_several_training_sets_trains_the_same_networks(lab: Any) -> None:
    first = lab.pack(0)
    other_set = TrainingSetSpec(
        datasets=("b-dataset",), n_structures=first.training_set.n_structures, n_images=(5,), n_validation_structures=3
    )
    again = [NetworkSpec(training_set=other_set.id, hyperparameters=each.hyperparameters) for each in first.networks]
    other = PackSpec(training_set=other_set, networks=tuple(again))
    alone = lab.at("alone")
    expected = alone.run(first)["networks"]
    alone.datasets = lab.datasets[1:]
    expected |= alone.run(other)["networks"]
    both = PackSpec(
        training_set=first.training_set,
        networks=(*first.networks, *other.networks),
        further_training_sets=(other_set,),
    )
    entries = lab.run(both)["networks"]
    assert len(expected) == 2
    assert {id_: entry["sha256_of_weights"] for id_, entry in entries.items()} == {
        id_: entry["sha256_of_weights"] for id_, entry in expected.items()
    }
