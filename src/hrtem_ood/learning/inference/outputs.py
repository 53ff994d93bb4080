"""What a run writes: names of files that take nothing from others, and images with their pixel size."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.inference.condition_assessment import ASSESSMENT_FILE
from hrtem_ood.learning.inference.figures import draw_segmentation
from hrtem_ood.learning.inference.segment_micrographs import Segmentation

ENDINGS: Mapping[str, str] = {
    "probability": ".tif",
    "mask": "_mask.tif",
    "labels": "_labels.tif",
    "confidence": "_confidence.tif",
    "particles": ".csv",
    "picture": ".png",
}
"""What is written per image, by what follows its name."""

RECORD_FILE, PAGE_FILE, TABLE_FILE = "run.json", "index.html", "all_particles.csv"
"""What is written per run: its record, its page, and the particles of all images."""

_GATAN_UNITS, _GATAN_SCALES = (65003, 65004), (65009, 65010)


def output_paths(folder: Path, name: str) -> dict[str, Path]:
    """Return the files of an image, by :data:`ENDINGS`."""
    return {kind: folder / f"{name}{ending}" for kind, ending in ENDINGS.items()}


def distinct_names(images: Sequence[Path]) -> dict[Path, str]:
    """Name images by their files, without the suffix; those of one name by as many folders, and the suffix, as tell them apart.

    Parameters
    ----------
    images : sequence of Path
        Files, each once.

    Returns
    -------
    dict of Path to str
    """
    by_stem: dict[str, list[Path]] = {}
    for path in images:
        by_stem.setdefault(path.stem, []).append(path)
    return {path: name for group in by_stem.values() for path, name in zip(group, _told_apart(group), strict=True)}


def _told_apart(group: Sequence[Path]) -> list[str]:
    """Name files of one stem: by it alone, with their suffixes, with their folder, with both, with two folders, and so on."""
    names = [path.stem for path in group]
    for depth in range(max(len(path.resolve().parts) for path in group)):
        folders = [path.resolve().parts[-1 - depth : -1] for path in group]
        for suffixed in (False, True):
            names = [
                "_".join([*folder, path.stem, *([path.suffix[1:]] if suffixed else [])])
                for folder, path in zip(folders, group, strict=True)
            ]
            if len(set(names)) == len(group):
                return names
    return names  # claiming them tells of the second


class Claims:
    """Which input each output belongs to, so that none is written over an input, or over what another image writes.

    Attributes
    ----------
    names : dict of Path to str
        Of the images, see :func:`distinct_names`.

    Parameters
    ----------
    images : sequence of Path
        All inputs.
    output : Path
        Folder.

    Raises
    ------
    ConfigError
        Where outputs would take the place of others, as far as names tell before files are read.
    """

    def __init__(self, images: Sequence[Path], output: Path) -> None:
        self.names = distinct_names(images)
        self._inputs = {path.resolve() for path in images}
        names = (ASSESSMENT_FILE, RECORD_FILE, PAGE_FILE, TABLE_FILE)
        self._of_run = {(output / name).resolve(): output / name for name in names}
        self._taken = {path.resolve(): path for path in images} | self._of_run
        before = dict(self._taken)
        for path in images:
            self.claim(output_paths(output, self.names[path]), path)
        self._taken = before  # images of stacks have other names

    def claim(self, outputs: Mapping[str, Path], source: Path) -> None:
        """Note that an image's outputs are taken.

        Parameters
        ----------
        outputs : mapping of str to Path
        source : Path
            The image's file.

        Raises
        ------
        ConfigError
        """
        for path in outputs.values():
            other = self._taken.setdefault(path.resolve(), source)
            if other is not source or path.resolve() == source.resolve():
                over = path.resolve() in self._inputs
                if path.resolve() in self._of_run:
                    raise ConfigError(
                        f"{source}: its {path} is a file of the whole run. Give the micrograph another name."
                    )
                raise ConfigError(
                    f"{source}: its {path} would be written over {'an input' if over else f'that of {other}'}. "
                    + ("Give another --output." if over else "Predict the two one by one, with another --output.")
                )


def check_nothing_is_there(images: Sequence[Path], output: Path, *, assessed: bool) -> None:
    """Check that no file of a run exists.

    Parameters
    ----------
    images : sequence of Path
        Inputs.
    output : Path
        Folder.
    assessed : bool
        Whether the run draws a stated condition.

    Raises
    ------
    ConfigError
        Names the first file.
    """
    there = {path.name for path in output.iterdir()} if output.is_dir() else set()
    names = [RECORD_FILE, PAGE_FILE, TABLE_FILE, *([ASSESSMENT_FILE] if assessed else [])]
    taken = sorted({*there.intersection(names), *_outputs_there(there, {*distinct_names(images).values()})})
    if taken:
        more = f", and {len(taken) - 1} more files of this run" if len(taken) > 1 else ""
        raise ConfigError(
            f"{output / taken[0]} exists{more}. Give another --output, or --overwrite to replace what is there."
        )


def _outputs_there(there: set[str], stems: set[str]) -> Iterator[str]:
    """Yield the names that belong to inputs, those of images of a stack included."""
    for name in there:
        for ending in ENDINGS.values():
            base = name.removesuffix(ending)
            if base != name and (base in stems or re.sub(r"_\d+$", "", base) in stems):
                yield name


def write_outputs(outputs: Mapping[str, Path], result: Segmentation, name: str, network: str) -> None:
    """Write the files of an image.

    Parameters
    ----------
    outputs : mapping of str to Path
        See :func:`output_paths`.
    result : Segmentation
    name : str
        Of the image.
    network : str
        Id.
    """
    pixel = result.pixel_size_A
    note = f"image: {name}\nnetwork: {network}\n"
    store.write_bytes(outputs["probability"], tiff(result.probability, pixel, f"{note}probability of particle"))
    store.write_bytes(outputs["mask"], tiff(result.mask, pixel, f"{note}1 where the probability is above one half"))
    store.write_bytes(outputs["labels"], tiff(_narrow(result.labels), pixel, f"{note}numbers of the particles"))
    store.write_bytes(outputs["confidence"], tiff(result.confidence, pixel, f"{note}1 - H(p) / ln 2"))
    with store.atomic_replace(outputs["particles"]) as temporary:
        result.measurements.write_csv(temporary)
    picture = draw_segmentation(
        result.image, result.probability, result.labels, result.particles,
        pixel_size_A=pixel, title=name, network=network,
    )  # fmt: skip
    store.write_bytes(outputs["picture"], picture)


def _narrow(labels: NDArray[np.int32]) -> NDArray[np.uint16] | NDArray[np.uint32]:
    return labels.astype(np.uint16) if labels.max(initial=0) < 2**16 else labels.astype(np.uint32)


def tiff(values: NDArray[Any], pixel_size_A: float, note: str = "") -> bytes:
    """Encode an image as a TIFF that tells its pixel in nm to Fiji, HyperSpy and Digital Micrograph.

    Parameters
    ----------
    values : float32, uint8, uint16 or uint32 array, (y, x)
    pixel_size_A : float, [Å]
    note : str
        Shown by Fiji under Image, Show Info.

    Returns
    -------
    bytes
        An ImageJ TIFF; of uint32, which ImageJ does not have, a TIFF with its resolution in pixels per cm.
    """
    import tifffile

    buffer = io.BytesIO()
    nm = pixel_size_A / 10
    gatan: list[Any] = [(tag, "s", 0, "nm", True) for tag in _GATAN_UNITS]  # HyperSpy knows these, not ImageJ's nm
    gatan += [(tag, "d", 1, nm, True) for tag in _GATAN_SCALES]
    if values.dtype == np.uint32:
        tifffile.imwrite(
            buffer, values, resolution=(1e7 / nm, 1e7 / nm), resolutionunit="CENTIMETER", description=note,
            metadata=None, extratags=gatan,
        )  # fmt: skip
    else:
        tifffile.imwrite(
            buffer, values, imagej=True, resolution=(1 / nm, 1 / nm), resolutionunit="NONE",
            metadata={"unit": "nm", "axes": "YX"} | ({"Info": note} if note else {}), extratags=gatan,
        )  # fmt: skip
    return buffer.getvalue()
