"""Training on a GPU begins where it begins on the CPU, learns the same, and repeats bit for bit."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.gpu.discs import CPU, GPU, Discs
from torch import Tensor

from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Batches, Images, dihedral, standardise
from hrtem_ood.learning.checkpoint import read_network, weights_sha256
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.lightning_module import Segmentation
from hrtem_ood.learning.training.losses import LOSS
from hrtem_ood.learning.training.training_data import epoch_batches, torch_seed

pytestmark = pytest.mark.gpu

RECIPES: list[dict[str, Any]] = [
    {},
    {"loss": "cross_entropy_dice", "gradient_clip": 0.5, "optimizer": "adam", "lr_schedule": "exponential"},
    {"resample_noise": True, "epochs": None, "steps": 37},
    {"numeric_precision": "bf16-mixed", "architecture": {"name": "resnet_unet", "base_channels": 8, "depth": 2}},
]


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Discs:
    return Discs(tmp_path_factory.mktemp("discs"))


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Leave PyTorch 192 MiB of the GPU, besides what earlier tests hold: captured graphs keep their memory."""
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info(GPU)
    limit = torch.cuda.memory_reserved(GPU) + 192 * 2**20
    torch.cuda.set_per_process_memory_fraction(limit / total, GPU)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, GPU)
    torch.cuda.empty_cache()


# --- batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "mean"), [(np.uint8, 20), (np.int16, 2000), (np.int32, 4e6), (np.float32, 3.3)], ids=str
)
def test_standardised_images_are_those_of_the_cpu(dtype: type, mean: float) -> None:
    counts = torch.from_numpy(np.random.default_rng(0).poisson(mean, (5, 96, 160)).astype(dtype))
    counts[3] = 7
    found = standardise(counts.to(GPU)).cpu()
    torch.testing.assert_close(found, standardise(counts), atol=1e-5, rtol=1e-5)
    assert not found[3].any()


def test_turned_images_are_those_of_the_cpu() -> None:
    stack = torch.from_numpy(np.random.default_rng(0).integers(200, size=(16, 96, 96)).astype(np.uint8))
    element = torch.arange(16) % 8
    assert torch.equal(dihedral(stack.to(GPU), element).cpu(), dihedral(stack, element))


@pytest.mark.parametrize("kept", [True, False], ids=["images on the GPU", "images in host memory"])
def test_batches_are_those_of_the_cpu(discs: Discs, kept: bool) -> None:
    images, _ = discs.images()
    placed = images.to_device_if_fits(GPU) if kept else images
    ours, theirs = (list(epoch_batches(*each)) for each in _batches_of(discs.spec(), placed, images))
    assert len(ours) == len(theirs) == 8
    for (image, label), (expected, true_label) in zip(ours, theirs, strict=True):
        assert image.device == label.device == GPU
        assert torch.equal(label.cpu(), true_label)
        torch.testing.assert_close(image.cpu(), expected, atol=1e-5, rtol=0)


def _batches_of(spec: NetworkSpec, ours: Images, theirs: Images) -> Any:
    return (ours, spec, 3, GPU), (theirs, spec, 3, CPU)


def test_fresh_noise_repeats_and_is_poisson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hrtem_ood.learning.batches.standardise", lambda counts: counts)
    mean = torch.tensor([0.1, 2.0, 40.0, 2500.0], device=GPU)[:, None, None].expand(4, 400, 400).contiguous()
    images = Images(mean, torch.zeros(4, 400, 400, dtype=torch.uint8, device=GPU))

    def drawn(seed: int) -> Tensor:
        return torch.cat([image for image, _ in Batches(images, 2, GPU, noise=seed)])

    one, again, other = drawn(1), drawn(1), drawn(2)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(one, one.round())
    flat, pixels, expected = one.double().flatten(1), 400 * 400, mean[:, 0, 0].double()
    # five standard errors, of the mean and of the variance of a Poisson distribution
    assert ((flat.mean(1) - expected).abs() < 5 * (expected / pixels).sqrt()).all()
    assert ((flat.var(1) - expected).abs() < 5 * ((expected + 2 * expected**2) / pixels).sqrt()).all()


# --- against the CPU --------------------------------------------------------------------------


def test_initial_weights_are_those_of_the_cpu(discs: Discs, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    begin = Segmentation.on_train_epoch_start

    def watched(self: Segmentation) -> None:
        seen.setdefault(self.where.type, weights_sha256(self.network.state_dict()))
        begin(self)

    monkeypatch.setattr(Segmentation, "on_train_epoch_start", watched)
    for device in (CPU, GPU):
        discs.fit(discs.spec(epochs=None, steps=1), discs.images(), device)
    assert len(seen) == 2
    assert len(set(seen.values())) == 1


def _first_step(
    spec: NetworkSpec, images: Images, device: torch.device, dtype: torch.dtype = torch.float32
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss of the first batch and its gradients, computed in a precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(spec, 0))
        network = build(spec.hyperparameters.architecture).to(device, dtype).train()
    with reproducible():
        image, label = next(iter(epoch_batches(images, spec, 0, device)))
        image = image.to(dtype).contiguous(memory_format=torch.channels_last)
        loss = LOSS[spec.hyperparameters.loss](network(image), label)
        loss.backward()
    gradients = {name: each.grad.cpu() for name, each in network.named_parameters() if each.grad is not None}
    return float(loss.detach()), gradients


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"loss": "cross_entropy_dice"},
        {"architecture": {"name": "resnet_unet", "base_channels": 8, "depth": 3}},
        {"architecture": {"base_channels": 16, "depth": 4}, "batch_size": 16},
    ],
    ids=str,
)
def test_the_first_step_is_that_of_the_cpu(discs: Discs, recipe: dict[str, Any]) -> None:
    """Rectifiers and maxima turn rounding into gradients that differ by thousandths: float64 on the CPU is the judge."""
    spec, (images, _) = discs.spec(**recipe), discs.images()
    true_loss, true = _first_step(spec, images, CPU, torch.float64)
    # small ones are compared with a hundredth of the whole gradient
    least = torch.stack([each.norm() for each in true.values()]).norm() / 100
    errors = {}
    for device in (CPU, GPU):
        loss, gradients = _first_step(spec, images, device)
        assert loss == pytest.approx(true_loss, rel=1e-5)
        assert gradients.keys() == true.keys()
        apart = [
            (each - true[name]).norm() / torch.maximum(true[name].norm(), least) for name, each in gradients.items()
        ]
        errors[device] = torch.stack(apart)
    assert errors[CPU].max() < 0.02
    assert errors[GPU].median() <= 2 * errors[CPU].median() + 1e-5
    assert errors[GPU].max() <= 3 * errors[CPU].max()


def test_networks_learn_what_they_learn_on_the_cpu(discs: Discs) -> None:
    pack = discs.pack(0, 1, 2, 3)
    found = {}
    for device in ("cpu", "gpu"):
        place = discs.at(f"learned-{device}")
        place.train(pack, device)
        found[device] = place.scores([pack], "cpu").f1.mean(("condition", "image")).values
    spread = max(0.005, float(np.ptp(found["cpu"])))
    assert found["cpu"].min() > 0.8, "they have learned"
    assert (found["gpu"] > found["cpu"].min() - spread).all()
    assert (found["gpu"] < found["cpu"].max() + spread).all()


def test_bfloat16_learns_the_same(discs: Discs) -> None:
    losses = {}
    for precision in ("32-true", "bf16-mixed"):
        spec = discs.spec(numeric_precision=precision, epochs=10)
        object.__setattr__(spec, "id", "same-streams")  # so that only the precision differs
        trained = discs.fit(spec, discs.images(), GPU)
        assert trained.numeric_precision == precision
        losses[precision] = trained.best_validation_loss
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=0.05)


# --- bit for bit ------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_network_is_the_same_in_any_pack_and_process(
    discs: Discs, request: pytest.FixtureRequest, recipe: dict[str, Any]
) -> None:
    one, other = discs.pack(0, 1, **recipe), discs.pack(1, 2, 0, **recipe)
    name = str(request.node.callspec.indices["recipe"])
    elsewhere = discs.at(f"process-{name}")
    process = elsewhere.start(one)
    first, second = discs.at(f"first-{name}").train(one), discs.at(f"second-{name}").train(other)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    third = elsewhere.weights(one)
    assert len(set(first.values())) == 2
    assert first == third == {id_: second[id_] for id_ in first}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
@pytest.mark.parametrize("recipe", RECIPES[1:], ids=str)
def test_a_stopped_training_ends_as_if_it_had_not_been(
    discs: Discs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, Any], number: int
) -> None:
    pack = discs.pack(0, **recipe)
    whole, stopped = (discs.at(f"{tmp_path.name}-{name}") for name in ("whole", "stopped"))
    expected = whole.train(pack)
    step, taken = Segmentation.take_step, [0]

    def watched(self: Segmentation, batch: Any) -> None:
        taken[0] += 1
        if taken[0] == 20:
            os.kill(os.getpid(), number)
        step(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Segmentation, "take_step", watched)
        with pytest.raises(SystemExit) as ended:
            stopped.train(pack)
    assert ended.value.code == 128 + number
    assert taken[0] < 24, "it stops at once"
    assert stopped.network(pack.networks[0], ".resume").exists()
    assert stopped.train(pack) == expected
    found, whole_content = (read_network(each.network(pack.networks[0])) for each in (stopped, whole))
    assert found["curves"] == whole_content["curves"]


def test_a_killed_training_ends_as_if_it_had_not_been(discs: Discs) -> None:
    pack = discs.pack(0)
    expected = discs.at("undisturbed").train(pack)
    killed = discs.at("killed")
    process = killed.start(pack, kill_after_epoch=3)
    _, told = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, told
    assert killed.network(pack.networks[0], ".resume").exists()
    assert killed.train(pack) == expected


# --- files, processes, memory -----------------------------------------------------------------

LOADED = """
import sys
from pathlib import Path
import torch
from hrtem_ood.learning.checkpoint import load_network, read_network, weights_sha256
content = read_network(Path(sys.argv[1]))
network = load_network(content)
assert not torch.cuda.is_available()
assert network(torch.zeros(1, 1, 64, 64)).isfinite().all()
print(weights_sha256(network.state_dict()), content["device"])
"""


def test_a_network_loads_where_there_is_no_gpu(discs: Discs) -> None:
    pack, place = discs.pack(5, epochs=1), discs.at("portable")
    (expected,) = place.train(pack).values()
    command = [sys.executable, "-c", LOADED, str(place.network(pack.networks[0]))]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digest, _, device = done.stdout.strip().partition(" ")
    assert (digest, device) == (expected, torch.cuda.get_device_name(GPU))


def test_two_workers_on_one_gpu_finish(discs: Discs) -> None:
    packs, place = [discs.pack(6, 7), discs.pack(8, 9)], discs.at("workers")
    processes = [place.start(pack) for pack in packs]
    for process, pack in zip(processes, packs, strict=True):
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
        assert len(place.weights(pack)) == 2


@pytest.mark.usefixtures("little_memory")
def test_a_lack_of_memory_is_told_in_words(discs: Discs) -> None:
    place = discs.at("large")
    pack = discs.pack(0, batch_size=64, epochs=1, architecture={"base_channels": 64, "depth": 3})
    with pytest.raises(HrtemOodError) as caught:
        place.train(pack)
    told = str(caught.value)
    assert f"training {pack.networks[0].id}: out of memory on the GPU: " in told
    assert "Use a smaller batch_size (now 64), a smaller architecture (now unet(base_channels=64, depth=3))" in told
    # and the process goes on
    assert len(discs.at("after").train(discs.pack(0, epochs=1, batch_size=2))) == 1
