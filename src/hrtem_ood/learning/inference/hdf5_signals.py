"""Images of HDF5 files: EMD of NCEM and of Velox, and HyperSpy's HSpy.

A file of HDF5 can name other files, ask for filters that HDF5 loads as plug-ins, and claim any size. :func:`check_hdf5` refuses
these before anything is read. Objects are read as numbers and text only.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from hrtem_ood.learning.inference.signals import LARGEST_VALUES, MOST_PER_BYTE, Signal, checked, pixel_of, spectral

FILTERS = {
    h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_SZIP,
    h5py.h5z.FILTER_NBIT, h5py.h5z.FILTER_SCALEOFFSET, h5py.h5z.FILTER_LZF,
}  # fmt: skip
"""Those that HDF5 or h5py bring along; others are code of plug-ins, which a file shall not choose."""

MOST_OBJECTS = 100_000
"""Groups and arrays of a file."""

MOST_DETAILS = 2**29
"""Bytes of all arrays together that hold no images."""

IMAGE_NAMES = ("data", "counted_datacube", "datacube", "realslice", "diffractionslice")
"""How the names of arrays begin that may be images, in lower case."""

SPECTRA = "holds spectra, a spectrum image, no micrographs. Give an image."


class Array(NamedTuple):
    """An array of a file: its path, and its shape."""

    path: str
    shape: tuple[int, ...]


def check_hdf5(file: h5py.File, size: int) -> list[Array]:
    """Check what a file may do when it is read.

    Parameters
    ----------
    file : h5py.File
    size : int, [B]
        Of the file.

    Returns
    -------
    list of Array
        Those that may be images.

    Raises
    ------
    ValueError
        Where it names other files, needs plug-ins, or claims more than it can hold.
    """
    images: list[Array] = []
    details = 0
    for where, array in _arrays(file):
        _check_array(array, where, size)
        if where.rpartition("/")[2].lower().startswith(IMAGE_NAMES):
            images.append(Array(where, array.shape or ()))
        else:
            details += math.prod(array.shape or (0,)) * array.dtype.itemsize
    if details > MOST_DETAILS:
        raise ValueError(f"it claims {details:,} bytes that are no images, more than {MOST_DETAILS:,}")
    return images


def _arrays(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield all arrays with their paths, each once; groups may contain one another."""
    seen, pending = {_address(file)}, [file]
    while pending:
        group = pending.pop()
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise ValueError(f"{where:.80} is a link to another file, which is not followed")
            if isinstance(link, h5py.SoftLink) or _address(group[name]) in seen:
                continue
            seen.add(_address(group[name]))
            if len(seen) > MOST_OBJECTS:
                raise ValueError(f"it has more than {MOST_OBJECTS:,} groups and arrays")
            if isinstance(group[name], h5py.Group):
                pending.append(group[name])
            elif isinstance(group[name], h5py.Dataset):
                yield where, group[name]


def _address(item: Any) -> tuple[int, int]:
    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr


def _check_array(array: h5py.Dataset, where: str, size: int) -> None:
    if array.is_virtual or array.external:
        raise ValueError(f"{where:.80} has its values in other files, which are not read")
    plist = array.id.get_create_plist()
    filters = {plist.get_filter(number)[0] for number in range(plist.get_nfilters())}
    if not filters <= FILTERS:
        raise ValueError(
            f"{where:.80} is compressed by a plug-in of HDF5 (filter {min(filters - FILTERS)}); save it with gzip"
        )
    values = max(math.prod(array.shape or (0,)), math.prod(array.chunks or (0,)))
    if values > min(LARGEST_VALUES, MOST_PER_BYTE * size):
        raise ValueError(f"{where:.80} claims to hold an array {array.shape}, chunks {array.chunks}, which is not read")


def emd_signals(path: Path) -> Iterator[Signal]:
    """Yield the images that RosettaSciIO reads from EMD, of NCEM or of Velox."""
    from rsciio.emd import file_reader

    with h5py.File(path, "r") as file:
        images = check_hdf5(file, path.stat().st_size)
        is_velox = "Version" in file and isinstance(file.get("Data"), h5py.Group)
        # as RosettaSciIO finds them
        images = [each for each in images if file[each.path].parent.attrs.get("emd_group_type")]
        has_spectra = is_velox and any(name.startswith("Spectr") for name in file["Data"])
    if is_velox:
        if has_spectra:
            yield Signal(f"spectra of {path.name}", np.empty((0, 0)), unusable=SPECTRA)
            return
        read = file_reader(str(path), select_type="images")
    else:
        usable = [each.path.lstrip("/") for each in images if len(each.shape) <= 3]
        for each in images:
            if len(each.shape) > 3:  # a stack of images
                yield checked(each.path[:80], np.broadcast_to(np.uint8(0), each.shape), ())
        # without stacking: it takes groups for one stack whose names only begin alike
        read = file_reader(str(path), dataset_path=usable, stack_group=False) if usable else []
    for number, each in enumerate(read):
        title = str(each["metadata"].get("General", {}).get("title") or "")
        yield _signal(f"image {number + 1}" + (f" ({title[:80]})" if title else ""), each["data"], each["axes"])


def hspy_signals(path: Path) -> Iterator[Signal]:
    """Yield the images of a file of HyperSpy: ``Experiments/<name>/data``, with the axes beside it.

    https://hyperspy.org/rosettasciio/file_specification/hspy_file_specification.html
    """
    with h5py.File(path, "r") as file:
        check_hdf5(file, path.stat().st_size)
        experiments = file.get("Experiments")
        if not isinstance(experiments, h5py.Group):
            raise ValueError("it has no group Experiments, as files of HyperSpy have")
        for name, group in experiments.items():
            data = group.get("data") if isinstance(group, h5py.Group) else None
            if isinstance(data, h5py.Dataset):
                axes = [dict(group[key].attrs) for key in axis_names(data.ndim) if key in group]
                yield hyperspy_signal(name, data.shape, data.dtype, axes, lambda array=data: array[()])


def axis_names(count: int) -> list[str]:
    """Names of the groups of axes of a HyperSpy signal."""
    return [f"axis-{number}" for number in range(count)]


def hyperspy_signal(
    name: str, shape: tuple[int, ...], dtype: np.dtype[Any], axes: list[dict[str, Any]], read: Any
) -> Signal:
    """Make a signal of what HyperSpy stores; values are read only of images and stacks.

    Parameters
    ----------
    name : str
    shape, dtype
        Of the array.
    axes : list of dict
        ``name``, ``units``, ``scale`` and ``navigate`` of each axis, as stored.
    read : callable
        Returns the array.
    """
    plain = [{key: _plain(value) for key, value in axis.items()} for axis in axes]
    along: list[Mapping[str, Any]] = [{"size": side} | axis for side, axis in zip(shape, plain, strict=False)]
    label = f"signal {name[:80]}"
    claimed = checked(label, np.broadcast_to(np.zeros((), dtype), shape), ())
    if claimed.unusable is not None:
        return claimed
    return _signal(label, np.asarray(read()), along)


def _plain(value: Any) -> Any:
    """Return text and numbers as Python's; None where HyperSpy writes it as text."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, str) and value in ("_None_", "<undefined>") else value


def _signal(label: str, data: Any, axes: list[Mapping[str, Any]]) -> Signal:
    values = np.asarray(data)
    if len(axes) != values.ndim:
        axes = []
    signal = checked(label, values, pixel_of(axes), axes)
    shown = [axis for axis in axes if not axis.get("navigate")]
    why = spectral(axes)
    if why is None and len(shown) == 1 and values.ndim > 1:
        why = f"holds spectra or profiles of {shown[0]['size']} values, no micrographs. Give an image."
    return Signal(label, np.empty((0, 0)), unusable=why) if why and signal.unusable is None else signal
