"""Networks that share the memory of one graph train as those that have their own; the graph is a stand-in, which computes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from hrtem_ood.learning.checkpoint import weights_sha256
from hrtem_ood.learning.training.fit import fit
from hrtem_ood.learning.training.step_graph import StepGraph, StepGraphs
from hrtem_ood.stages import train

CPU = torch.device("cpu")


def recorded(self: StepGraph) -> tuple[Callable[[], None], Tensor]:
    """Leave loss and gradients in the same memory at every replay, as a graph does."""
    value = self.step()
    gradients = [each.grad for each in self.network.parameters()]

    def replay() -> None:
        value.copy_(self.step())
        for parameter, gradient in zip(self.network.parameters(), gradients, strict=True):
            if gradient is not None and parameter.grad is not None:
                gradient.copy_(parameter.grad)
            parameter.grad = None

    return replay, value


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[StepGraph]:
    """Stand in for the capture; collect the graphs."""
    graphs: list[StepGraph] = []

    def watched(self: StepGraph) -> tuple[Callable[[], None], Tensor]:
        graphs.append(self)
        return recorded(self)

    monkeypatch.setattr(StepGraph, "_captured", watched)
    return graphs


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"batch_size": 4},
        {"batch_size": 9},
        {"gradient_clip": 0.01, "optimizer": "adam", "lr_schedule": "exponential", "loss": "cross_entropy_dice"},
        {"numeric_precision": "bf16-mixed", "architecture": {"name": "resnet_unet", "base_channels": 4, "depth": 2}},
    ],
    ids=str,
)
def test_networks_are_those_of_the_plain_loop(lab: Any, captured: list[StepGraph], recipe: dict[str, Any]) -> None:
    graphs, pack = StepGraphs(), lab.pack(0, 1, 2, **recipe)
    ours = [lab.fit(spec, graphs=graphs) for spec in pack.networks]
    theirs = [lab.fit(spec) for spec in pack.networks]
    assert len(captured) == 1
    for one, other in zip(ours, theirs, strict=True):
        assert one.curves == other.curves
        assert weights_sha256(one.weights) == weights_sha256(other.weights)


def test_another_kind_of_network_has_another_graph(lab: Any, captured: list[StepGraph]) -> None:
    graphs = StepGraphs()
    for change in ({}, {"learning_rate": 0.01}, {"batch_size": 4}, {"loss": "cross_entropy_dice"}, {}):
        spec = lab.spec(**change)
        assert weights_sha256(lab.fit(spec, graphs=graphs).weights) == weights_sha256(lab.fit(spec).weights)
    assert len(captured) == 4


def test_a_pack_of_several_kinds_captures_one_graph_for_each(
    lab: Any, captured: list[StepGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = [lab.pack(0, 1, 2, architecture={"base_channels": number, "depth": 1}) for number in (2, 3)]
    in_turn = tuple(network for pair in zip(*(pack.networks for pack in packs), strict=True) for network in pair)
    graphs = StepGraphs()

    def with_graphs(spec: Any, training: Any, validation: Any, settings: Any, resume: Any) -> Any:
        return fit(spec, training, validation, settings._replace(graphs=graphs), resume)

    monkeypatch.setattr(train, "fit", with_graphs)
    lab.run(packs[0].model_copy(update={"networks": in_turn}))
    assert len(captured) == 2


def test_without_memory_for_a_graph_the_next_network_tries_again(
    lab: Any, captured: list[StepGraph], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full, graphs = [True], StepGraphs()
    capture = StepGraph._captured

    def perhaps(self: StepGraph) -> Any:
        if full.pop():
            full.append(False)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        full.append(False)
        return capture(self)

    monkeypatch.setattr(StepGraph, "_captured", perhaps)
    for spec in lab.pack(0, 1, 2).networks:
        assert weights_sha256(lab.fit(spec, graphs=graphs).weights) == weights_sha256(lab.fit(spec).weights)
    assert "no memory was left for a CUDA graph (CUDA out of memory" in capsys.readouterr().err
    assert len(captured) == 1


def test_training_goes_on_from_a_saved_state(
    lab: Any, captured: list[StepGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, graphs = lab.spec(epochs=4), StepGraphs()
    expected = weights_sha256(lab.fit(spec).weights)
    call, taken = StepGraph.__call__, [0]

    def failing(self: StepGraph, image: Tensor, label: Tensor) -> Tensor:
        taken[0] += 1
        if taken[0] == 6:
            raise OSError("the disk is gone")
        return call(self, image, label)

    monkeypatch.setattr(StepGraph, "__call__", failing)
    with pytest.raises(OSError, match="disk"):
        lab.fit(spec, graphs=graphs)
    assert weights_sha256(lab.fit(spec, graphs=graphs).weights) == expected
    assert taken[0] < 6 + 8, "epochs that were finished are not repeated"
    assert len(captured) == 1


def test_what_cannot_be_captured_trains_kernel_by_kernel(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    def fail(_self: StepGraph) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(StepGraph, "_captured", fail)
    graphs = StepGraphs()
    for seed in range(2):
        spec = lab.pack(seed).networks[0]
        assert weights_sha256(lab.fit(spec, graphs=graphs).weights) == weights_sha256(lab.fit(spec).weights)
    told = capsys.readouterr().err
    assert told.count("kernel by kernel, without a CUDA graph: cpu cannot capture a step (operation not permitted") == 1
    file = tmp_path / "own.py"
    file.write_text(
        "from torch import nn\n"
        "class Own(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 2, 3, padding=1))\n"
    )
    spec = lab.spec(architecture={"name": "Own", "file": str(file)})
    assert weights_sha256(lab.fit(spec, graphs=graphs).weights) == weights_sha256(lab.fit(spec).weights)
    assert "an architecture of a file may compute something else at every step" in capsys.readouterr().err
