"""Bytes per image of datasets, against float32 and against the entropy of the counts.

A scene of the campaign at full size is drawn, simulated with one phonon and 2 Å slices, and imaged at 0.2 Å under five
doses. The entropy is that of the histogram of each image's counts, what a code that knows how often each count occurs, but
nothing of the pixels around, needs at least. Beside it stands the mean entropy of the Poisson noise alone, which nothing
can undercut that restores every count.

Checks: the share of processor time that the digests of exit waves of eight phonons take in a dataset job, which maps them.
"""

import tempfile
from pathlib import Path
from time import process_time
from unittest.mock import patch

import numpy as np
from report import Budget, report, timed_calls
from scipy.stats import entropy, poisson

from hrtem_ood.artifacts import checksum, store
from hrtem_ood.artifacts.zarr_mmap import MappedRow
from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec, StructureShardSpec
from hrtem_ood.physics.imaging.parameters import Imaging, Labels
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.simulated_structure import SimulatedStructure
from hrtem_ood.physics.structures.parameters import Material, Particles, Substrate
from hrtem_ood.physics.structures.recipe import StructureRecipe
from hrtem_ood.stages.build import build
from hrtem_ood.stages.image import image
from hrtem_ood.stages.simulate import empty_dataset, simulate, write_waves

STRUCTURES, ROUNDS = 12, 7
SHARE = "checks of mapped exit waves in a dataset job [%]"
DOSES = (30, 100, 400, 1600, 10_000)
RECIPE = StructureRecipe(
    material=Material(preset="CdSe"),
    seed=1,
    cell_A=128,
    particles=Particles(count=(1, 3), radius_A=(15, 30)),
    substrate=Substrate(thickness_A=50),
    vacuum_A=5,
)
SIMULATION = Simulation(sampling_A=0.125, slice_thickness_A=2, n_frozen_phonons=1)


def exit_waves(folder: Path) -> tuple[ExitWaveShardSpec, Path]:
    """Draw a scene and simulate it."""
    scene = StructureShardSpec(recipe=RECIPE, start=0, stop=1)
    spec = ExitWaveShardSpec(structure_series=RECIPE.series, simulation=SIMULATION, start=0, stop=1)
    structure, waves = folder / f"{scene.id}.extxyz", folder / f"{spec.id}.zarr.zip"
    build(scene, structure)
    simulate(spec, structure, waves, device="cpu")
    return spec, waves


def stored(folder: Path, spec: ExitWaveShardSpec, waves: Path, dose: float) -> dict[str, float]:
    """Image the scene, and tell what the image takes."""
    dataset = DatasetSpec(
        exit_wave_series=spec.series,
        n_structures=1,
        condition=Condition(defocus_A=80, dose_e_per_A2=dose, focal_spread_A=30),
        imaging=Imaging(pixel_size_A=0.2, store_noise_free=True),
        labels=Labels(),
    )
    output = folder / f"{dataset.id}.zarr.zip"
    image(dataset, [waves], output, device="cpu")
    data = store.read_zarr(output)
    counts, means = data.counts.values[0], data.expected_counts.values[0]
    pixels = counts.size
    (codec,) = data.counts.encoding["compressors"]
    taken = len(codec._blosc_codec.encode(counts)) / pixels
    histogram = entropy(np.bincount(counts.ravel()), base=2) / 8
    # the noise's own, over a sample of pixels
    sample = np.random.default_rng(0).choice(means.ravel(), 2000)
    noise = float(np.mean(poisson(sample).entropy()) / np.log(2) / 8) if dose < 5000 else np.nan
    name = f"{dose:g} e/Å²"
    return {
        f"{name}: mean [e/px]": float(means.mean()),
        f"{name}: stored [B/px]": taken,
        f"{name}: stored / entropy": taken / histogram,
        f"{name}: stored / noise's entropy": taken / noise,
        f"{name}: float32 / stored": 4 / taken,
    }


def share_of_checks(folder: Path) -> dict[str, float]:
    """Tell what share of a dataset job goes into checks of what it maps."""
    simulation = SIMULATION.model_copy(update={"sampling_A": 0.1, "n_frozen_phonons": 8})
    spec = ExitWaveShardSpec(structure_series="s", simulation=simulation, start=0, stop=STRUCTURES)
    dataset = DatasetSpec(
        exit_wave_series=spec.series,
        n_structures=STRUCTURES,
        condition=Condition(defocus_A=80, dose_e_per_A2=400, focal_spread_A=30),
        imaging=Imaging(pixel_size_A=0.2),
        labels=Labels(),
    )
    waves, output = folder / f"{spec.id}.zarr.zip", folder / f"{dataset.id}.zarr.zip"
    empty, rng = empty_dataset(spec, 128.0), np.random.default_rng(0)
    shape = empty.exit_wave.shape[1:]
    one = SimulatedStructure(
        1 + rng.normal(0, 0.1, (*shape, 2)).astype(np.float32).view(np.complex64)[..., 0],
        rng.random(shape[1:], np.float32),
        0.0,
    )
    with store.writing_zarr(waves) as writer:
        writer.finalize(write_waves(writer, empty, [one] * STRUCTURES), {"id": spec.id})

    def job() -> tuple[float, float]:
        """Return the seconds of reading planes, and of the whole."""
        with timed_calls((checksum, "copy_with_checksum")) as seconds:
            begin = process_time()
            image(dataset, [waves], output, device="cpu")
            return sum(seconds), process_time() - begin

    def without_checks() -> tuple[float, float]:
        with (
            patch.object(checksum, "copy_with_checksum", lambda source, target: np.copyto(target, source)),
            patch.object(MappedRow, "_compare", lambda *_: None),
        ):
            return job()

    job()  # compiles
    rounds = np.array([[*job(), *without_checks()] for _ in range(ROUNDS)])
    checked, whole, plain, _ = np.median(rounds, axis=0)
    return {SHARE: 100 * (checked - plain) / whole}


def main() -> None:
    """Measure and report."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        spec, waves = exit_waves(Path(name))
        for dose in DOSES:
            figures |= stored(Path(name), spec, waves, dose)
        figures |= share_of_checks(Path(name))
    figures = {key: float(value) for key, value in figures.items() if np.isfinite(value)}
    report(
        "storage",
        figures,
        [
            Budget("400 e/Å²: stored / entropy", 1.15, "max"),
            Budget("400 e/Å²: float32 / stored", 7.0, "min"),
            Budget(SHARE, 3.0, "max"),
        ],
        [
            "One 640 × 640 px image of a 12.8 nm scene at 0.2 Å per dose. Above 255 electrons per pixel counts take two bytes.",
            f"Checks: a dataset of {STRUCTURES} structures of 8 phonons, 45 MB each; median of {ROUNDS} rounds.",
        ],
    )


if __name__ == "__main__":
    main()
