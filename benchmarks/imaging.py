"""Images of an irregular list of conditions against abTEM's, and what a dataset costs beside its imaging.

Eight frozen-phonon waves of a 12.8 nm cell, images of 640 × 640 px, 50 conditions that are no outer product. abTEM's best
practice for such a list is a loop over conditions on waves that were sampled down once; its best case, a grid of defoci
that it takes lazily as one, is timed too. Both get their waves in memory and end with the intensity in memory. The job
reads exit waves, images, draws counts, compresses and writes; imaging alone is the same job's transform, lens, inverse
transform and mean. One CPU thread.
"""

import tempfile
import warnings
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import abtem
import dask
import numpy as np
import xarray as xr
from report import Budget, alternate, median_ratio, report

from hrtem_ood.array_module import array_module
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec
from hrtem_ood.physics.imaging.microscope import Microscope
from hrtem_ood.physics.imaging.parameters import Imaging, Labels
from hrtem_ood.physics.imaging.poisson import poisson_counts
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.fourier import crop_spectrum, cropped_spectra, polar_frequencies
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.stages.image import image
from hrtem_ood.stages.simulate import empty_dataset

CPU = array_module("cpu")
CELL_A, SIZE, PIXEL_A, ENERGY_EV = 128.0, 640, 0.2, 300e3
CONDITIONS, PHONONS, REPEATS, STRUCTURES = 50, 8, 3, 12
SIMULATION = Simulation(sampling_A=0.1, n_frozen_phonons=PHONONS)


def exit_waves(spec: ExitWaveShardSpec) -> xr.Dataset:
    """Make random phase objects with the size, the band and the contrast of exit waves."""
    dataset = empty_dataset(spec, CELL_A).copy(deep=True)
    points = dataset.sizes["x"]
    q, _ = polar_frequencies((points, points), CELL_A / points)
    low_pass = np.exp(-((q / 0.8) ** 2)) * (q < 3.2)
    for place in range(dataset.sizes["structure"]):
        for phonon in range(PHONONS):
            noise = np.random.default_rng([place, phonon]).normal(size=(points, points))
            phase = np.fft.ifft2(np.fft.fft2(noise) * low_pass).real
            dataset.exit_wave[place, phonon] = np.exp(0.3j * phase / phase.std())
        dataset.particle_phase[place] = phase
    return dataset


def irregular() -> list[Condition]:
    """Draw conditions one by one, with the aberrations that campaigns vary."""
    rng = np.random.default_rng(0)
    return [
        Condition(
            defocus_A=rng.uniform(-250, 250),
            dose_e_per_A2=400,
            focal_spread_A=30,
            C30=rng.choice([-1e5, 1e5]),
            C12=rng.uniform(0, 80),
            phi12=rng.uniform(-1.5, 1.5),
            C21=rng.uniform(0, 3000),
            phi21=rng.uniform(-3, 3),
        )
        for _ in range(CONDITIONS)
    ]


def ours(waves: np.ndarray, conditions: list[Condition]) -> list[np.ndarray]:
    """Image one structure under every condition."""
    microscope = Microscope(Imaging(pixel_size_A=PIXEL_A), SIZE, electron_wavelength_A(ENERGY_EV), 3.3, CPU)
    spectra = cropped_spectra(waves, SIZE, CPU)
    return [microscope.intensity(spectra, condition, condition.defocus_A) for condition in conditions]


def abtem_waves(waves: np.ndarray) -> abtem.Waves:
    """Give abTEM the waves, sampled down to the images' grid once."""
    spectra = crop_spectrum(CPU.fft.fft2(waves), (SIZE, SIZE))
    array = np.ascontiguousarray(CPU.fft.ifft2(spectra).transpose(0, 2, 1))
    axes: list[Any] = [abtem.core.axes.FrozenPhononsAxis(_ensemble_mean=True)]
    return abtem.Waves(array, energy=ENERGY_EV, extent=CELL_A, ensemble_axes_metadata=axes)


def aberrations(condition: Condition) -> dict[str, Any]:
    """Return a condition's parameters as abTEM names them."""
    return {"defocus": condition.defocus_A, "focal_spread": condition.focal_spread_A, **condition.aberrations}


def abtem_loop(waves: np.ndarray, conditions: list[Condition]) -> list[np.ndarray]:
    """Image one structure under every condition, one by one."""
    sampled = abtem_waves(waves)
    images = [sampled.apply_ctf(abtem.CTF(energy=ENERGY_EV, **aberrations(each))).intensity() for each in conditions]
    return [image.reduce_ensemble().array.T for image in images]


def abtem_grid(waves: np.ndarray, defoci: np.ndarray) -> np.ndarray:
    """Image one structure at a series of defoci, the only kind of list that abTEM takes as one."""
    sampled = abtem_waves(waves).lazy()
    ctf: Any = abtem.CTF(energy=ENERGY_EV, defocus=abtem.distributions.from_values(defoci), focal_spread=30, C30=1e5)
    images: Any = sampled.apply_ctf(ctf).intensity().reduce_ensemble().compute(progress_bar=False)
    return np.asarray(images.array)


def lists() -> dict[str, float]:
    """Time the list of conditions, and compare images."""
    waves = exit_waves(
        ExitWaveShardSpec(structure_series="s", simulation=SIMULATION, start=0, stop=1)
    ).exit_wave.values[0]
    conditions = irregular()
    few = conditions[:10]
    defoci = np.linspace(-250, 250, CONDITIONS)
    grid = [Condition(defocus_A=value, dose_e_per_A2=400, focal_spread_A=30, C30=1e5) for value in defoci]
    difference = max(
        float(np.abs(one - other).max()) for one, other in zip(ours(waves, few), abtem_loop(waves, few), strict=True)
    )
    seconds = alternate(
        {
            "ours": lambda: ours(waves, conditions),
            "loop": lambda: abtem_loop(waves, conditions),
            "ours, defoci": lambda: ours(waves, grid),
            "grid": lambda: abtem_grid(waves, defoci),
        },
        REPEATS,
    )
    figures = {f"{name} [ms/image]": 1e3 * median(times) / CONDITIONS for name, times in seconds.items()}
    return figures | {
        "abTEM, loop / ours": median_ratio(seconds["loop"], seconds["ours"]),
        "abTEM, lazy grid / ours": median_ratio(seconds["grid"], seconds["ours, defoci"]),
        "largest difference from abTEM [incident intensity]": difference,
    }


def job(folder: Path) -> dict[str, float]:
    """Time a dataset from file to file, and its imaging alone."""
    spec = ExitWaveShardSpec(structure_series="s", simulation=SIMULATION, start=0, stop=STRUCTURES)
    shard = folder / f"{spec.id}.zarr.zip"
    waves = exit_waves(spec)
    store.write_zarr(shard, waves, {"id": spec.id})
    stack = waves.exit_wave.values
    condition = irregular()[0]
    dataset = DatasetSpec(
        exit_wave_series=spec.series,
        n_structures=STRUCTURES,
        condition=condition,
        imaging=Imaging(pixel_size_A=PIXEL_A),
        labels=Labels(),
    )

    def imaging() -> None:
        microscope = Microscope(dataset.imaging, SIZE, electron_wavelength_A(ENERGY_EV), 3.3, CPU)
        for structure in stack:
            spectra = cropped_spectra(structure, SIZE, CPU)
            microscope.intensity(spectra, condition, condition.defocus_A)

    def whole() -> None:
        image(dataset, [shard], folder / f"{dataset.id}.zarr.zip", device="cpu")

    def read() -> None:
        store.read_zarr(shard)

    seconds = alternate({"imaging": imaging, "whole": whole, "read": read}, REPEATS)
    return {
        "dataset job [ms/image]": 1e3 * median(seconds["whole"]) / STRUCTURES,
        "its imaging alone [ms/image]": 1e3 * median(seconds["imaging"]) / STRUCTURES,
        "reading its waves through Zarr [ms/image]": 1e3 * median(seconds["read"]) / STRUCTURES,
        "dataset job / imaging": median_ratio(seconds["whole"], seconds["imaging"]),
    }


def counting() -> dict[str, float]:
    """Time the drawing of counts against NumPy's, at three doses."""
    found = {}
    for mean in (1.2, 16.0, 64.0):
        means = mean * (1 + 0.2 * np.random.default_rng(0).standard_normal((SIZE, SIZE)).clip(-3, 3))
        rng = np.random.default_rng(1)
        works = {"ours": lambda m=means, r=rng: poisson_counts(m, r), "NumPy": lambda m=means, r=rng: r.poisson(m)}
        seconds = alternate(works, 7)
        found[f"counts of mean {mean:g} [ms/image]"] = 1e3 * median(seconds["ours"])
        found[f"NumPy / ours, mean {mean:g}"] = median_ratio(seconds["NumPy"], seconds["ours"])
    return found


def main() -> None:
    """Measure and report."""
    warnings.filterwarnings("ignore")
    begin = perf_counter()
    settings = abtem.config.set({"diagnostics.progress_bar": False, "precision": "float32"})
    with tempfile.TemporaryDirectory() as name, settings, dask.config.set(scheduler="synchronous"):
        figures = counting() | job(Path(name)) | lists()
    report(
        "imaging",
        figures,
        [
            Budget("abTEM, loop / ours", 3.5, "min"),
            Budget("abTEM, lazy grid / ours", 2.5, "min"),
            Budget("largest difference from abTEM [incident intensity]", 1e-5, "max"),
            Budget("dataset job / imaging", 1.5, "max"),
        ],
        [
            f"{PHONONS} phonons, {SIZE}² px, {CONDITIONS} conditions; medians of {REPEATS} rounds, all in turn; one CPU thread.",
            f"Dataset job of {STRUCTURES} structures. Took {perf_counter() - begin:.0f} s.",
        ],
    )


if __name__ == "__main__":
    main()
