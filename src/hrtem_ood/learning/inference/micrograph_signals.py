"""Reading of image files: arrays with the words of their files about pixels, before any is taken for a micrograph."""

import contextlib
import gc
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from hrtem_ood.learning.inference.mrc import read_mrc
from hrtem_ood.learning.inference.signals import (
    LARGEST_VALUES,
    MOST_PER_BYTE,
    Signal,
    Unusable,
    checked,
    pixel_of,
    spectral,
)

SER_IMAGES = 0x4122
"""Type of the data of a SER file of images; others are spectra."""

SER_BYTES: Mapping[int, int] = {1: 1, 2: 2, 3: 4, 4: 1, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 16}
"""Bytes of a value of a SER file, by the code of its type."""
ONE_FILE: Mapping[str, Any] = {"_multifile": False, "is_mmstack": False, "is_ndtiff": False}
"""How tifffile opens the named file alone: OME and the stacks of Micro-Manager name others beside it, which may be pipes."""


def read_signals(path: Path, *, with_pixel: bool = True) -> list[Signal]:
    """Read all arrays of a file.

    Parameters
    ----------
    path : Path
        Its suffix is `.tif`, `.tiff`, `.mrc`, `.dm3`, `.dm4`, or one of :data:`OTHERS`.
    with_pixel : bool, optional
        Whether the pixels of a TIFF are looked for, which takes longer than to read a small image.

    Returns
    -------
    list of Signal
        Unusable ones among them, each with the reason.

    Raises
    ------
    Exception
        Whatever the reader of a format stumbles on.
    """
    suffix = path.suffix.lower()
    if suffix == ".mrc":
        data, pixel, note = read_mrc(path, LARGEST_VALUES)
        return [replace(checked(f"image of {path.name}", data, pixel), note=note)]
    if suffix in OTHERS:
        return list(OTHERS[suffix](path))
    return list(_tiff_signals(path, with_pixel) if suffix in (".tif", ".tiff") else _dm_signals(path))


def read_or_reason(path: Path, reader: Callable[[Path], list[Signal]] = read_signals) -> tuple[list[Signal], str]:
    """Return what a reader gives, or what it stumbles on.

    Parameters
    ----------
    path : Path
    reader : callable, optional

    Returns
    -------
    list of Signal
    str
        The reason why there are none; empty where there is none.
    """
    with _closing_what_is_left_open():
        try:
            return reader(path), ""
        except Exception as error:  # whatever it is
            why = f"{type(error).__name__}: {error!s:.200}"
        return [], why  # the error is let go of here, with the file that its frames hold


@contextlib.contextmanager
def _closing_what_is_left_open() -> Iterator[None]:
    """Free in the end what refers to itself and was made inside: files that readers leave to the garbage collector.

    The collector is switched off inside, so that all of that is of its youngest generation, which alone is searched: a whole
    collection takes half a second where PyTorch is imported.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                yield
            finally:
                gc.collect(0)
    finally:
        if enabled:
            gc.enable()


def _dm_signals(path: Path) -> Iterator[Signal]:
    """Yield what RosettaSciIO reads from DM3 and DM4."""
    from rsciio.digitalmicrograph import file_reader

    for number, read in enumerate(file_reader(str(path))):
        title = str(read["metadata"].get("General", {}).get("title") or "")
        label = f"image {number + 1}" + (f" ({title[:80]})" if title else "")
        axes = read["axes"]
        signal = checked(label, np.asarray(read["data"]), pixel_of(axes), axes)
        why = spectral(axes) or _spectrum_image(read["original_metadata"], axes)
        if why and signal.unusable is None:
            signal = Signal(label, np.empty((0, 0)), unusable=why)
        yield signal


def _ser_signals(path: Path) -> Iterator[Signal]:
    """Yield what RosettaSciIO reads from SER, as FEI's TIA writes it: the images of a series, of one size."""
    from rsciio.tia import file_reader

    _check_ser(path)
    for read in file_reader(str(path)):
        axes = read["axes"]
        signal = checked(f"image of {path.name}", np.asarray(read["data"]), pixel_of(axes), axes)
        why = spectral(axes)
        yield Signal(signal.label, np.empty((0, 0)), unusable=why) if why and signal.unusable is None else signal


def _check_ser(path: Path) -> None:
    """Check what RosettaSciIO takes for granted of a SER file before it claims memory.

    Fields are those of C. Boothroyd's description, https://personal.ntu.edu.sg/cbb/info/TIAformat/.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(34)
        if len(header) < 34 or header[:4] != b"II\x97\x01":
            raise ValueError("it does not begin as a SER file does")
        version, kind, _, _, elements = struct.unpack_from("<H4I", header, 4)
        wide = version > 0x210
        start, _ = struct.unpack_from("<QI" if wide else "<II", header, 22)
        file.seek(start)
        offsets = file.read(8 if wide else 4)
        if not elements or len(offsets) < (8 if wide else 4):
            raise ValueError("it holds no image: its acquisition was stopped, or it is cut off")
        (first,) = struct.unpack("<Q" if wide else "<I", offsets)
        if kind != SER_IMAGES:
            return
        file.seek(first + 40)
        element = file.read(10)
    if len(element) < 10:
        raise ValueError("it is cut off before its first image")
    code, columns, rows = struct.unpack("<H2I", element)
    need = elements * columns * rows * SER_BYTES.get(code, 1)
    if need > size:
        raise ValueError(
            f"it has {size} bytes, but {elements} images of {columns} × {rows} values need {need}: it is cut off"
        )


def _spectrum_image(header: Mapping[str, Any], axes: list[Mapping[str, Any]]) -> str | None:
    """Tell whether Digital Micrograph counts an image as spectra, whatever the units of its axes."""
    tags: Any = header
    for key in ("ImageList", "TagGroup0", "ImageTags"):
        tags = tags.get(key) if hasattr(tags, "get") else None
    meta: Any = tags.get("Meta Data") if hasattr(tags, "get") else None
    kind = meta.get("Format") if hasattr(meta, "get") else None
    if kind in ("Spectrum image", "Spectrum") or (tags and "spim" in tags):
        return f"holds spectra, an array {tuple(axis['size'] for axis in axes)}, no micrographs. Give an image."
    return None


def _tiff_signals(path: Path, with_pixel: bool) -> Iterator[Signal]:
    """Yield the series of a TIFF, each a page or a stack of like pages; other files that it names are left alone."""
    told = _tiff_headers(path) if with_pixel else []
    with tifffile.TiffFile(path, **ONE_FILE) as file:
        for number, series in enumerate(file.series):
            axes, header = told[number] if number < len(told) else ([], {})
            label = _page_label(series)
            try:
                data = _tiff_values(series, file.filehandle.size)
            except Unusable as error:
                yield Signal(label, np.empty((0, 0)), unusable=str(error))
                continue
            except Exception as error:  # tifffile raises whatever its decoders stumble on
                if len(file.series) == 1:
                    raise
                yield Signal(
                    label, np.empty((0, 0)), unusable=f"cannot be read ({type(error).__name__}: {error!s:.200})."
                )
                continue
            signal = checked(label, data, _tiff_pixel(axes, header), axes)
            why = spectral(axes)
            yield Signal(label, np.empty((0, 0)), unusable=why) if why and signal.unusable is None else signal


def _tiff_headers(path: Path) -> list[tuple[list[Mapping[str, Any]], Mapping[str, Any]]]:
    """Return axes and tags of each series as RosettaSciIO tells them; none where it stumbles."""
    from rsciio.tiff import file_reader

    with _closing_what_is_left_open():  # it leaves a file that is read lazily open
        try:
            return [(read["axes"], read["original_metadata"]) for read in file_reader(str(path), lazy=True, **ONE_FILE)]
        except Exception:  # whatever it is; the pixel can still be stated
            return []


def _tiff_pixel(axes: list[Mapping[str, Any]], header: Mapping[str, Any]) -> tuple[tuple[float, str | None], ...]:
    pixel = pixel_of(axes)
    description = str(header.get("ImageDescription", ""))
    if any(unit for _, unit in pixel) or not description.startswith("ImageJ="):
        return pixel
    # RosettaSciIO knows ImageJ's micrometres only
    lines = (line.partition("=") for line in description.splitlines())
    unit = next((value for key, _, value in lines if key == "unit"), None)
    per_unit = [header.get(tag, (0, 1)) for tag in ("YResolution", "XResolution")]
    return tuple((below / above if above else 0.0, unit) for above, below in per_unit)


def _page_label(series: tifffile.TiffPageSeries) -> str:
    pages = [page.index + 1 for page in series.pages if page is not None]
    return f"page {pages[0]}" if len(pages) < 2 else f"pages {pages[0]} to {pages[-1]}"


def _tiff_values(series: tifffile.TiffPageSeries, file_size: int) -> NDArray[Any]:
    """Decode a series to grey levels that grow from black to white.

    Raises
    ------
    Unusable
        Where it is a thumbnail, has colours, or is cut off.
    """
    page = series.keyframe
    kinds = tifffile.PHOTOMETRIC
    kind = page.photometric
    if page.is_reduced:
        raise Unusable("is a reduced copy of another page, as thumbnails are.")
    if page.is_mask:
        raise Unusable("is a mask, as the file says.")
    grey = (kinds.MINISBLACK, kinds.MINISWHITE, kinds.LINEAR_RAW, kinds.PALETTE)
    if kind not in grey or "S" in series.axes:
        raise Unusable("is a colour image. Save the micrograph as grey levels, without scale bar or text.")
    dtype: Any = series.dtype  # none of values that NumPy has no type for
    if dtype is None or series.size > min(LARGEST_VALUES, MOST_PER_BYTE * file_size):
        raise Unusable(f"claims to hold {series.shape} values of {page.bitspersample} bits, which are not read.")
    pages: list[Any] = list(series.pages)  # those of other files are missing
    for each in pages:
        ends = [] if each is None else [a + b for a, b in zip(each.dataoffsets, each.databytecounts, strict=False)]
        if not ends or max(ends) > file_size or min(each.databytecounts) <= 0:
            raise ValueError("pixels are missing: the file is cut off, or its images are in other files")
    values = np.asarray(series.asarray())
    if kind == kinds.PALETTE:
        return _by_palette(values, page.colormap)
    # what is white has the least number; only differences count
    return -values.astype(np.float64) if kind == kinds.MINISWHITE else values


def _by_palette(values: NDArray[Any], colours: NDArray[Any] | None) -> NDArray[Any]:
    """Look indices up in a palette of greys."""
    if colours is None or not (np.array_equal(colours[0], colours[1]) and np.array_equal(colours[0], colours[2])):
        raise Unusable(
            "is a colour image, by its palette. Save the micrograph as grey levels, without scale bar or text."
        )
    grey: NDArray[Any] = np.asarray(colours[0])[values]
    return grey


def _emd_signals(path: Path) -> Iterator[Signal]:
    from hrtem_ood.learning.inference.hdf5_signals import emd_signals  # h5py takes a while to import

    return emd_signals(path)


def _hspy_signals(path: Path) -> Iterator[Signal]:
    from hrtem_ood.learning.inference.hdf5_signals import hspy_signals

    return hspy_signals(path)


def _zspy_signals(path: Path) -> Iterator[Signal]:
    from hrtem_ood.learning.inference.zspy_signals import zspy_signals

    return zspy_signals(path)


OTHERS: Mapping[str, Callable[[Path], Iterator[Signal]]] = {
    ".ser": _ser_signals, ".emd": _emd_signals, ".hspy": _hspy_signals, ".zspy": _zspy_signals,
}  # fmt: skip
"""Readers by suffix."""
