"""Exit waves of the paper campaign's scenes: our multislice against abTEM's and against its own two transforms per slice.

12.8 nm cell, 0.1 Å sampling, 1 Å slices, one thread. abTEM runs at its best settings: single precision, FFTW planned by
timing, eager, potentials built slice by slice. The floor is a forward and an inverse transform per slice by FFTW, planned by
timing. Also: two processes at once against one, memory of a worker, and the error of both engines against the converged
reference of `accuracy.py`. And the time that digests take: of the structures that are read, and of the waves that are
written.

    python benchmarks/exit_wave.py [--quick]

The quick run, of the laptop campaign's scenes and once each, shows only that the script works; its figures mean nothing.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before anything starts threads

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import abtem
import numpy as np
import pyfftw
from accuracy import REFERENCE_A, SIDE_A, errors, explicit_spectrum, scenes, spectrum
from ase import Atoms
from report import Budget, alternate, median_ratio, report

from hrtem_ood.array_module import array_module
from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.checksum import checksum
from hrtem_ood.artifacts.integrity import checked_extxyz
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave
from hrtem_ood.physics.simulation.potential import slice_atoms
from hrtem_ood.stages.build import build
from hrtem_ood.stages.simulate import simulate

CONFIG = Path(__file__).parent.parent / "config"
CPU = array_module("cpu")
QUICK = "--quick" in sys.argv
ROUNDS = 1 if QUICK else 3
DIGESTS = "digests of structures and waves [% of eight phonons]"


def paper() -> Campaign:
    """Load the campaign at full size, for a quick run that of a laptop."""
    return load_campaign_from_files([CONFIG / "config.yaml", *([] if QUICK else [CONFIG / "paper.yaml"])])


def by_abtem(atoms: Atoms | abtem.FrozenPhonons, size: int, energy_eV: float) -> np.ndarray:
    """Compute an exit wave, or one per frozen phonon, as abTEM's users do."""
    potential = abtem.Potential(atoms, gpts=size, slice_thickness=1.0)
    waves: Any = abtem.PlaneWave(energy=energy_eV).multislice(potential, lazy=False)
    return np.asarray(waves.array)


def worker(folder: Path, phonons: int) -> None:
    """Simulate a shard of one structure when told to, and print how long that took and how much memory it needed."""
    spec = next(iter(paper().exit_waves.values()))
    spec = spec.model_copy(
        update={"simulation": spec.simulation.model_copy(update={"n_frozen_phonons": phonons}), "start": 0, "stop": 1}
    )
    structures = next(folder.glob("*.extxyz"))
    exit_wave(store.read_structures(structures)[0], spec.simulation, CPU)  # compiles, plans, tabulates
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    begin = perf_counter()
    simulate(spec, structures, folder / f"{spec.id}-{os.getpid()}.zarr.zip", device="cpu")
    seconds = perf_counter() - begin
    sys.stdout.write(json.dumps([seconds, peak_GiB()]) + "\n")


def peak_GiB() -> float:
    """Return the most memory that this process has held [GiB]; getrusage would count its parent's before it began."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 2**20


def at_once(folder: Path, number: int, phonons: int) -> list[list[float]]:
    """Let some workers simulate at the same time: seconds and GiB of each."""
    command = [sys.executable, "-m", Path(__file__).stem, "worker", str(folder), str(phonons)]
    workers = [
        subprocess.Popen(
            [*command, *(["--quick"] if QUICK else [])],
            cwd=Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        for _ in range(number)
    ]
    for each in workers:
        assert each.stdout is not None
        each.stdout.readline()
    for each in workers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    return [json.loads(each.communicate()[0].splitlines()[-1]) for each in workers]


def digests(structures: Path, wave: np.ndarray, phonons: int, seconds: float) -> dict[str, float]:
    """Tell what digests take of the time of a structure [s]."""
    checksum(wave)  # compiles
    begin = process_time()
    checked_extxyz(structures)
    for _ in range(phonons):
        checksum(wave)
    return {DIGESTS: 100 * (process_time() - begin) / seconds}


def main() -> None:
    """Measure and report."""
    campaign = paper()
    simulation = campaign.config.simulation
    recipe = next(iter(campaign.structures.values())).model_copy(update={"start": 0, "stop": 1})
    with tempfile.TemporaryDirectory() as name, abtem.config.set({"diagnostics.progress_bar": False}):
        folder = Path(name)
        structures = folder / f"{recipe.id}.extxyz"
        build(recipe, structures)
        scene = store.read_structures(structures)[0]
        one = displace(scene, simulation.phonon_sigma_A, 1)
        size = round(recipe.recipe.cell_A / simulation.sampling_A)
        number = len(slice_atoms(one, simulation.slice_thickness_A, size))

        buffer = pyfftw.empty_aligned((size, size), np.complex64)
        plans = [
            pyfftw.FFTW(buffer, buffer, axes=(0, 1), direction=direction, flags=("FFTW_MEASURE",))
            for direction in ("FFTW_FORWARD", "FFTW_BACKWARD")
        ]
        buffer[:] = 1

        def floor() -> None:
            for _ in range(number):
                for plan in plans:
                    plan.execute()

        works = {
            "ours": lambda: exit_wave(one, simulation, CPU),
            "abTEM": lambda: by_abtem(one, size, simulation.energy_eV),
            "floor": floor,
        }
        seconds = alternate(works, ROUNDS)
        figures = {f"one phonon: {name} [s]": float(np.median(times)) for name, times in seconds.items()}
        figures["one phonon: abTEM / ours"] = median_ratio(seconds["abTEM"], seconds["ours"])
        figures["one phonon: ours / floor"] = median_ratio(seconds["ours"], seconds["floor"])
        figures["one phonon: abTEM / floor"] = median_ratio(seconds["abTEM"], seconds["floor"])

        begin = perf_counter()
        for seed in range(simulation.n_frozen_phonons):
            exit_wave(displace(scene, simulation.phonon_sigma_A, seed), simulation, CPU)
        ours = perf_counter() - begin
        begin = perf_counter()
        phonons = abtem.FrozenPhonons(scene, simulation.n_frozen_phonons, simulation.phonon_sigma_A, seed=1)
        by_abtem(phonons, size, simulation.energy_eV)
        theirs = perf_counter() - begin
        figures |= {"eight phonons: ours [s]": ours, "eight phonons: abTEM [s]": theirs}
        figures["eight phonons: abTEM / ours"] = theirs / ours

        figures |= digests(structures, exit_wave(one, simulation, CPU), simulation.n_frozen_phonons, ours)

        alone = [at_once(folder, 1, 2) for _ in range(min(ROUNDS, 2))]
        both = [at_once(folder, 2, 2) for _ in range(min(ROUNDS, 2))]
        figures["two processes: throughput over one"] = (
            2 * min(run[0][0] for run in alone) / min(max(one for one, _ in run) for run in both)
        )
        figures["memory of a worker, eight phonons [GiB]"] = at_once(folder, 1, simulation.n_frozen_phonons)[0][1]

    name, small = next(scenes())
    atoms = displace(small, 0.1, 7)
    reference = explicit_spectrum(atoms, round(SIDE_A / REFERENCE_A), 1.0)
    for engine in ("builtin", "abtem"):
        off = errors(spectrum(atoms, engine, simulation.sampling_A), reference)
        figures[f"images of {name}, four conditions: mean error of {engine} [%]"] = float(off.mean())
        figures[f"images of {name}, four conditions: largest error of {engine} [%]"] = float(off.max())
    budgets = [
        Budget("one phonon: abTEM / ours", 3.0, "min"),
        Budget("eight phonons: abTEM / ours", 3.0, "min"),
        Budget("two processes: throughput over one", 1.85, "min"),
        Budget(DIGESTS, 3.0, "max"),
        Budget("memory of a worker, eight phonons [GiB]", 0.7, "max"),
        Budget(f"images of {name}, four conditions: largest error of builtin [%]", 1.0, "max"),
    ]
    notes = [
        f"{len(scene)} atoms, {size} × {size} points, {number} slices, one thread; medians of {ROUNDS} rounds in turn.",
        "Eight phonons: one round. Workers: the simulate job of one structure of two (memory: eight) phonons.",
    ]
    report("exit_wave", figures, budgets, notes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
