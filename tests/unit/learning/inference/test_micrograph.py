"""Micrographs come with the values and the pixel that their files hold, or with an error that tells what to do."""

import builtins
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.micrograph import read_micrographs


def above_least(values):
    return (values.astype(float) - values.min()).astype(np.float32)


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.mrc", "a.dm3", "a.DM4"])
def test_images_are_read_with_their_pixel(write, counts, name):
    values = counts(24, 40)
    (found,) = read_micrographs(write(name, values, 0.31))
    assert found.name == "a"
    assert found.image.dtype == np.float32
    np.testing.assert_array_equal(found.image, above_least(values))
    assert found.pixel_size_A == pytest.approx(0.31, rel=1e-6)


@pytest.mark.parametrize("name", ["a.tif", "a.mrc", "a.dm3"])
def test_a_stack_is_several_images(write, counts, name):
    values = counts(11, 24, 40)
    found = list(read_micrographs(write(name, values, 0.31)))
    assert [one.name for one in found] == [f"a_{number:02d}" for number in range(11)]
    for one, plane in zip(found, values, strict=True):
        np.testing.assert_array_equal(one.image, above_least(plane))
        assert one.pixel_size_A == pytest.approx(0.31, rel=1e-6)


@pytest.mark.parametrize(
    ("unit", "pixel", "expected"),
    [("nm", 0.05, 0.5), ("\\u00C5", 0.5, 0.5), ("angstrom", 0.5, 0.5), ("micron", 5e-5, 0.5), ("pm", 50, 0.5)],
)
def test_units_of_imagej(tmp_path, counts, unit, pixel, expected):
    tifffile.imwrite(
        tmp_path / "a.tif", counts(24, 40), imagej=True, resolution=(1 / pixel, 1 / pixel), metadata={"unit": unit}
    )
    (found,) = read_micrographs(tmp_path / "a.tif")
    assert found.pixel_size_A == pytest.approx(expected, rel=1e-5)


def test_single_precision_keeps_small_differences_on_a_large_offset(tmp_path):
    values = np.arange(600, dtype=np.int32).reshape(20, 30) + 2**30
    tifffile.imwrite(tmp_path / "a.tif", values)
    (found,) = read_micrographs(tmp_path / "a.tif", pixel_size_A=0.4)
    np.testing.assert_array_equal(found.image.ravel(), np.arange(600))


@pytest.mark.parametrize("name", ["a.tif", "a.mrc", "a.dm3"])
def test_without_calibration_the_pixel_must_be_stated(write, counts, name):
    path = write(name, counts(24, 40), None)
    with pytest.raises(ArtifactError, match=rf"{name} tells no pixel size.*--pixel-size-A"):
        list(read_micrographs(path))
    (found,) = read_micrographs(path, pixel_size_A=0.7)
    assert found.pixel_size_A == 0.7


def test_printers_dots_per_inch_are_no_calibration(tmp_path, counts):
    tifffile.imwrite(tmp_path / "a.tif", counts(24, 40), resolution=(300, 300), resolutionunit="INCH")
    with pytest.raises(ArtifactError, match="tells no pixel size"):
        list(read_micrographs(tmp_path / "a.tif"))


@pytest.mark.parametrize(
    ("unit", "told"), [("1/nm", "diffraction pattern"), ("nm^-1", "diffraction"), ("sec", "known units are pm, Å")]
)
def test_units_that_are_no_length(tmp_path, counts, unit, told):
    tifffile.imwrite(tmp_path / "a.tif", counts(24, 40), imagej=True, resolution=(20, 20), metadata={"unit": unit})
    with pytest.raises(ArtifactError, match=rf"a\.tif has pixels in .*{told}"):
        list(read_micrographs(tmp_path / "a.tif"))


def test_pixels_that_are_not_square(tmp_path, counts):
    tifffile.imwrite(tmp_path / "a.tif", counts(24, 40), imagej=True, resolution=(20, 25), metadata={"unit": "nm"})
    with pytest.raises(ArtifactError, match=r"has pixels that are 0\.4 Å high and 0\.5 Å wide"):
        list(read_micrographs(tmp_path / "a.tif"))


def test_other_suffixes_are_refused_with_those_that_work(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(
        ArtifactError,
        match=re.escape("are read from .tif, .tiff, .mrc, .dm3, .dm4, .ser, .emd, .hspy, .zspy, not from .jpg"),
    ):
        list(read_micrographs(tmp_path / "a.jpg"))
    with pytest.raises(ArtifactError, match="a file without suffix"):
        list(read_micrographs(tmp_path / "a"))


@pytest.mark.parametrize("name", ["a.tif", "a.mrc", "a.dm3", "a.dm4"])
@pytest.mark.parametrize("damage", ["cut", "foreign", "empty"])
def test_damaged_files(write, counts, name, damage):
    path = write(name, counts(64, 64))
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "foreign": b"GIF89a" * 300, "empty": b""}[damage])
    with pytest.raises(ArtifactError, match=rf"{re.escape(name)} (cannot be read as|holds no image)"):
        list(read_micrographs(path))


def test_a_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match=r"a\.mrc cannot be read \(No such file"):
        list(read_micrographs(tmp_path / "a.mrc"))


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_colour_images(tmp_path, photometric):
    values = np.zeros((24, 40, 3), np.uint8)
    values[3, 4] = 9
    tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric, planarconfig="contig")
    with pytest.raises(ArtifactError, match="colour image"):
        list(read_micrographs(tmp_path / "a.tif", pixel_size_A=0.4))


def test_values_that_no_network_takes(tmp_path, write, counts):
    values = counts(24, 40).astype(np.float32)
    values[3, 4:6] = np.nan, np.inf
    with pytest.raises(ArtifactError, match="2 pixels of a are NaN or infinite"):
        list(read_micrographs(write("a.mrc", values)))
    with pytest.raises(ArtifactError, match="all pixels of b have one value"):
        list(read_micrographs(write("b.mrc", np.full((24, 40), 7, np.int16))))
    with pytest.raises(ArtifactError, match="complex numbers"):
        list(read_micrographs(write("c.mrc", np.zeros((24, 40), np.complex64))))
    tifffile.imwrite(tmp_path / "d.tif", np.zeros((2, 3, 24, 40), np.uint16), photometric="minisblack")
    with pytest.raises(ArtifactError, match=r"d\.tif holds an array \(2, 3, 24, 40\)"):
        list(read_micrographs(tmp_path / "d.tif", pixel_size_A=0.4))


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:11111111-1111-1111-1111-111111111111">
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="24" SizeC="1" SizeZ="1"
SizeT="2"><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData FirstT="0" IFD="0" PlaneCount="1">
<UUID FileName="a_MMStack_0.tif">urn:uuid:11111111-1111-1111-1111-111111111111</UUID></TiffData>
<TiffData FirstT="1" IFD="0" PlaneCount="1"><UUID FileName="a_MMStack_1.tif">urn:uuid:22222222-2222-2222-2222-222222222222</UUID>
</TiffData></Pixels></Image></OME>"""


def micro_manager(values, version):
    """One page of two by Micro-Manager: a multipage stack (version 0), or NDTiff (version 2), packed field by field.

    https://micro-manager.org/Micro-Manager_File_Formats, https://github.com/micro-manager/NDTiffStorage.
    """
    summary = json.dumps(
        {"MicroManagerVersion": "2.0", "Prefix": "a", "Frames": 2, "Channels": 1, "Slices": 1, "Positions": 1}
    ).encode()
    start = 40 if version == 0 else 24
    index = start + len(summary)
    pixels = index + 28
    head = struct.pack("<2sHI", b"II", 42, pixels + values.nbytes)
    if version == 0:
        head += struct.pack("<8I", 54773648, index, 483765892, 0, 99384722, 0, 2355492, len(summary))
    else:
        head += struct.pack("<4I", 483729, version, 2355492, len(summary))
    map_of_one = struct.pack("<2I5I", 3453623, 1, 0, 0, 0, 0, pixels + values.nbytes)
    high, wide = values.shape
    tags = [(256, 4, 1, wide), (257, 4, 1, high), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, pixels)]
    tags += [(277, 3, 1, 1), (278, 4, 1, high), (279, 4, 1, values.nbytes), (51123, 2, len(summary), start)]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return head + summary + map_of_one + values.tobytes() + struct.pack("<H", len(tags)) + directory + bytes(4)


@pytest.mark.parametrize("kind", ["OME", "stack of Micro-Manager", "NDTiff"])
def test_files_beside_the_named_one_are_left_alone(tmp_path, monkeypatch, counts, kind):
    """They may be pipes, which hang whoever opens them."""
    values, path = counts(24, 40).astype("<u2"), tmp_path / "a_MMStack_0.tif"
    for other in ("a_MMStack_1.tif", "NDTiff.index"):
        (tmp_path / other).write_bytes(b"not to be opened")
    if kind == "OME":
        tifffile.imwrite(path, values, description=OME, metadata=None)
    else:
        path.write_bytes(micro_manager(values, 0 if kind.startswith("stack") else 2))
    opened, real = set(), builtins.open

    def watched(file, *args, **kwargs):
        opened.add(Path(file).name if str(file).startswith(str(tmp_path)) else "")
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", watched)
    (found,) = read_micrographs(path, pixel_size_A=0.4)
    np.testing.assert_array_equal(found.image, above_least(values))
    assert opened - {""} == {path.name}
