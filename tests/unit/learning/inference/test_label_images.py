"""Labels of people: which values are masks or numbered particles, and what is refused."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile

from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.label_images import particle_label, read_label_planes

Y, X = np.mgrid[:48, :48]
DISC = np.hypot(Y - 20, X - 24) < 12
SOFT = np.clip(12.5 - np.hypot(Y - 20.3, X - 24.1), 0, 1)
"""A disc whose edge is softened, as drawing programs do."""


def numbered():
    """Three particles, of which 1 and 2 touch."""
    label = np.zeros((48, 48), np.uint16)
    label[4:14, 4:14], label[14:24, 4:14], label[30:44, 20:40] = 1, 2, 7
    return label


@pytest.mark.parametrize(
    "values",
    [
        DISC,
        DISC.astype(np.uint8),
        DISC.astype(np.uint8) * 255,
        DISC.astype(np.float64),
        DISC.astype(np.uint16) * 65535,
        DISC.astype(np.int16) * 3,
    ],
    ids=["bool", "0/1", "0/255", "float", "0/65535", "0/3"],
)
def test_masks(values):
    label = particle_label(values, "a")
    np.testing.assert_array_equal(label.mask, DISC)
    assert label.mask.dtype == bool
    assert label.particle_count is None


def test_numbered_particles():
    label = particle_label(numbered(), "a")
    np.testing.assert_array_equal(label.mask, numbered() > 0)
    assert label.particle_count == 3
    # a particle that another covers in part, so that it lies in two pieces
    label = numbered()
    label[35:37, 20:40] = 1
    assert particle_label(label, "a").particle_count == 3


@pytest.mark.parametrize(("value", "expected"), [(0, 0.0), (1, 1.0), (255, 1.0)])
def test_labels_of_one_value(value, expected):
    assert particle_label(np.full((8, 8), value, np.uint8), "a").mask.mean() == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((8, 8), np.nan), "all pixels of a are NaN or infinite"),
        (np.where(DISC, np.nan, 0), f"{DISC.sum()} pixels of a are NaN or infinite"),
        (np.full((8, 8), 7), "a has the value 7: no pixel is 0, which is background"),
        (DISC + 1, "a has the values 1, 2: no pixel is 0"),
        (-(DISC * 2.0), "a has the values -2, 0: values below 0, as where a file stores white as 0"),
        (SOFT, "fractions, as of a probability. Threshold it"),
        ((SOFT * 255).astype(np.uint8), "grey levels, rather than a mask or numbered particles"),
        (np.random.default_rng(0).poisson(3, (48, 48)), "grey levels, rather than a mask"),
        (np.random.default_rng(0).integers(0, 3, (48, 48)), "a has the values 0, 1, 2 in "),
    ],
    ids=["NaN", "some NaN", "one value", "no 0", "negative", "probability", "soft edge", "micrograph", "classes"],
)
def test_what_is_no_label_is_told(values, message):
    with pytest.raises(ArtifactError) as error:
        particle_label(values, "a")
    assert message in str(error.value)
    assert "Valid are false and true, 0 and 1, 0 and 255, or 0 for background and a whole number" in str(error.value)


def png(values, bits, kind=0, palette=b""):
    """Encode a PNG by its specification, https://www.w3.org/TR/png-3/."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(
        b"\0" + np.packbits(np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]).tobytes()
        for row in values
    )
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + (chunk(b"PLTE", palette) if palette else b"")
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_png_of_few_bits_keeps_its_numbers(tmp_path, bits):
    values = np.arange(24 * 16).reshape(24, 16) % 2**bits
    (tmp_path / "a.png").write_bytes(png(values, bits))
    (plane,) = read_label_planes(tmp_path / "a.png")
    np.testing.assert_array_equal(plane, values)


def test_png_of_16_bits_and_of_a_palette_of_greys(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(numbered()))
    np.testing.assert_array_equal(read_label_planes(tmp_path / "a.png")[0], numbered())
    (tmp_path / "b.png").write_bytes(png(DISC, 8, 3, bytes([0, 0, 0, 255, 255, 255])))
    np.testing.assert_array_equal(read_label_planes(tmp_path / "b.png")[0], DISC * 255)


def test_mrc_and_stacks(write):
    stack = np.stack([DISC, ~DISC]).astype(np.int8)
    for name in ("a.mrc", "a.tif"):
        planes = read_label_planes(write(name, stack))
        np.testing.assert_array_equal(planes, stack)


COLOURS = np.zeros((8, 8, 3), np.uint8) + np.array([255, 0, 0], np.uint8)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"\x93NUMPY", "labels are read from .tif, .tiff, .mrc, .png, not from .npy"),
        ("a", b"", "not from a file without suffix"),
        ("a.png", imagecodecs.png_encode(COLOURS), "a.png is a colour image. Save the label as grey levels"),
        ("a.png", png(DISC, 8, 3, bytes([0, 0, 0, 255, 0, 0])), "is a colour image, by its palette"),
        ("a.png", imagecodecs.png_encode(np.zeros((8, 8, 2), np.uint8)), "has transparency"),
        ("a.png", b"GIF89a", "cannot be read as PNG (ValueError: it does not begin as a PNG)"),
        ("a.png", png(DISC, 8)[:50], "a.png cannot be read as PNG ("),
        (
            "a.png",
            png(DISC, 8).replace(b"\0\0\0\x30\0\0\0\x30", b"\0\1\0\0\0\1\0\0"),
            "claims to hold 65536 × 65536 px",
        ),
        ("a.tif", b"II*\0", "a.tif cannot be read as TIF"),
        ("a.mrc", b"", "a.mrc cannot be read as MRC (ValueError: it is shorter than a header)"),
    ],
)
def test_what_is_no_label_file_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError) as error:
        read_label_planes(tmp_path / name)
    assert message in str(error.value)
    assert str(tmp_path / name) in str(error.value)


def test_colours_in_tiff_missing_files_and_folders(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", COLOURS, photometric="rgb")
    with pytest.raises(ArtifactError, match=r"a.tif is a colour image. Save the label as grey levels"):
        read_label_planes(tmp_path / "a.tif")
    with pytest.raises(ArtifactError, match=r"none.png cannot be read \(No such file or directory\)"):
        read_label_planes(tmp_path / "none.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ArtifactError, match="is a folder, not a regular file"):
        read_label_planes(tmp_path / "folder.png")
