"""What the host asks of a GPU, per slice of the multislice and per step of training: counted, not timed, and without a GPU.

The multislice runs on the tests' stand-in for CuPy, which counts kernels, transforms and copies: in its plain form, one wave
after the other, and as a GPU computes it. A step runs on the CPU, where calls of PyTorch that compute something are counted;
on a GPU each starts at least one kernel. Its plain form turns images one by one, takes the loss from a flat list of pixels
and updates weight by weight. A captured graph counts as one launch.

    python benchmarks/gpu_launches.py
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from ase import Atoms
from report import Budget, report
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.unit.physics.cupy_stand_in import counted, stand_in

from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import standardise, turn_by_gather, turn_one_by_one
from hrtem_ood.learning.training.losses import LOSS
from hrtem_ood.learning.training.step_graph import StepGraph
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.exit_wave import begin_exit_waves
from hrtem_ood.physics.simulation.multislice import multislice
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import form_factors, slice_atoms, slice_phases

SIDE_A, HEIGHT_A, SIZE = 25.6, 60.0, 128
SIMULATION = Simulation(sampling_A=SIDE_A / SIZE, slice_thickness_A=1.0, n_frozen_phonons=1)
BATCH, PIXELS = 8, 128
ARCHITECTURE = Architecture(base_channels=8, depth=3)
"""Of the laptop campaign, as the batch is."""

FORMS = ("plain", "as a GPU computes it")
KINDS = {"fft": "transforms", "elementwise": "kernels", "upload": "uploads", "download": "downloads"}
"""What the stand-in counts, by its names."""


def scene() -> Atoms:
    """Return a particle of cadmium selenide, tagged, on a carbon film; every slice holds atoms."""
    rng = np.random.default_rng(0)
    film = Atoms("C400", positions=rng.uniform(0, [SIDE_A, SIDE_A, 30], (400, 3)))
    particle = Atoms("Cd200Se200", positions=rng.uniform([5, 5, 30], [20, 20, HEIGHT_A], (400, 3)))
    whole = film + particle
    tags = [0] * len(film) + [1] * len(particle)
    return Atoms(whole.numbers, whole.positions, tags=tags, cell=[SIDE_A, SIDE_A, HEIGHT_A])


def plain(atoms: Atoms) -> None:
    """Compute the exit wave's spectrum in the plain form, kernel by kernel."""
    am, parametrization = stand_in(), SIMULATION.parametrization
    factors = {
        int(number): am.xp.asarray(form_factors(int(number), SIZE, SIDE_A, SIMULATION.energy_eV, parametrization))
        for number in np.unique(atoms.numbers)
    }
    steps = slice_phases(slice_atoms(atoms, SIMULATION.slice_thickness_A, SIZE), factors, SIZE, am)
    wavelength_A = electron_wavelength_A(SIMULATION.energy_eV)
    multislice(steps, size=SIZE, side_A=SIDE_A, wavelength_A=wavelength_A, am=am).get()


def slices() -> dict[str, float]:
    """Count what a scene and its particles alone take, two waves, for every slice of the scene."""
    atoms, am = scene(), stand_in()
    number = len(slice_atoms(atoms, SIMULATION.slice_thickness_A, SIZE))
    with counted() as before:
        plain(atoms)
        plain(atoms[atoms.arrays["tags"] > 0])

    def both() -> None:
        for wait in begin_exit_waves(atoms, SIMULATION, am):
            wait()

    both()  # propagators, form factors and plans stay on the device for the waves that follow
    with counted() as after:
        both()
    return {
        f"{name} per slice, {form}": counts[kind] / number
        for kind, name in KINDS.items()
        for form, counts in zip(FORMS, (before, after), strict=True)
    }


class Launches(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's
    """Counts calls that compute: neither views nor memory."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count a call, and do it."""
        name = func._schema.name.partition("::")[2]
        if not (func.is_view or name.startswith(("empty", "new_empty", "detach", "_unsafe_view"))):
            self.calls[name] += 1
        return func(*args, **(kwargs or {}))


def launches(work: Callable[[], object]) -> int:
    """Return the calls of some work that compute."""
    with Launches() as mode:
        work()
    return sum(mode.calls.values())


def flat_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy over a flat list of pixels."""
    return nn.functional.cross_entropy(logits.movedim(1, -1).flatten(0, -2), label.flatten())


@contextmanager
def replayed_on_the_cpu() -> Iterator[None]:
    """Stand in for the capture of a graph: a replay asks the device for nothing that is counted."""

    def captured(self: StepGraph) -> tuple[Callable[[], None], Tensor]:
        return lambda: None, self.step()

    with patch.object(StepGraph, "_captured", captured):
        yield


def step() -> dict[str, float]:
    """Count what one step of a network takes, by its parts."""
    torch.manual_seed(0)
    network = build(ARCHITECTURE).train()
    counts = torch.poisson(torch.full((BATCH, PIXELS, PIXELS), 8.0)).to(torch.uint8)
    label, element = (counts > 8).to(torch.uint8), torch.arange(BATCH)
    image, truth = standardise(counts).unsqueeze(1), label.long()
    with replayed_on_the_cpu():
        graph = StepGraph(network, LOSS["cross_entropy"], image, truth, half=False)

    def batch(turn: Callable[[Tensor, Tensor], Tensor]) -> None:
        for stack in (counts, label):
            turn(stack, element)
        standardise(counts).unsqueeze(1)
        label.long()

    def kernel_by_kernel(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        loss(network(image), truth).backward()  # type: ignore[no-untyped-call]  # PyTorch's

    batch(turn_by_gather)  # its table of indices is made once
    kernel_by_kernel(flat_cross_entropy)
    optimizers = [torch.optim.AdamW(network.parameters(), fused=fused, foreach=False) for fused in (False, True)]
    for optimizer in optimizers:
        optimizer.step()  # moments are made once
    parts = {
        "batch": [launches(partial(batch, turn)) for turn in (turn_one_by_one, turn_by_gather)],
        "network, loss and gradients": [
            launches(partial(kernel_by_kernel, flat_cross_entropy)),
            1 + launches(partial(graph, image, truth)),
        ],
        "optimiser": [launches(optimizer.step) for optimizer in optimizers],
    }
    parts["whole step"] = [sum(numbers) for numbers in zip(*parts.values(), strict=True)]
    figures = {
        f"{part}: launches, {form}": float(number)
        for part, numbers in parts.items()
        for form, number in zip(FORMS, numbers, strict=True)
    }
    without = launches(partial(kernel_by_kernel, LOSS["cross_entropy"]))
    return figures | {"network, loss and gradients: launches, without a graph": float(without)}


if __name__ == "__main__":
    budgets = [
        Budget("transforms per slice, as a GPU computes it", 4, "max"),
        Budget("kernels per slice, as a GPU computes it", 5, "max"),
        Budget("uploads per slice, as a GPU computes it", 0.2, "max"),
        Budget("whole step: launches, as a GPU computes it", 30, "max"),
    ]
    report("gpu_launches", slices() | step(), budgets)
