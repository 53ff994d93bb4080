"""Stage `image`: the images and labels of a structure set under one condition."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from hrtem_ood import progress, store
from hrtem_ood.campaign.identity import canonical_json, seed_sequence
from hrtem_ood.campaign.specs import ImageSpec
from hrtem_ood.device import ArrayModule, Device, array_module
from hrtem_ood.errors import ArtefactError, ConfigError
from hrtem_ood.imaging.image import apply_dose, image_intensity
from hrtem_ood.imaging.labels import label_mask
from hrtem_ood.imaging.lens import Lens
from hrtem_ood.optics.fourier import crop_spectrum
from hrtem_ood.optics.wavelength import electron_wavelength_A

BATCH_BYTES = 2**23
"""Exit waves that are transformed at once [B]: many small structures, or one large one."""


def batches(spec: ImageSpec, shards: Sequence[Path]) -> Iterator[xr.Dataset]:
    """Read the first structures of a series of exit waves in order, a few at a time.

    Parameters
    ----------
    spec : ImageSpec
    shards : sequence of Path
        Exit-wave shards in order of structure.

    Yields
    ------
    xarray.Dataset
        Some structures in memory.

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
            for start in range(0, wanted, step):
                yield waves.isel(structure=slice(start, min(start + step, wanted))).load()
            expected += len(present)
        if expected >= spec.structures:
            return
    raise ArtefactError(
        f"dataset {spec.id} needs {spec.structures} structures, but {', '.join(map(str, shards)) or 'no shard'} "
        f"hold {expected}."
    )


def defocus_of(spec: ImageSpec, structure: int, zero_defocus_A: float) -> float:
    """Defocus of one image: the structure's zero defocus, the condition's defocus, and its jitter.

    Parameters
    ----------
    spec : ImageSpec
    structure : int
    zero_defocus_A : float, [Å]

    Returns
    -------
    float, [Å]
    """
    condition = spec.condition
    rng = np.random.default_rng(seed_sequence(spec.series, structure, 0))
    return zero_defocus_A + condition.defocus_A + condition.defocus_sd_A * float(rng.standard_normal())


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


def image_batch(
    spec: ImageSpec, waves: xr.Dataset, lens: Lens, size: int, am: ArrayModule
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, list[float]]:
    """Image some structures.

    Parameters
    ----------
    spec : ImageSpec
    waves : xarray.Dataset
        From :func:`batches`.
    lens : Lens
    size : int, [px]
    am : ArrayModule

    Returns
    -------
    counts : list of uint array, (y, x), [e/px]
    expected : float32 array, (image, y, x), [e/px]
        What the counts were drawn from.
    labels : uint8 array, (image, y, x), [1]
    defocus_A : list of float, [Å]
    """
    structures = waves.structure.values.tolist()
    pixel_A, labels = spec.imaging.pixel_A, spec.labels
    defoci = [
        defocus_of(spec, i, zero) for i, zero in zip(structures, waves.zero_defocus_A.values.tolist(), strict=True)
    ]
    spectra = crop_spectrum(am.fft.fft2(am.xp.asarray(waves.exit_wave.values)), (size, size), am.xp)
    transfer = am.xp.stack([lens.transfer(defocus_A) for defocus_A in defoci])
    intensity = am.to_numpy(image_intensity(spectra, transfer, am))
    counts = [
        apply_dose(
            image,
            dose_e_per_A2=spec.condition.dose_e_per_A2,
            pixel_A=pixel_A,
            rng=np.random.default_rng(seed_sequence(spec.series, structure, 1)),
        )
        for structure, image in zip(structures, intensity, strict=True)
    ]
    masks = label_mask(
        am.xp.asarray(waves.particle_phase.values),
        size=size,
        pixel_A=pixel_A,
        phase_threshold_rad=labels.phase_threshold_rad,
        blur_A=labels.blur_A,
        coverage=labels.coverage,
        am=am,
    )
    expected = intensity * np.float32(spec.condition.dose_e_per_A2 * pixel_A**2)
    return counts, expected, am.to_numpy(masks), defoci


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
        Where images are formed; counts are always drawn by NumPy. It has never run on a GPU.
    """
    begin, am = time.monotonic(), array_module(device)
    counts: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    defocus_A: list[float] = []
    lens, size = None, 0
    progress.log(f"images: {spec.structures} of {spec.condition.label}")
    for waves in batches(spec, exit_waves):
        if lens is None:
            size = image_size(spec, waves)
            wavelength_A = electron_wavelength_A(waves.attrs["energy_eV"])
            lens = Lens.of(spec.condition, size=size, pixel_A=spec.imaging.pixel_A, wavelength_A=wavelength_A, am=am)
        new = image_batch(spec, waves, lens, size, am)
        counts += new[0]
        expected += [new[1]] if spec.imaging.expected_counts else []
        labels.append(new[2])
        defocus_A += new[3]
    # stacking takes the widest of the images' types
    dataset = _dataset(spec, np.stack(counts), np.concatenate(labels), defocus_A)
    if expected:
        _add_expected(dataset, np.concatenate(expected))
    dataset.attrs["energy_eV"] = waves.attrs["energy_eV"]
    seconds = time.monotonic() - begin
    store.write_zarr(output, dataset, store.provenance(spec, seconds=seconds, device=am.name))
    progress.log(f"images: done in {seconds:.1f} s")


def _dataset(spec: ImageSpec, counts: np.ndarray, labels: np.ndarray, defocus_A: list[float]) -> xr.Dataset:
    position = np.arange(counts.shape[-1]) * spec.imaging.pixel_A
    axes = ("image", "y", "x")
    dataset = xr.Dataset(
        {
            "counts": (axes, counts, {"long_name": "electron counts", "units": "e/px"}),
            "label": (axes, labels, {"long_name": "particle (1) or not (0)", "units": "1"}),
            "defocus_A": ("image", np.array(defocus_A, np.float32), {"long_name": "defocus", "units": "Å"}),
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
    for name in ("counts", "label"):
        _encode(dataset[name])
    return dataset


def _add_expected(dataset: xr.Dataset, expected: np.ndarray) -> None:
    attributes = {"long_name": "expected electron counts", "units": "e/px"}
    dataset["expected_counts"] = (("image", "y", "x"), expected, attributes)
    _encode(dataset["expected_counts"])


def _encode(variable: xr.DataArray) -> None:
    codec = BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=variable.dtype.itemsize)
    variable.encoding = {"chunks": (1, *variable.shape[1:]), "compressors": [codec]}
