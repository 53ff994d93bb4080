"""Losses, optimisers, schedules, clipping and precision are what they are called."""

import copy
import hashlib
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Batches, Images
from hrtem_ood.learning.checkpoint import described_architecture, load_network, read_network, weights_sha256
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training import fit as fitting
from hrtem_ood.learning.training.losses import LOSS, pixel_cross_entropy, soft_dice
from hrtem_ood.learning.training.training_data import epoch_batches

CPU = torch.device("cpu")


def bare_loop(spec: NetworkSpec, training: Images, validation: Images, *, autocast: bool = False) -> Any:
    """Train without Lightning, as a reference; the exponential schedule by its formula."""
    hyper = spec.hyperparameters
    torch.manual_seed(int(seed_sequence(spec.id, 0).generate_state(1, np.uint64)[0]))
    network = build(hyper.architecture)
    maker = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[hyper.optimizer]
    optimizer = maker(network.parameters(), lr=hyper.learning_rate, weight_decay=hyper.weight_decay, fused=True)
    per_epoch = -(-len(training.counts) // hyper.batch_size)
    steps = hyper.steps or (hyper.epochs or 0) * per_epoch
    schedule = (
        torch.optim.lr_scheduler.OneCycleLR(optimizer, hyper.learning_rate, total_steps=steps)
        if hyper.lr_schedule == "one_cycle"
        else None
    )
    best, weights, curve = np.inf, {}, []
    for epoch in range(-(-steps // per_epoch)):
        network.train()
        for image, label in epoch_batches(training, spec, epoch, CPU):
            if schedule is None:
                optimizer.param_groups[0]["lr"] = hyper.learning_rate * hyper.lr_decay**epoch
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                logits = network(image)
            LOSS[hyper.loss](logits.float(), label).backward()
            if hyper.gradient_clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), hyper.gradient_clip)
            optimizer.step()
            if schedule is not None:
                schedule.step()
        network.eval()
        total = 0.0
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            for image, label in Batches(validation, hyper.batch_size, CPU):
                total += float(LOSS[hyper.loss](network(image).float(), label)) * len(image)
        curve.append(total / len(validation.counts))
        if curve[-1] < best:
            best, weights = curve[-1], copy.deepcopy(network.state_dict())
    return weights, curve


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"loss": "cross_entropy_dice"},
        {"optimizer": "adam", "weight_decay": 0.1},
        {"weight_decay": 0.9},
        {"lr_schedule": "exponential", "lr_decay": 0.5},
        {"lr_schedule": "exponential", "lr_decay": 0.5, "optimizer": "adam", "epochs": None, "steps": 8},
        {"gradient_clip": 0.01, "optimizer": "adam", "lr_schedule": "exponential"},
        {"gradient_clip": 0.01, "numeric_precision": "bf16-mixed", "optimizer": "adam"},
        {"augmentation": "none"},
        {"resample_noise": True},
        {"numeric_precision": "bf16-mixed"},
        {"numeric_precision": "bf16-mixed", "augmentations": {"scale": {}, "brightness": {}}},
        {"numeric_precision": "bf16-mixed", "augmentations": {"gain": {}, "film": {}}},
        {"architecture": {"name": "resnet_unet", "base_channels": 4, "depth": 2}},
    ],
    ids=str,
)
def test_training_is_the_bare_loop(lab: Any, recipe: dict[str, Any]) -> None:
    spec = lab.spec(**recipe)
    variable = "expected_counts" if spec.hyperparameters.resample_noise else "counts"
    images = lab.images(variable)
    trained = lab.fit(spec, images)
    with reproducible():
        weights, curve = bare_loop(spec, *images, autocast=spec.hyperparameters.numeric_precision == "bf16-mixed")
    assert trained.weights is not None
    assert weights_sha256(trained.weights) == weights_sha256(weights)
    assert trained.curves["validation_loss"] == pytest.approx(curve, rel=1e-6)


def test_every_part_of_the_recipe_matters(lab: Any) -> None:
    recipes: list[dict[str, Any]] = [
        {},
        {"loss": "cross_entropy_dice"},
        {"optimizer": "adam"},
        {"weight_decay": 0.9},
        {"lr_schedule": "exponential"},
        {"lr_schedule": "exponential", "lr_decay": 0.5},
        {"gradient_clip": 1e-6, "optimizer": "adam"},
        {"numeric_precision": "bf16-mixed"},
        {"batch_size": 4},
    ]
    found = set()
    for recipe in recipes:
        spec = lab.spec(**recipe)
        object.__setattr__(spec, "id", "same-streams")  # so that only the recipe differs
        found.add(weights_sha256(lab.fit(spec).weights))
    assert len(found) == len(recipes)


def test_the_learning_rate_runs_its_course(lab: Any) -> None:
    one_cycle = lab.fit(lab.spec(epochs=10)).curves["learning_rate"]  # of the epoch's last step
    assert max(one_cycle) == pytest.approx(0.02, rel=0.05)
    assert one_cycle[-1] < 1e-6
    assert int(np.argmax(one_cycle)) == 2, "the top is reached after 30 % of the steps"
    exponential = lab.fit(lab.spec(epochs=4, lr_schedule="exponential", lr_decay=0.5)).curves["learning_rate"]
    assert exponential == pytest.approx([0.02, 0.01, 0.005, 0.0025])


def test_losses_by_hand() -> None:
    logits = torch.randn(3, 2, 5, 5, dtype=torch.float64)
    label = (torch.rand(3, 5, 5) < 0.4).long()
    label[2] = 0  # nothing to find
    p = 1 / (1 + np.exp(logits[:, 0].numpy() - logits[:, 1].numpy()))
    y = label.numpy()
    cross_entropy = -np.log(np.where(y == 1, p, 1 - p)).mean()
    dice = np.mean([1 - (2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1) for a, b in zip(p, y, strict=True)])
    assert float(pixel_cross_entropy(logits, label)) == pytest.approx(cross_entropy)
    assert float(soft_dice(logits, label)) == pytest.approx(dice)
    assert float(LOSS["cross_entropy_dice"](logits, label)) == pytest.approx(cross_entropy + dice)
    sure = 50.0 * (2 * torch.stack([1 - label, label], dim=1) - 1)
    assert float(soft_dice(sure, label)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_cross_entropy_and_its_gradient_are_pytorchs(classes: int) -> None:
    logits = (30 * torch.randn(3, classes, 6, 5, dtype=torch.float64)).requires_grad_()
    label = torch.randint(classes, (3, 6, 5))
    expected = nn.functional.cross_entropy(logits, label)
    (gradient,) = torch.autograd.grad(expected, logits)
    found = pixel_cross_entropy(logits, label)
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(torch.autograd.grad(found, logits)[0], gradient, atol=1e-8, rtol=1e-8)


def test_weights_can_be_stored_in_half_the_space(lab: Any) -> None:
    big = {"base_channels": 16, "depth": 2}
    pack = lab.pack(0, architecture=big, stored_dtype="bfloat16", epochs=1)
    entry = lab.run(pack)["networks"][pack.networks[0].id]
    content = read_network(lab.network(pack.networks[0]))
    kinds = {tensor.ndim > 1: tensor.dtype for tensor in content["state_dict"].values() if tensor.is_floating_point()}
    assert kinds == {True: torch.bfloat16, False: torch.float32}
    assert entry["sha256_of_weights"] == weights_sha256(content["state_dict"])
    whole = lab.pack(0, architecture=big, epochs=1)
    lab.run(whole)
    sizes = [lab.network(one.networks[0]).stat().st_size for one in (pack, whole)]
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
def test_tables_of_integers_are_stored_as_they_are(lab: Any, tmp_path: Any, weights: str) -> None:
    file = tmp_path / "table.py"
    file.write_text(
        "import torch\nfrom torch import nn\n"
        "class Table(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.convolution = nn.Conv2d(1, 2, 3, padding=1)\n"
        "        self.register_buffer('table', torch.arange(400).view(20, 20) + 16_777_217)\n"
        "    def forward(self, image):\n"
        "        return self.convolution(image)\n"
    )
    architecture = {"name": "Table", "file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    pack = lab.pack(0, epochs=1, stored_dtype=weights, architecture=architecture)
    lab.run(pack)
    stored = read_network(lab.network(pack.networks[0]))
    state = load_network(stored, described_architecture(stored, file)).state_dict()
    assert torch.equal(state["table"], torch.arange(400).view(20, 20) + 16_777_217)


def test_precision_is_recorded(lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    spec = lab.spec(numeric_precision="bf16-mixed")
    assert lab.fit(spec).numeric_precision == "bf16-mixed"
    assert lab.fit(lab.spec()).numeric_precision == "32-true"
    # a GPU without it
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Old GPU")
    assert fitting.resolve_precision(spec, torch.device("cuda")) == "32-true"
    assert "Old GPU has no bfloat16, so it trains in float32" in capsys.readouterr().err


@pytest.mark.filterwarnings(r"ignore:`torch\.jit:DeprecationWarning")  # PyTorch's own
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
def test_compiled_training_agrees_to_rounding(lab: Any, tmp_path: Any) -> None:
    file = tmp_path / "small.py"  # as few layers as show it: the compiler takes seconds for each
    file.write_text(
        "from torch import nn\n"
        "class Small(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))\n"
    )
    architecture = {"name": "Small", "file": str(file)}
    # all images: every other size of a batch is compiled anew
    spec = lab.spec(epochs=2, batch_size=7, architecture=architecture)
    plain, compiled = lab.fit(spec), lab.fit(spec, compile=True)
    assert compiled.weights.keys() == plain.weights.keys()
    assert compiled.curves["validation_loss"] == pytest.approx(plain.curves["validation_loss"], rel=1e-3)
