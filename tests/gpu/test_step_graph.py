"""Training by one CUDA graph for a pack gives the weights of training kernel by kernel, bit for bit."""

from typing import Any

import pytest
from tests.gpu.discs import GPU, Discs
from torch import Tensor

from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.learning.architectures.unet import UNet
from hrtem_ood.learning.checkpoint import TrainingOutcome, weights_sha256
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.learning.training.step_graph import StepGraph, StepGraphs

pytestmark = pytest.mark.gpu

RECIPES: list[dict[str, Any]] = [
    {},
    {"batch_size": 12},  # of 64 images: the last batch of an epoch is short
    {"batch_size": 100},  # more than there are
    {"loss": "cross_entropy_dice", "gradient_clip": 0.1, "optimizer": "adam", "lr_schedule": "exponential"},
    {"resample_noise": True, "epochs": None, "steps": 37},
    {"numeric_precision": "bf16-mixed", "architecture": {"name": "resnet_unet", "base_channels": 8, "depth": 3}},
    {"architecture": {"base_channels": 16, "depth": 4}, "numeric_precision": "bf16-mixed", "epochs": 3},
    {"augmentations": {"scale": {}, "film": {}, "gain": {}, "brightness": {}}, "numeric_precision": "bf16-mixed"},
]


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Discs:
    return Discs(tmp_path_factory.mktemp("discs"))


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the sizes of the batches that graphs take."""
    sizes: list[int] = []
    call = StepGraph.__call__

    def watched(self: StepGraph, image: Tensor, label: Tensor) -> Tensor:
        sizes.append(len(image))
        return call(self, image, label)

    monkeypatch.setattr(StepGraph, "__call__", watched)
    return sizes


def trained(discs: Discs, spec: NetworkSpec, graphs: StepGraphs | None) -> TrainingOutcome:
    images = [part.to_device_if_fits(GPU) for part in discs.images(resampled=spec.hyperparameters.resample_noise)]
    with reproducible():
        return fit(spec, *images, TrainingSettings(GPU, graphs=graphs), discs.network(spec, ".resume"))


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_weights_and_curves_are_those_of_the_plain_loop(
    discs: Discs, replayed: list[int], recipe: dict[str, Any]
) -> None:
    graphs = StepGraphs()
    pack = discs.pack(0, 1, 2, **recipe).networks
    with_graph = [trained(discs, spec, graphs) for spec in pack]
    steps = len(replayed)
    assert steps >= 3 * 8
    without = [trained(discs, spec, None) for spec in pack]
    assert len(replayed) == steps
    for one, other in zip(with_graph, without, strict=True):
        assert one.curves == other.curves
        assert weights_sha256(one.weights or {}) == weights_sha256(other.weights or {})
    assert len({weights_sha256(one.weights or {}) for one in with_graph}) == 3


def test_networks_of_two_kinds_take_turns(discs: Discs) -> None:
    graphs = StepGraphs()
    specs = [discs.spec(epochs=2, learning_rate=rate, batch_size=size) for rate in (1e-3, 3e-3) for size in (8, 16)]
    found = [weights_sha256(trained(discs, spec, graphs).weights or {}) for spec in specs]
    assert found == [weights_sha256(trained(discs, spec, None).weights or {}) for spec in specs]


def test_what_cannot_be_captured_trains_kernel_by_kernel(
    discs: Discs, replayed: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = discs.spec(epochs=2)
    expected = weights_sha256(trained(discs, spec, None).weights or {})
    forward = UNet.forward

    def asking(self: UNet, image: Tensor) -> Tensor:
        return forward(self, image if float(image.sum()) < 1e30 else -image)  # the host waits for a number

    monkeypatch.setattr(UNet, "forward", asking)
    assert weights_sha256(trained(discs, spec, StepGraphs()).weights or {}) == expected
    assert replayed == []
    assert "train kernel by kernel, without a CUDA graph: " in capsys.readouterr().err
