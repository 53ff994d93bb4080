"""Stage `image`: the images and labels of a structure set under one condition."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from hrtem_ood import progress, store
from hrtem_ood.campaign.condition import unit_of
from hrtem_ood.campaign.identity import canonical_json, seed_sequence
from hrtem_ood.campaign.specs import ImageSpec
from hrtem_ood.device import Device, array_module
from hrtem_ood.errors import ArtefactError, ConfigError
from hrtem_ood.imaging.labels import label_mask
from hrtem_ood.imaging.microscope import Microscope, condition_of
from hrtem_ood.optics.fourier import cropped_spectra
from hrtem_ood.optics.wavelength import electron_wavelength_A

BATCH_BYTES = 2**23
"""Exit waves that are transformed at once [B]: many small structures, or one large one."""


def batches(spec: ImageSpec, shards: Sequence[Path]) -> Iterator[tuple[xr.Dataset, Sequence[np.ndarray]]]:
    """Read the first structures of a series of exit waves in order, a few at a time.

    Parameters
    ----------
    spec : ImageSpec
    shards : sequence of Path
        Exit-wave shards in order of structure.

    Yields
    ------
    xarray.Dataset
        All but the waves of some structures, in memory.
    sequence of complex64 array, (phonon, y, x)
        Their waves, in memory or a view of the file.

    Raises
    ------
    ArtefactError
        Where a shard belongs to other exit waves, is out of order, or structures are missing.
    """
    expected = 0
    for path in shards:
        with store.open_zarr(path) as waves:
            if waves.attrs.get("series") != spec.waves:
                raise ArtefactError(f"{path} holds exit waves of another series than dataset {spec.id} is made of.")
            present = waves.structure.values.tolist()
            if present != list(range(expected, expected + len(present))):
                raise ArtefactError(
                    f"{path} holds structures {present[0]} to {present[-1]}, but structure {expected} comes next: "
                    "give the exit-wave shards in order, each once."
                )
            wanted = min(len(present), spec.structures - expected)
            step = max(1, BATCH_BYTES // waves.exit_wave[0].nbytes)
            mapped = store.mapped_rows(path, "exit_wave")
            for start in range(0, wanted, step):
                stop = min(start + step, wanted)
                part = waves.isel(structure=slice(start, stop))
                views = [mapped(row) for row in range(start, stop)] if mapped else part.exit_wave.values
                yield part.drop_vars("exit_wave").load(), views
            expected += len(present)
        if expected >= spec.structures:
            return
    raise ArtefactError(
        f"dataset {spec.id} needs {spec.structures} structures, but {', '.join(map(str, shards)) or 'no shard'} "
        f"hold {expected}."
    )


def image_size(spec: ImageSpec, waves: xr.Dataset) -> int:
    """Side of the images [px].

    Raises
    ------
    ConfigError
        Where the pixel does not divide the cell, or is finer than what was simulated.
    """
    points, sampling_A = waves.sizes["x"], float(waves.attrs["sampling_A"])
    cell_A, pixel_A = points * sampling_A, spec.imaging.pixel_A
    size = round(cell_A / pixel_A)
    if abs(size * pixel_A - cell_A) > 1e-4 * pixel_A:
        raise ConfigError(
            f"imaging.pixel_A: {pixel_A:g} Å does not divide the cell of {cell_A:g} Å; {cell_A / size:.6g} Å would."
        )
    if size > points:
        raise ConfigError(
            f"imaging.pixel_A: {pixel_A:g} Å is finer than the exit waves, which carry no more than {sampling_A:.4g} Å "
            "pixels hold; use larger pixels, or a smaller simulation.sampling_A."
        )
    return size


@dataclass
class Images:
    """Images of structures in order, as far as they are made.

    Attributes
    ----------
    counts : list of uint array, (y, x), [e/px]
    labels : list of uint8 array, (image, y, x), [1]
    varied : dict of str to list of float
        By name, the values that each image has of the defocus [Å], from the exit plane, and of whatever else jitters.
    expected : list of float32 array, (y, x), [e/px]
        What the counts were drawn from, where that is asked for.
    """

    counts: list[np.ndarray] = field(default_factory=list)
    labels: list[np.ndarray] = field(default_factory=list)
    varied: dict[str, list[float]] = field(default_factory=dict)
    expected: list[np.ndarray] = field(default_factory=list)


def image_batch(
    spec: ImageSpec, waves: xr.Dataset, views: Sequence[np.ndarray], microscope: Microscope, images: Images
) -> None:
    """Image some structures.

    Parameters
    ----------
    spec : ImageSpec
    waves : xarray.Dataset
    views : sequence of complex64 array, (phonon, y, x)
        From :func:`batches`.
    microscope : Microscope
    images : Images
        To which theirs are added.
    """
    am, size, pixel_A = microscope.am, microscope.size, spec.imaging.pixel_A
    for place, structure in enumerate(waves.structure.values.tolist()):
        condition = condition_of(spec.condition, spec.series, structure)
        defocus_A = float(waves.zero_defocus_A[place]) + condition.defocus_A
        spectra = cropped_spectra(views[place], size, am)
        intensity = am.to_numpy(microscope.intensity(spectra, condition, defocus_A))
        dose = condition.dose_e_per_A2
        rng = np.random.default_rng(seed_sequence(spec.series, structure, 1))
        images.counts.append(microscope.response.count(intensity, dose_e_per_A2=dose, pixel_A=pixel_A, rng=rng))
        if spec.imaging.expected_counts:
            images.expected.append(intensity * np.float32(dose * pixel_A**2))
        values = {name: getattr(condition, name) for name in spec.condition.jitter} | {"defocus_A": defocus_A}
        for name, value in values.items():
            images.varied.setdefault(name, []).append(value)
    masks = label_mask(
        am.xp.asarray(waves.particle_phase.values),
        size=size,
        pixel_A=pixel_A,
        phase_threshold_rad=spec.labels.phase_threshold_rad,
        blur_A=spec.labels.blur_A,
        coverage=spec.labels.coverage,
        am=am,
    )
    images.labels.append(am.to_numpy(masks))


def image(spec: ImageSpec, exit_waves: Sequence[Path], output: Path, *, device: Device) -> None:
    """Image the first structures of a series of exit waves under one condition, and label them.

    Parameters
    ----------
    spec : ImageSpec
    exit_waves : sequence of Path
        Exit-wave shards in order of structure.
    output : Path
        The dataset, ``.zarr.zip``.
    device : {"auto", "cpu", "gpu"}
        Where images are formed; counts are always drawn on the host. It has never run on a GPU.
    """
    begin, am = time.monotonic(), array_module(device)
    microscope, images = None, Images()
    progress.log(f"images: {spec.structures} of {spec.condition.label}")
    for waves, views in batches(spec, exit_waves):
        if microscope is None:
            wavelength_A = electron_wavelength_A(waves.attrs["energy_eV"])
            band_per_A = 1 / (2 * waves.attrs["sampling_A"])
            microscope = Microscope(spec.imaging, image_size(spec, waves), wavelength_A, band_per_A, am)
        image_batch(spec, waves, views, microscope, images)
    dataset = _dataset(spec, images)
    dataset.attrs["energy_eV"] = waves.attrs["energy_eV"]
    seconds = time.monotonic() - begin
    store.write_zarr(output, dataset, store.provenance(spec, seconds=seconds, device=am.name))
    progress.log(f"images: done in {seconds:.1f} s")


def _dataset(spec: ImageSpec, images: Images) -> xr.Dataset:
    # stacking takes the widest of the images' types
    counts, labels = np.stack(images.counts), np.concatenate(images.labels)
    position = np.arange(counts.shape[-1]) * spec.imaging.pixel_A
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
            "pixel_A": spec.imaging.pixel_A,
            "sha256_of_images": store.arrays_sha256(counts, labels),
        },
    )
    for name, values in images.varied.items():
        told = {"long_name": "defocus from the exit plane" if name == "defocus_A" else f"{name} of the image"}
        dataset[name] = ("image", np.array(values, np.float32), told | {"units": unit_of(name)})
    if images.expected:
        told = {"long_name": "expected electron counts", "units": "e/px"}
        dataset["expected_counts"] = (axes, np.stack(images.expected), told)
    for name in {"counts", "label", "expected_counts"} & set(dataset.data_vars):
        dataset[name].encoding = {"chunks": (1, *counts.shape[1:]), "compressors": [smallest(dataset[name].values)]}
    return dataset


def codecs(itemsize: int) -> tuple[BloscCodec, ...]:
    """Codecs that suit counts: the entropy coder of zstd alone, and, for images with few electrons, bits by planes."""
    return (
        BloscCodec(cname="zstd", clevel=1, shuffle="shuffle", typesize=itemsize, blocksize=2**30),
        BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=itemsize),
    )


def smallest(images: np.ndarray) -> BloscCodec:
    """Choose the codec that makes the first image smallest."""
    choices = codecs(images.dtype.itemsize)
    sizes = [len(codec._blosc_codec.encode(np.ascontiguousarray(images[0]))) for codec in choices]
    return choices[int(np.argmin(sizes))]
