"""Kinds of sample formats, headers and pages: read with the right values, or named with the right reason."""

import os
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.micrograph import read_micrographs

CASES = Path(__file__).parents[5] / "shared" / "cases"
PIXEL_A = 0.4


def ramp(*shape, low=0, high=100, dtype=np.int16):
    values = np.random.default_rng(3).integers(low, high + 1, shape)
    values.flat[0], values.flat[1] = low, high
    return values.astype(dtype)


def above_least(values):
    values = values.astype(float)
    return (values - values.min()).astype(np.float32)


def read(path, pixel_size_A=PIXEL_A):
    (found,) = read_micrographs(path, pixel_size_A=pixel_size_A)
    return found


def mrc(
    values,
    mode,
    *,
    order="<",
    cell=True,
    minimum=0,
    maximum=-1,
    extended=b"",
    kind=b"",
    imod=None,
    axes=(1, 2, 3),
    sides=None,
):
    """Pack an MRC2014 file field by field: https://www.ccpem.ac.uk/mrc-format/mrc2014/."""
    images = values.reshape(-1, *values.shape[-2:])
    size = sides or images.shape[::-1]
    lengths = [n * PIXEL_A for n in size] if cell else [0, 0, 0]
    grid = size if cell else (0, 0, 0)
    head = struct.pack(f"{order}10i", *size, mode, 0, 0, 0, *grid)
    head += struct.pack(f"{order}6f3i3f2i", *lengths, 90, 90, 90, *axes, minimum, maximum, -2, 0, len(extended))
    head = head.ljust(104, b"\0") + kind.ljust(4, b"\0") + struct.pack(f"{order}i", 20140)
    head = head.ljust(152, b"\0") + (struct.pack(f"{order}2i", 1146047817, imod) if imod is not None else bytes(8))
    stamp = b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0"
    head = head.ljust(208, b"\0") + b"MAP " + stamp
    return head.ljust(1024, b"\0") + extended + images.astype(values.dtype.newbyteorder(order)).tobytes()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("mode", "dtype", "low", "high"),
    [
        (0, np.int8, -50, 61),
        (1, np.int16, -300, 3000),
        (2, np.float32, -3, 90),
        (6, np.uint16, 0, 60000),
        (12, np.float16, 0, 100),
    ],
)
@pytest.mark.parametrize("images", [1, 3])
def test_mrc_of_either_order_of_bytes(tmp_path, order, mode, dtype, low, high, images):
    values = ramp(images, 24, 40, low=low, high=high, dtype=dtype)
    (tmp_path / "a.mrc").write_bytes(mrc(values, mode, order=order))
    found = list(read_micrographs(tmp_path / "a.mrc"))
    assert len(found) == images
    for one, plane in zip(found, values, strict=True):
        np.testing.assert_array_equal(one.image, above_least(plane))
        assert one.pixel_size_A == pytest.approx(PIXEL_A)


def test_a_wrong_stamp_does_not_turn_the_bytes(tmp_path):
    content = bytearray(mrc(ramp(24, 40), 1, order=">"))
    content[212:214] = b"\0\0"
    (tmp_path / "a.mrc").write_bytes(content)
    np.testing.assert_array_equal(read(tmp_path / "a.mrc").image, above_least(ramp(24, 40)))


@pytest.mark.parametrize(
    ("header", "dtype"),
    [
        ({}, np.int8),
        ({"minimum": -50, "maximum": 61}, np.int8),
        ({"minimum": -128, "maximum": 127}, np.int8),
        ({"minimum": 0, "maximum": 255}, np.uint8),
        ({"minimum": 3, "maximum": 200}, np.uint8),
        ({"imod": 1, "minimum": 0, "maximum": 255}, np.int8),
        ({"imod": 0}, np.uint8),
        ({"imod": 4}, np.uint8),
    ],
)
def test_the_sign_of_bytes(tmp_path, header, dtype):
    """Signed by MRC2014; IMOD's flag and the header's range say otherwise where they do."""
    values = (
        ramp(24, 40, low=-50, high=61, dtype=np.int8)
        if dtype == np.int8
        else ramp(24, 40, low=3, high=200, dtype=dtype)
    )
    (tmp_path / "a.mrc").write_bytes(mrc(values, 0, **header))
    np.testing.assert_array_equal(read(tmp_path / "a.mrc").image, above_least(values))


def smooth(low, high, dtype):
    """A bright disc on a noisy film, from `low` to `high`."""
    y, x = np.mgrid[:64, :96]
    values = (np.hypot(y - 30, x - 40) < 15) * 1.0 + np.random.default_rng(5).normal(0, 0.3, (64, 96))
    return np.rint(low + (high - low) * (values - values.min()) / np.ptp(values)).astype(dtype)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (smooth(-128, 127, np.int8), "signed"),
        (smooth(-50, 61, np.int8), "signed"),
        (smooth(0, 255, np.uint8), "unsigned"),
        (smooth(90, 240, np.uint8), "unsigned"),
        ((4 * np.random.default_rng(0).poisson(50, (64, 96))).clip(0, 255).astype(np.uint8), "unsigned"),
        (smooth(130, 240, np.uint8), None),
        (np.random.default_rng(5).integers(-128, 128, (64, 96)).astype(np.int8), "signed"),
    ],
)
@pytest.mark.parametrize("images", [1, 3])
def test_the_sign_of_bytes_of_which_the_header_says_nothing(tmp_path, values, kind, images):
    """The right reading is continuous; where both are (all bytes above 127), an offset differs, which no network sees."""
    (tmp_path / "a.mrc").write_bytes(mrc(np.stack([values] * images), 0))
    first, *others = read_micrographs(tmp_path / "a.mrc")
    for found in (first, *others):
        np.testing.assert_array_equal(found.image, above_least(values))
    assert len(others) == images - 1
    assert not any(found.notes for found in others)
    (note,) = first.notes
    assert note.startswith(f"a.mrc: its bytes are taken for {kind or 'signed'} ones")
    assert ("as in MRC2014" in note) == (kind is None or values.std() > 70)


def test_bytes_of_one_reading_need_no_note(tmp_path):
    (tmp_path / "a.mrc").write_bytes(mrc(smooth(0, 127, np.uint8), 0))
    (tmp_path / "b.mrc").write_bytes(mrc(smooth(3, 200, np.uint8), 0, minimum=3, maximum=200))
    assert read(tmp_path / "a.mrc").notes == read(tmp_path / "b.mrc").notes == ()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("stamp", [b"\0\0", b"\x11\x11", b"\x44\x44"])
@pytest.mark.parametrize("extended", [b"", b"x" * 80])
@pytest.mark.parametrize("trailing", [b"", b"\n"])
def test_a_mode_of_both_orders_of_bytes(tmp_path, order, stamp, extended, trailing):
    """Mode 0 is 0 in both; the sizes of one order fit the file."""
    values = ramp(64, 96, low=-50, high=61, dtype=np.int8)
    content = bytearray(mrc(values, 0, order=order, extended=extended, minimum=-50, maximum=61))
    content[212:214] = stamp
    (tmp_path / "a.mrc").write_bytes(content + trailing)
    found = read(tmp_path / "a.mrc", None)
    np.testing.assert_array_equal(found.image, above_least(values))
    assert found.pixel_size_A == pytest.approx(PIXEL_A)


def test_a_large_file_of_a_small_header_is_not_read_whole(tmp_path):
    values = ramp(24, 40)
    (tmp_path / "a.mrc").write_bytes(mrc(values, 1))
    os.truncate(tmp_path / "a.mrc", 2**28)
    tracemalloc.start()
    try:
        found = read(tmp_path / "a.mrc")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found.image, above_least(values))
    assert peak < 2**24


def test_more_values_than_are_read(tmp_path):
    (tmp_path / "a.mrc").write_bytes(mrc(ramp(24, 40, dtype=np.int8), 0, sides=(2**16, 2**16, 2)))
    with pytest.raises(ArtifactError, match=r"a\.mrc .*65536 × 65536 × 2 values; at most 4294967296 are read"):
        read(tmp_path / "a.mrc")


@pytest.mark.parametrize("columns", [40, 41])
def test_values_of_four_bits(tmp_path, columns):
    values = ramp(24, columns, high=15, dtype=np.uint8)
    pairs = np.pad(values, ((0, 0), (0, columns % 2)))
    packed = pairs[:, ::2] | pairs[:, 1::2] << 4
    (tmp_path / "a.mrc").write_bytes(mrc(packed, 101, sides=(columns, 24, 1)))
    np.testing.assert_array_equal(read(tmp_path / "a.mrc").image, above_least(values))


def records(pixel_m, fields=11):
    """1024 records of 128 bytes, as FEI wrote them before 2014, the pixel last of eleven float32 and one."""
    return (
        struct.pack(f"<{fields}f", *[0.0] * fields).ljust(44, b"\0") + struct.pack("<f", pixel_m) + bytes(131_072 - 48)
    )


@pytest.mark.parametrize(
    ("kind", "extended", "cell", "expected"),
    [
        (b"", records(0.25e-10), True, 0.25),
        (b"", bytes(131_072), True, PIXEL_A),
        (b"", records(7.0), True, PIXEL_A),
        (b"CCP4", records(0.25e-10), True, PIXEL_A),
        (b"SERI", b"\xff" * 131_072, True, PIXEL_A),
        (b"FEI1", bytes(156) + struct.pack("<2d", 0.3e-10, 0.3e-10) + bytes(768 - 172), False, 0.3),
        (b"FEI1", bytes(156) + struct.pack("<2d", 0.3e-10, 0.3e-10) + bytes(768 - 172), True, PIXEL_A),
        (b"", b"x" * 80, True, PIXEL_A),
    ],
)
def test_extended_headers(tmp_path, kind, extended, cell, expected):
    values = ramp(24, 40)
    (tmp_path / "a.mrc").write_bytes(mrc(values, 1, extended=extended, kind=kind, cell=cell))
    found = read(tmp_path / "a.mrc", None)
    np.testing.assert_array_equal(found.image, above_least(values))
    assert found.pixel_size_A == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (mrc(ramp(24, 40), 1)[:-1], "it is cut off"),
        (mrc(ramp(24, 40), 9), "values of mode 9; known modes are 0, 1"),
        (mrc(ramp(24, 40), 1)[:500], "shorter than a header"),
        (mrc(ramp(24, 40), 4, sides=(10, 24, 1)), "complex numbers"),
        (mrc(ramp(24, 60, dtype=np.uint8), 16, sides=(20, 24, 1)), "colour image"),
    ],
)
def test_what_an_mrc_file_cannot_be(tmp_path, content, message):
    (tmp_path / "a.mrc").write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"a\.mrc .*{message}"):
        read(tmp_path / "a.mrc")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_white_is_the_least_number(tmp_path, dtype):
    values = ramp(24, 40, low=3, dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").image, above_least(255 - values.astype(float)))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_sample_formats(tmp_path, dtype, order):
    values = ramp(24, 40, dtype=np.dtype(dtype))
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=order, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").image, above_least(values))


@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("predictor", [False, True])
def test_compressed_pages(tmp_path, compression, predictor):
    values = ramp(48, 64, dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif",
        values,
        compression=compression,
        predictor=predictor and compression != "packbits",
        rowsperstrip=10,
    )
    np.testing.assert_array_equal(read(tmp_path / "a.tif").image, above_least(values))


def test_jpeg_pages(tmp_path):
    """Lossy, hence of a smooth image."""
    y, x = np.mgrid[:48, :64]
    values = (100 + 50 * np.sin(y / 9) * np.cos(x / 7)).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", values, compression="jpeg", compressionargs={"level": 95}, photometric="minisblack"
    )
    found = read(tmp_path / "a.tif").image
    assert np.abs(found - found.mean() - (values - values.mean())).max() < 5


def test_tiles_bigtiff_and_twelve_bits(tmp_path):
    values = ramp(48, 64, high=4095, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, tile=(16, 32), bigtiff=True)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").image, above_least(values))
    bits = ((values[..., None] >> np.arange(11, -1, -1)) & 1).astype(np.uint8)
    (tmp_path / "b.tif").write_bytes(tiff_by_hand(np.packbits(bits.reshape(48, -1), axis=1).tobytes(), 64, 48, 12))
    np.testing.assert_array_equal(read(tmp_path / "b.tif").image, above_least(values))


def tiff_by_hand(pixels, width, height, bits, photometric=1):
    """One strip, by TIFF 6.0."""
    tags = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 3, height), (279, 4, len(pixels))]
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags
    )
    return struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + directory + bytes(4)


def test_palettes(tmp_path):
    values = ramp(24, 40, high=255, dtype=np.uint8)
    falling = np.stack([np.arange(255, -1, -1, dtype=np.uint16) * 257] * 3)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="palette", colormap=falling)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").image, above_least(-257.0 * values))
    falling[2] = 0
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="palette", colormap=falling)
    with pytest.raises(ArtifactError, match=r"b\.tif is a colour image, by its palette"):
        read(tmp_path / "b.tif")


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_in_either_layout_are_named(tmp_path, planar):
    shape = (24, 40, 3) if planar == "contig" else (3, 24, 40)
    tifffile.imwrite(tmp_path / "a.tif", ramp(*shape, dtype=np.uint8), photometric="rgb", planarconfig=planar)
    with pytest.raises(ArtifactError, match=r"a\.tif is a colour image"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("first", [True, False])
def test_a_colour_page_does_not_refuse_the_image(tmp_path, first):
    values, colours = ramp(64, 80, dtype=np.uint16), ramp(64, 80, 3, dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (colours, values) if first else (values, colours):
            file.write(page, photometric="rgb" if page.ndim == 3 else "minisblack")
    found = read(tmp_path / "a.tif")
    assert found.name == "a"
    np.testing.assert_array_equal(found.image, above_least(values))
    assert len(found.left_out) == 1
    assert re.match(rf"page {1 if first else 2} is a colour image", found.left_out[0])


def test_levels_and_thumbnails_are_left_out(tmp_path):
    values = ramp(64, 80, dtype=np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(values, subifds=1)
        file.write(values[::2, ::2], subfiletype=1)
        file.write(values[::4, ::4], subfiletype=1)
        file.write(ramp(30, 31, dtype=np.uint8), subfiletype=1)
    found = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.image, above_least(values))
    assert [text.split(".")[0] for text in found.left_out] == [
        "page 3 is a reduced copy of another page, as thumbnails are"
    ]


def test_unusable_images_of_a_stack_are_named_and_the_others_keep_their_numbers(tmp_path):
    values = ramp(4, 24, 40, dtype=np.float32)
    values[1, 2, 3], values[2] = np.nan, 7
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    found = list(read_micrographs(tmp_path / "a.tif", pixel_size_A=PIXEL_A))
    assert [one.name for one in found] == ["a_0", "a_3"]
    assert [len(one.left_out) for one in found] == [2, 0]
    assert "1 pixels of a_1 are NaN" in found[0].left_out[0]
    assert "all pixels of a_2 have one value" in found[0].left_out[1]


def test_a_file_of_nothing_usable_tells_every_reason(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(ramp(64, 80, 3, dtype=np.uint8), photometric="rgb")
        file.write(np.zeros((64, 80), np.complex64), photometric="minisblack")
    with pytest.raises(ArtifactError, match=r"a\.tif holds no micrograph\. page 1 is a colour.*page 2 holds complex"):
        read(tmp_path / "a.tif")


def test_what_another_reader_refuses_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ramp(24, 40, dtype=np.uint16))
    with pytest.raises(ArtifactError, match=r"a has 24 × 40 of 0\.4: too small"):
        list(
            read_micrographs(
                tmp_path / "a.tif",
                pixel_size_A=PIXEL_A,
                refusal=lambda shape, pixel: f"has {shape[0]} × {shape[1]} of {pixel:g}: too small",
            )
        )


def test_a_compressed_page_that_is_cut_off(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ramp(64, 80, dtype=np.uint16), compression="lzw", rowsperstrip=8)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:-300])
    with pytest.raises(ArtifactError, match=r"a\.tif cannot be read as TIF"):
        read(tmp_path / "a.tif")


def test_random_damage_is_refused_without_a_traceback(tmp_path):
    """Headers with wrong bytes: whatever is read is an image, and every refusal names the file."""
    rng = np.random.default_rng(16)
    tifffile.imwrite(tmp_path / "a.tif", ramp(2, 24, 40, dtype=np.uint8), imagej=True, compression="zlib")
    (tmp_path / "a.mrc").write_bytes(mrc(ramp(24, 40), 1))
    contents = {name: (tmp_path / name).read_bytes() for name in ("a.tif", "a.mrc")}
    refused = 0
    for turn in range(60):
        name = ("a.tif", "a.mrc")[turn % 2]
        content = bytearray(contents[name])
        for place in rng.integers(0, 300, 4):
            content[place] = rng.choice([0, 1, 127, 255])
        (tmp_path / name).write_bytes(content)
        try:
            images = list(read_micrographs(tmp_path / name, pixel_size_A=PIXEL_A))
        except ArtifactError as error:
            refused += name in str(error)
        else:
            assert all(one.image.ndim == 2 and one.image.size for one in images)
    assert refused > 10


def test_an_array_without_pixels_is_named(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff_by_hand(b"\0" * 8, 8, 0, 8))
    with pytest.raises(ArtifactError, match=r"a\.tif"):
        read(tmp_path / "a.tif")


@pytest.fixture
def digital_micrograph(tmp_path):
    """Return a function that writes a DM3 file of several images, each with its units by axis and tags."""
    from tests.unit.learning.inference.conftest import DigitalMicrograph

    def image(values, units, tags):
        codes = {"int16": 1, "float32": 2}
        dimension = {
            f" {axis}": {"Origin": ("f", 0.0), "Scale": ("f", 0.04), "Units": unit} for axis, unit in enumerate(units)
        }
        return {
            "ImageData": {
                "Calibrations": {
                    "Brightness": {"Origin": ("f", 0.0), "Scale": ("f", 1.0), "Units": ""},
                    "Dimension": dimension,
                },
                "Data": values.ravel(),
                "DataType": ("I", codes[values.dtype.name]),
                "Dimensions": {f" {axis}": ("I", size) for axis, size in enumerate(values.shape[::-1])},
                "PixelDepth": ("I", values.itemsize),
            },
            "ImageTags": tags,
            "Name": "survey",
        }

    def write(*images):
        thumbnail = {**image(np.zeros((4, 4), np.float32), ("", ""), {})}
        listed = {f" {number}": each for number, each in enumerate([thumbnail, *(image(*one) for one in images)])}
        tree = {"ImageList": listed, "Thumbnails": {" 0": {"ImageIndex": ("I", 0)}}}
        (tmp_path / "a.dm3").write_bytes(DigitalMicrograph(3).file(tree))
        return tmp_path / "a.dm3"

    return write


SPECTRUM_IMAGE = {"Meta Data": {"Format": "Spectrum image"}}


@pytest.mark.parametrize(("unit", "tags"), [("eV", {}), ("eV", SPECTRUM_IMAGE), ("", SPECTRUM_IMAGE), ("keV", {})])
def test_a_spectrum_image_is_no_stack_of_micrographs(digital_micrograph, unit, tags):
    path = digital_micrograph((ramp(2048, 4, 5), ("nm", "nm", unit), tags))
    for stated in (None, PIXEL_A):
        with pytest.raises(ArtifactError, match=r"a\.dm3 holds spectra, .*2048.*no micrographs"):
            list(read_micrographs(path, pixel_size_A=stated))


def test_a_line_profile_and_spectra_do_not_refuse_the_image(digital_micrograph):
    values = ramp(64, 80)
    path = digital_micrograph(
        (ramp(512), ("nm",), {}),
        (values, ("nm", "nm"), {}),
        (ramp(2048, 4, 5), ("nm", "nm", "eV"), SPECTRUM_IMAGE),
    )
    found = read(path, None)
    np.testing.assert_array_equal(found.image, above_least(values))
    assert found.pixel_size_A == pytest.approx(0.4)
    assert len(found.left_out) == 2
    assert "is a line of 512 values" in found.left_out[0]
    assert "holds spectra" in found.left_out[1]


def ser(stack, *, version=0x220, pixel_m=PIXEL_A * 1e-10, kind=0x4122, elements=None):
    """Pack a SER file of images, by https://personal.ntu.edu.sg/cbb/info/TIAformat/; rows are stored from the lowest."""
    wide = "Q" if version > 0x210 else "I"
    dimension = struct.pack("<I2dI", len(stack), 0, 1, 0) + struct.pack("<2I", 0, 0)
    start = 26 + struct.calcsize(f"<{wide}") + len(dimension)
    code = {"uint8": 1, "uint16": 2, "int16": 5, "float32": 7}[stack.dtype.name]
    images = [
        struct.pack("<2dI2dIH2I", 0, pixel_m, 0, 0, pixel_m, 0, code, plane.shape[1], plane.shape[0])
        + plane[::-1].astype(plane.dtype.newbyteorder("<")).tobytes()
        + struct.pack("<2HI", 0x4152, 0, 0)
        for plane in stack
    ]
    ends = np.cumsum([start + 2 * len(stack) * struct.calcsize(f"<{wide}"), *map(len, images)])
    head = struct.pack("<3H4I", 0x4949, 0x0197, version, kind, 0x4152, len(stack), elements or len(stack))
    head += struct.pack(f"<{wide}I", start, 1) + dimension
    tags = [int(end) - 8 for end in ends[1:]]
    return head + struct.pack(f"<{2 * len(stack)}{wide}", *map(int, ends[:-1]), *tags) + b"".join(images)


@pytest.mark.parametrize("version", [0x210, 0x220])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("images", [1, 3])
def test_ser_files(tmp_path, version, dtype, images):
    values = ramp(images, 24, 40, dtype=np.dtype(dtype))
    (tmp_path / "a.ser").write_bytes(ser(values, version=version))
    found = list(read_micrographs(tmp_path / "a.ser"))
    assert len(found) == images
    for one, plane in zip(found, values, strict=True):
        np.testing.assert_array_equal(one.image, above_least(plane))
        assert one.pixel_size_A == pytest.approx(PIXEL_A)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ser(ramp(1, 24, 40))[:-1000], r"1 images of 40 × 24 values need 1920: it is cut off"),
        (ser(ramp(1, 24, 40), elements=2**31), r"2147483648 images of 40 × 24 values need"),
        (ser(ramp(1, 24, 40))[:20], "does not begin as a SER file does"),
        (b"GIF89a" * 300, "does not begin as a SER file does"),
        (ser(ramp(1, 24, 40))[:60], "holds no image|cut off before"),
    ],
)
def test_what_a_ser_file_cannot_be(tmp_path, content, message):
    (tmp_path / "a.ser").write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"a\.ser cannot be read as SER .*({message})"):
        read(tmp_path / "a.ser")


def case(name):
    if not (CASES / name).exists():
        pytest.skip(f"no {name} in shared/cases beside the checkout")
    return read(CASES / name)


def test_the_cases_at_hand():
    np.testing.assert_array_equal(case("signed.mrc").image, case("int16.mrc").image)
    assert case("be_mode1.mrc").image.shape == (64, 80)
    stored = tifffile.imread(CASES / "miniswhite8.tif")
    np.testing.assert_array_equal(case("miniswhite8.tif").image, above_least(255.0 - stored))
    found = case("jem.tif")
    np.testing.assert_array_equal(found.image, above_least(tifffile.imread(CASES / "jem.tif", key=1)))
    assert "page 1 is a colour image" in found.left_out[0]
