"""Exit waves and datasets on a GPU: against abTEM on the same card, and against the Fourier transforms alone.

Exit waves of a particle on carbon, of 256² and 1280² points and 0.1 Å, 1 Å slices, from atoms in host memory to the wave
in host memory. abTEM: single precision, eager, potentials built slice by slice. The floor: a forward and an inverse
transform of the wave per slice by cuFFT, planned once, in place. Datasets: images of 640² px of eight phonons, from file to
file; and their part on the device alone, from waves in host memory to the expected intensity in host memory.

python benchmarks/gpu_physics.py [--cpu]   (--cpu: small, on NumPy, to try the script)
"""

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import abtem
import numpy as np
from ase import Atoms
from ase.build import bulk
from gpu_timing import Parts, measured
from report import report

from hrtem_ood.array_module import ArrayModule, array_module
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec
from hrtem_ood.physics.imaging.microscope import Microscope
from hrtem_ood.physics.imaging.parameters import Imaging, Labels
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.fourier import cropped_spectra
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.abtem_engine import abtem_spectrum
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import slice_atoms
from hrtem_ood.physics.simulation.simulated_structure import simulate_structure
from hrtem_ood.stages.image import image
from hrtem_ood.stages.simulate import empty_dataset

SAMPLING_A, ENERGY_EV, FILM_A, RADIUS_A = 0.1, 300e3, 50.0, 20.0
SIMULATION = Simulation(sampling_A=SAMPLING_A, n_frozen_phonons=1, energy_eV=ENERGY_EV)


def scene(side_A: float) -> Atoms:
    """Put a ball of cadmium selenide on 50 Å of random carbon, as thick as the scenes of the paper campaign."""
    radius_A, rng = min(RADIUS_A, 0.4 * side_A), np.random.default_rng(0)
    ball = bulk("CdSe", "wurtzite", a=4.2985, c=7.0152).repeat(24)  # type: ignore[no-untyped-call]  # ASE's
    ball.positions -= ball.positions.mean(axis=0)
    ball = ball[np.linalg.norm(ball.positions, axis=1) < radius_A]
    ball.rotate(17, "x")
    ball.rotate(29, "y")
    ball.positions += [side_A / 2, side_A / 2, 5 + FILM_A + radius_A]
    number = round(0.1103 * side_A**2 * FILM_A)
    film = Atoms(f"C{number}", positions=rng.uniform([0, 0, 5], [side_A, side_A, 5 + FILM_A], (number, 3)))
    whole = film + ball
    whole.set_tags([0] * number + [1] * len(ball))
    whole.set_cell([side_A, side_A, 10 + FILM_A + 2 * radius_A])
    result: Atoms = whole
    return result


def synchronise(am: ArrayModule) -> None:
    """Wait for the device."""
    if am.name == "gpu":
        am.xp.cuda.Device().synchronize()


def rate(work: Callable[[], object], am: ArrayModule, *, seconds: float = 4.0, at_least: int = 3) -> float:
    """Return how often a work is done per second: the median of repeats that fill some seconds, after one to warm up."""
    work()
    synchronise(am)
    times: list[float] = []
    begin = perf_counter()
    while len(times) < at_least or (perf_counter() - begin < seconds and len(times) < 200):
        start = perf_counter()
        work()
        synchronise(am)
        times.append(perf_counter() - start)
    return 1 / median(times)


def floor(size: int, slices: int, am: ArrayModule) -> Callable[[], object]:
    """Transform a wave forth and back once per slice, and do nothing else."""
    wave = am.xp.ones((size, size), np.complex64)
    if am.name == "cpu":
        return lambda: [am.fft.ifft2(am.fft.fft2(wave)) for _ in range(slices)]
    from cupyx.scipy.fft import get_fft_plan

    plan = get_fft_plan(wave, axes=(0, 1))

    def transform() -> None:
        for _ in range(slices):
            plan.fft(wave, wave, -1)
            plan.fft(wave, wave, 1)

    return transform


def exit_waves(size: int, am: ArrayModule) -> dict[str, float]:
    """Measure exit waves of one size."""
    still = scene(round(size * SAMPLING_A, 6))
    atoms = displace(still, 0.1, 1)
    slices = len(slice_atoms(atoms, SIMULATION.slice_thickness_A, size))
    ours = rate(lambda: exit_wave(atoms, SIMULATION, am), am)
    figures = {
        f"{size}²: slices": float(slices),
        f"{size}²: atoms": float(len(atoms)),
        f"{size}²: exit waves [1/s]": ours,
        f"{size}²: cutting the scene into slices, on the host [1/s]": rate(
            lambda: slice_atoms(atoms, SIMULATION.slice_thickness_A, size), am, seconds=0.5
        ),
    }
    floor_rate = rate(floor(size, slices, am), am)
    figures |= {f"{size}²: transforms alone [1/s]": floor_rate, f"{size}²: time over the floor's": floor_rate / ours}
    try:
        theirs = rate(lambda: abtem_spectrum(atoms, SIMULATION, size, am), am)
    except Exception as error:  # another package's: its figure is left out, and said why
        sys.stderr.write(f"abTEM, {size}²: {type(error).__name__}: {str(error)[:300]}\n")
    else:
        figures |= {f"{size}²: exit waves, abTEM [1/s]": theirs, f"{size}²: ours / abTEM": ours / theirs}
    two = SIMULATION.model_copy(update={"n_frozen_phonons": 2})
    whole = rate(lambda: simulate_structure(still, two, [1, 2], am), am, seconds=2, at_least=2)
    return figures | {f"{size}²: structures of two phonons, zero defocus and particles alone included [1/s]": whole}


def memory_MiB(am: ArrayModule) -> float:
    """Return what CuPy's pool holds."""
    return float(am.xp.get_default_memory_pool().total_bytes() / 2**20) if am.name == "gpu" else 0.0


def shard(folder: Path, spec: ExitWaveShardSpec, cell_A: float) -> tuple[Path, np.ndarray]:
    """Write random phase objects as exit waves; return the file, and the waves of the first structure."""
    dataset = empty_dataset(spec, cell_A).copy(deep=True)
    points = dataset.sizes["x"]
    q = np.fft.fftfreq(points, cell_A / points)
    low_pass = np.exp(-((q / 0.8) ** 2)).astype(np.float32)
    for structure in range(spec.stop):
        for phonon in range(dataset.sizes["phonon"]):
            noise = np.random.default_rng([structure, phonon]).standard_normal((points, points), np.float32)
            phase = np.fft.ifft2(np.fft.fft2(noise) * low_pass[:, None] * low_pass).real
            dataset.exit_wave[structure, phonon] = np.exp(0.3j * phase / phase.std()).astype(np.complex64)
        dataset.particle_phase[structure] = phase
    path = folder / f"{spec.id}.zarr.zip"
    store.write_zarr(path, dataset, {"id": spec.id})
    return path, dataset.exit_wave.values[0]


def datasets(am: ArrayModule, *, size: int, structures: int, phonons: int) -> dict[str, float]:
    """Measure a dataset job, with and without noise-free images, and its part on the device."""
    simulation = SIMULATION.model_copy(update={"n_frozen_phonons": phonons})
    spec = ExitWaveShardSpec(structure_series="s", simulation=simulation, start=0, stop=structures)
    condition = Condition(defocus_A=80, dose_e_per_A2=400, focal_spread_A=30, C30=1e5, C12=30)
    imaging = Imaging(pixel_size_A=2 * SAMPLING_A)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, waves = shard(folder, spec, 2 * size * SAMPLING_A)
        dataset = DatasetSpec(
            exit_wave_series=spec.series,
            n_structures=structures,
            condition=condition,
            imaging=imaging,
            labels=Labels(),
        )
        device: Any = am.name
        jobs = {}
        for threads in (1, 4):
            with patch.dict(os.environ, OMP_NUM_THREADS=str(threads)):  # as Snakemake tells a job its threads
                jobs[threads] = structures * rate(
                    lambda: image(dataset, [path], folder / f"{dataset.id}.zarr.zip", device=device), am, seconds=4
                )
        microscope = Microscope(imaging, size, electron_wavelength_A(ENERGY_EV), 3.3, am)

        def on_device() -> None:
            spectra = cropped_spectra(waves, size, am)
            am.to_numpy(microscope.intensity(spectra, condition, condition.defocus_A))

        alone = rate(on_device, am)
        intensity = am.to_numpy(microscope.intensity(cropped_spectra(waves, size, am), condition, 80.0))
        rng = np.random.default_rng(0)
        counts = rate(
            lambda: microscope.response.detect(intensity, dose_e_per_A2=400, pixel_size_A=0.2, rng=rng), am, seconds=1
        )
    return {
        **{
            f"dataset job, {size}² px, {phonons} phonons, {threads} threads [images/s]": job
            for threads, job in jobs.items()
        },
        "its imaging on the device, waves and images moved [images/s]": alone,
        "its counts, drawn on the host by one thread [images/s]": counts,
        "host's share of the dataset job of one thread": 1 - jobs[1] / alone,
    }


def waves_on_a_gpu(size: int, am: ArrayModule) -> dict[str, float]:
    """Measure exit waves of one size, and what they leave in the memory pool."""
    figures = exit_waves(size, am)
    return figures | {f"memory of CuPy's pool after waves of {size}² [MiB]": memory_MiB(am)}


def parts(*, on_gpu: bool = True) -> Parts:
    """Return what is measured, see :data:`gpu_timing.Parts`."""
    abtem.config.set({"diagnostics.progress_bar": False})
    am = array_module("gpu" if on_gpu else "cpu")
    sizes = {"size": 640, "structures": 8, "phonons": 8} if on_gpu else {"size": 64, "structures": 2, "phonons": 2}
    return {
        **{f"exit waves, {size}²": partial(waves_on_a_gpu, size, am) for size in ((1280, 256) if on_gpu else (64,))},
        "datasets": partial(datasets, am, **sizes),
    }


if __name__ == "__main__":
    report("gpu_physics", measured(parts(on_gpu="--cpu" not in sys.argv)).figures, [])
