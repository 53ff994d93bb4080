"""Stage `image`: the images and labels of a structure set under one condition."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hrtem_ood import progress
from hrtem_ood.array_module import Device, array_module
from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.identity import canonical_json, seed_sequence
from hrtem_ood.artifacts.zarr_mmap import MappedRow, memmap_rows
from hrtem_ood.campaign.specs import DatasetSpec
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.out_of_memory import explain_out_of_memory
from hrtem_ood.physics.imaging.count_codecs import best_codec
from hrtem_ood.physics.imaging.label_mask import label_mask
from hrtem_ood.physics.imaging.microscope import Microscope, sample_condition
from hrtem_ood.physics.optics.condition import parameter_unit
from hrtem_ood.physics.optics.fourier import cropped_spectra
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.transfers import IN_TURN, downloading, host_workers

Finished = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Counts, label and, if they are stored, expected counts of an image."""

MOST_PENDING = 8
"""Images that the device may be ahead of the host."""


@dataclass(frozen=True)
class ExitWave:
    """The exit wave of one structure, with the quantities that imaging and labels need.

    Attributes
    ----------
    structure : int
    zero_defocus_A : float, [Å]
    waves : complex64 array or MappedRow, (phonon, y, x), [1]
    particle_phase : float32 array, (y, x), [rad]
    """

    structure: int
    zero_defocus_A: float
    waves: np.ndarray | MappedRow
    particle_phase: np.ndarray


def iter_exit_waves(spec: DatasetSpec, shards: Sequence[Path]) -> Iterator[tuple[dict[str, Any], ExitWave]]:
    """Read the first structures of a series of exit waves in order.

    Parameters
    ----------
    spec : DatasetSpec
    shards : sequence of Path
        Exit-wave shards in order of structure.

    Yields
    ------
    dict
        The shard's attributes.
    ExitWave
        Its arrays are views of the file, where that is possible.

    Raises
    ------
    ArtifactError
        Where a shard belongs to other exit waves, is out of order, or structures are missing.
    """
    expected = 0
    for path in shards:
        with store.open_zarr(path, dask=False) as shard:
            if shard.attrs.get("series") != spec.exit_wave_series:
                raise ArtifactError(f"{path} holds exit waves of another series than that of dataset {spec.id}.")
            present = shard.structure.values.tolist()
            if present != list(range(expected, expected + len(present))):
                raise ArtifactError(
                    f"{path} holds structures {present[0]} to {present[-1]}, but structure {expected} comes next: "
                    "give the exit-wave shards in order, each once."
                )
            zero_defocus_A = shard.zero_defocus_A.values.tolist()
            waves, phases = (_rows(path, shard[name]) for name in ("exit_wave", "particle_phase"))
            for row in range(min(len(present), spec.n_structures - expected)):
                phase = phases(row)
                phase = phase.read() if isinstance(phase, MappedRow) else phase
                yield shard.attrs, ExitWave(present[row], zero_defocus_A[row], waves(row), phase)
            expected += len(present)
        if expected >= spec.n_structures:
            return
    raise ArtifactError(
        f"dataset {spec.id} needs {spec.n_structures} structures, but {', '.join(map(str, shards)) or 'no shard'} "
        f"hold {expected}."
    )


def _rows(path: Path, array: xr.DataArray) -> Callable[[int], np.ndarray | MappedRow]:
    """Return a function that reads and checks a row of an array, without a copy where it is stored uncompressed."""
    return memmap_rows(path, str(array.name)) or (lambda row: np.asarray(array[row].values))


def image_size(spec: DatasetSpec, points: int, sampling_A: float) -> int:
    """Side of the images [px].

    Raises
    ------
    ConfigError
        Where the pixel does not divide the cell, or is finer than what was simulated.
    """
    cell_A, pixel_size_A = points * sampling_A, spec.imaging.pixel_size_A
    size = round(cell_A / pixel_size_A)
    if abs(size * pixel_size_A - cell_A) > 1e-4 * pixel_size_A:
        raise ConfigError(
            f"imaging.pixel_size_A: {pixel_size_A:g} Å does not divide the cell of {cell_A:g} Å; {cell_A / size:.6g} Å would."
        )
    if size * spec.imaging.oversampling > points:
        fraction = f" / {spec.imaging.oversampling} (oversampling)" if spec.imaging.oversampling > 1 else ""
        raise ConfigError(
            f"imaging.pixel_size_A: {pixel_size_A:g} Å{fraction} is finer than the exit waves, which carry no more than "
            f"{sampling_A:.4g} Å "
            "pixels hold; use larger pixels, or a smaller simulation.sampling_A."
        )
    return size


@dataclass
class ImageBuffer:
    """Images of the structures processed so far, in order.

    Attributes
    ----------
    counts : list of uint array, (y, x), [e/px]
    labels : list of uint8 array, (y, x), [1]
    varied : dict of str to list of float
        By name, the values for each image of the defocus [Å], from the exit plane, and of every parameter with jitter.
    expected : list of float32 array, (y, x), [e/px]
        Expected counts, from which counts are drawn; empty unless the configuration stores them.
    pending : deque of Future
        Counts, label and expected counts of the latest images, while the host works at them.
    """

    counts: list[np.ndarray] = field(default_factory=list)
    labels: list[np.ndarray] = field(default_factory=list)
    varied: dict[str, list[float]] = field(default_factory=dict)
    expected: list[np.ndarray] = field(default_factory=list)
    pending: deque[Future[Finished]] = field(default_factory=deque)

    def collect(self, most: int = 0) -> None:
        """Wait until at most so many images are pending."""
        while len(self.pending) > most:
            counts, label, expected = self.pending.popleft().result()
            self.counts.append(counts)
            self.labels.append(label)
            if expected is not None:
                self.expected.append(expected)


def form_image(
    spec: DatasetSpec, exit_wave: ExitWave, microscope: Microscope, images: ImageBuffer, workers: Executor = IN_TURN
) -> None:
    """Image one structure.

    Parameters
    ----------
    spec : DatasetSpec
    exit_wave : ExitWave
    microscope : Microscope
    images : ImageBuffer
        To which its image is added, or is pending if there are workers.
    workers : Executor
        Threads of the host that read waves on their way to a GPU and draw counts.
    """
    am, size, pixel_size_A = microscope.am, microscope.size, spec.imaging.pixel_size_A
    condition = sample_condition(spec.condition, spec.series, exit_wave.structure)
    defocus_A = exit_wave.zero_defocus_A + condition.defocus_A
    spectra = cropped_spectra(exit_wave.waves, microscope.wave_size, am, workers)
    mask = label_mask(
        am.xp.asarray(exit_wave.particle_phase),
        size=size,
        pixel_size_A=pixel_size_A,
        phase_threshold_rad=spec.labels.phase_threshold_rad,
        blur_A=spec.labels.blur_A,
        mask_threshold=spec.labels.mask_threshold,
        am=am,
    )
    arriving = [downloading(each, am) for each in (microscope.intensity(spectra, condition, defocus_A), mask)]
    dose, structure = condition.dose_e_per_A2, exit_wave.structure

    def finish() -> Finished:
        intensity, label = (wait() for wait in arriving)
        rng = np.random.default_rng(seed_sequence(spec.series, structure, 1))
        counts = microscope.response.detect(intensity, dose_e_per_A2=dose, pixel_size_A=pixel_size_A, rng=rng)
        expected = intensity * np.float32(dose * pixel_size_A**2) if spec.imaging.store_noise_free else None
        return counts, label.copy(), expected  # not page-locked memory, which is scarce

    images.pending.append(workers.submit(finish))
    images.collect(0 if workers is IN_TURN else MOST_PENDING)
    values = {name: getattr(condition, name) for name in spec.condition.jitter} | {"defocus_A": defocus_A}
    for name, value in values.items():
        images.varied.setdefault(name, []).append(value)


def image(spec: DatasetSpec, exit_waves: Sequence[Path], output: Path, *, device: Device) -> None:
    """Image the first structures of a series of exit waves under one condition, and label them.

    Parameters
    ----------
    spec : DatasetSpec
    exit_waves : sequence of Path
        Exit-wave shards in order of structure.
    output : Path
        The dataset, ``.zarr.zip``.
    device : {"auto", "cpu", "gpu"}
        Where images are formed; counts are always drawn on the host, in as many threads as the job has
        (:func:`~hrtem_ood.physics.transfers.host_workers`). Their number changes nothing in the images.
    """
    begin, am = time.monotonic(), array_module(device)
    microscope, images = None, ImageBuffer()
    progress.log(f"images: {spec.n_structures} of {spec.condition.label}; device: {am.device_name}")
    advice = "Use a larger imaging.pixel_size_A, a smaller cell_A or fewer execution.jobs_per_gpu; or more memory."
    waves_made_on: set[str] = set()
    with host_workers() as workers, explain_out_of_memory(f"imaging {spec.condition.label}", advice):
        for attributes, exit_wave in iter_exit_waves(spec, exit_waves):
            waves_made_on.add(store.made_on(attributes))
            if microscope is None:
                wavelength_A, sampling_A = (
                    electron_wavelength_A(attributes["energy_eV"]),
                    float(attributes["sampling_A"]),
                )
                size = image_size(spec, exit_wave.particle_phase.shape[-1], sampling_A)
                microscope = Microscope(spec.imaging, size, wavelength_A, 1 / (2 * sampling_A), am)
            form_image(spec, exit_wave, microscope, images, workers)
        images.collect()
    dataset = _dataset(spec, images)
    dataset.attrs["energy_eV"] = attributes["energy_eV"]
    seconds = time.monotonic() - begin
    provenance = store.provenance(
        spec, seconds=seconds, device=am.device_name, software=am.software, inputs_made_on=waves_made_on
    )
    store.write_zarr(output, dataset, provenance)
    progress.log(f"images: done in {seconds:.1f} s")


def check_not_blank(spec: DatasetSpec, counts: np.ndarray) -> None:
    """Check that images have more than one value: training on constant images would give no error, but no result either.

    Parameters
    ----------
    spec : DatasetSpec
    counts : uint array, (image, y, x), [e/px]

    Raises
    ------
    ConfigError
        Gives dataset, condition and keys.
    """
    if counts.min() == counts.max():
        raise ConfigError(
            f"dataset {spec.id} is blank: all pixels of all {len(counts)} images under {spec.condition.label} are "
            f"{counts.flat[0]}. Use a higher dose_e_per_A2, another imaging.detector.gain, or thicker structures."
        )


def _dataset(spec: DatasetSpec, images: ImageBuffer) -> xr.Dataset:
    # stacking takes the widest of the images' types
    counts, labels = np.stack(images.counts), np.stack(images.labels)
    check_not_blank(spec, counts)
    position = np.arange(counts.shape[-1]) * spec.imaging.pixel_size_A
    axes, unit = ("image", "y", "x"), "e/px" if spec.imaging.detector is None else "1"
    dataset = xr.Dataset(
        {
            "counts": (axes, counts, {"long_name": "electron counts", "units": unit}),
            "label": (axes, labels, {"long_name": "particle (1) or not (0)", "units": "1"}),
        },
        coords={
            "image": np.arange(len(counts)),
            "y": ("y", position, {"units": "Å"}),
            "x": ("x", position, {"units": "Å"}),
        },
        attrs={
            "condition": canonical_json(spec.condition.model_dump()),
            "pixel_size_A": spec.imaging.pixel_size_A,
            "sha256_of_images": store.arrays_sha256(counts, labels),
        },
    )
    for name, values in images.varied.items():
        attributes = {"long_name": "defocus from the exit plane" if name == "defocus_A" else f"{name} of the image"}
        dataset[name] = ("image", np.array(values, np.float32), attributes | {"units": parameter_unit(name)})
    if images.expected:
        attributes = {"long_name": "expected electron counts", "units": "e/px"}
        dataset["expected_counts"] = (axes, np.stack(images.expected), attributes)
    for name in {"counts", "label", "expected_counts"} & set(dataset.data_vars):
        dataset[name].encoding = {"chunks": (1, *counts.shape[1:]), "compressors": [best_codec(dataset[name].values)]}
    return dataset
