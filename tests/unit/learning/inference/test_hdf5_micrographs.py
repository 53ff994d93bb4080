"""EMD, HSpy and ZSpy: images with their pixels, what is left out, and files that would run code, follow links or fill memory."""

import json
import os
import pickle

import h5py
import numpy as np
import pytest
import zarr

from hrtem_ood.campaign.label_pairs import expand
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.inputs import expand_inputs
from hrtem_ood.learning.inference.micrograph import read_micrographs
from hrtem_ood.user_files import content_sha256

IMAGE = np.random.default_rng(0).poisson(50, (40, 60)).astype(np.uint16)
STACK = np.stack([IMAGE, IMAGE[::-1]])
FORMATS = (".hspy", ".zspy", ".emd")


def axes_of(values, pixel=(0.04, "nm"), *, first=(1.0, "s")):
    """Axes as HyperSpy stores them; the last two are of an image."""
    return [
        {"name": "txy"[max(0, 3 - values.ndim + place)], "scale": scale, "units": units, "offset": 0.0, "size": size,
         "navigate": place < values.ndim - 2}
        for place, (size, (scale, units)) in enumerate(
            zip(values.shape, [first] * (values.ndim - 2) + [pixel, pixel], strict=True))
    ]  # fmt: skip


def hspy(path, *signals, compression=None):
    with h5py.File(path, "w") as file:
        file.attrs["file_format_version"] = "3.3"
        for number, (values, axes) in enumerate(signals):
            group = file.create_group(f"Experiments/signal {number}")
            group.create_dataset("data", data=values, compression=compression)
            group.create_group("metadata/General").attrs["title"] = "of a test"
            group.create_group("original_metadata")
            for place, axis in enumerate(axes):
                group.create_group(f"axis-{place}").attrs.update(axis)
    return path


def zspy(path, *signals, zarr_format=2):
    root = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    for number, (values, axes) in enumerate(signals):
        group = root.create_group(f"Experiments/signal {number}")
        group.create_array("data", data=values, chunks=values.shape)
        for place, axis in enumerate(axes):
            group.create_group(f"axis-{place}").attrs.update(axis)
    return path


def emd(path, *signals):
    """Write EMD of NCEM, version 0.2: axes dim1, dim2, …, the fastest first."""
    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        for number, (values, axes) in enumerate(signals):
            group = file.create_group(f"signals/signal {number}")
            group.attrs["emd_group_type"] = 1
            group["data"] = values.T
            for place, axis in enumerate(axes[::-1]):
                points = group.create_dataset(f"dim{place + 1}", data=axis["scale"] * np.arange(2))
                points.attrs["name"], points.attrs["units"] = (
                    axis["name"],
                    axis["units"] and f"[{'_'.join(axis['units'])}]",
                )
    return path


WRITERS = dict(zip(FORMATS, (hspy, zspy, emd), strict=True))


def velox(path, values, pixel=("4e-11", "m"), spectra=False):
    """Write what of a file of Velox holds an image, (y, x) or (frame, y, x)."""
    binary = {"PixelSize": {"height": pixel[0], "width": pixel[0]}, "DetectorIndex": "0", "Detector": "BM-Ceta"}
    empty = ("CustomProperties", "Core", "Instrument", "Optics", "Stage", "Sample")
    metadata = {key: {} for key in empty} | {
        "BinaryResult": binary | {"PixelUnitX": pixel[1], "PixelUnitY": pixel[1]},
        "Scan": {"FrameTime": "1.5"},
        "Detectors": {"Detector-0": {"DetectorName": "BM-Ceta", "ExposureTime": "1.5"}},
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1700000000"}},
    }
    text = np.frombuffer(json.dumps(metadata).encode().ljust(3000, b"\0"), np.uint8)
    frames = values[None] if values.ndim == 2 else values
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([json.dumps({"format": "Velox", "version": "11.0"})], dtype=h5py.string_dtype())
        group = file.create_group("Data/Image/00ff")
        group.create_dataset("Data", data=np.moveaxis(frames, 0, 2), chunks=(*frames.shape[1:], 1))
        group.create_dataset("Metadata", data=np.repeat(text[:, None], len(frames), axis=1))
        if spectra:
            file.create_group("Data/SpectrumStream/0a")
    return path


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("pixel", [(0.04, "nm"), (0.4, "Å"), (40.0, "pm"), (4e-5, "µm")])
def test_images_are_read_with_their_pixel(tmp_path, suffix, pixel):
    path = WRITERS[suffix](tmp_path / f"a{suffix}", (IMAGE, axes_of(IMAGE, pixel)))
    (found,) = read_micrographs(path)
    np.testing.assert_array_equal(found.image, IMAGE - IMAGE.min())
    assert found.pixel_size_A == pytest.approx(0.4)
    assert found.name == "a"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_stack_is_several_images(tmp_path, suffix):
    path = WRITERS[suffix](tmp_path / f"a{suffix}", (STACK, axes_of(STACK)))
    found = list(read_micrographs(path))
    for each, plane in zip(found, STACK, strict=True):
        np.testing.assert_array_equal(each.image, plane - plane.min())


def test_zarr_of_both_formats_is_read(tmp_path):
    path = zspy(tmp_path / "a.zspy", (IMAGE, axes_of(IMAGE)), zarr_format=3)
    (found,) = read_micrographs(path)
    np.testing.assert_array_equal(found.image, IMAGE - IMAGE.min())


@pytest.mark.parametrize("suffix", FORMATS)
def test_pixels_across_and_down_keep_their_axes(tmp_path, suffix):
    axes = axes_of(IMAGE)
    axes[0]["scale"] = 0.08
    path = WRITERS[suffix](tmp_path / f"a{suffix}", (IMAGE, axes))
    with pytest.raises(ArtifactError, match=r"0\.8 Å high and 0\.4 Å wide"):
        list(read_micrographs(path))


@pytest.mark.parametrize("frames", [IMAGE, STACK])
def test_velox_is_read(tmp_path, frames):
    found = list(read_micrographs(velox(tmp_path / "v.emd", frames)))
    planes = frames[None] if frames.ndim == 2 else frames
    for each, plane in zip(found, planes, strict=True):
        np.testing.assert_array_equal(each.image, plane - plane.min())
        assert each.pixel_size_A == pytest.approx(0.4)


def test_spectra_of_velox_are_told(tmp_path):
    with pytest.raises(ArtifactError, match="holds spectra"):
        list(read_micrographs(velox(tmp_path / "v.emd", IMAGE, spectra=True)))


def test_a_diffraction_pattern_of_velox_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="diffraction pattern"):
        list(read_micrographs(velox(tmp_path / "v.emd", IMAGE, pixel=("4e7", "1/m"))))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("values", "axes", "words"),
    [
        (IMAGE, axes_of(IMAGE, (0.02, "1/nm")), "diffraction pattern"),
        (IMAGE, axes_of(IMAGE, (1.0, "eV")), "spectra"),
        (IMAGE, axes_of(IMAGE, (1.0, "")), "no pixel size"),
        (np.zeros((2, 3, 4, 5)), axes_of(np.zeros((2, 3, 4, 5))), r"array \((2, 3, 4, 5|5, 4, 3, 2)\)"),
        (IMAGE[0], axes_of(IMAGE)[:1], "profile or a spectrum"),
    ],
)
def test_what_is_no_micrograph_is_told(tmp_path, suffix, values, axes, words):
    path = WRITERS[suffix](tmp_path / f"a{suffix}", (values, axes))
    with pytest.raises(ArtifactError, match=words) as error:
        list(read_micrographs(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_a_spectrum_image_without_units_is_told_by_its_axes(tmp_path, suffix):
    axes = axes_of(STACK)
    for axis, navigates in zip(axes, (True, True, False), strict=True):
        axis["navigate"] = navigates
    path = WRITERS[suffix](tmp_path / f"a{suffix}", (STACK, axes))
    with pytest.raises(ArtifactError, match="spectra or profiles of 60 values"):
        list(read_micrographs(path))


@pytest.mark.parametrize("suffix", FORMATS)
def test_others_than_micrographs_are_left_out(tmp_path, suffix):
    path = WRITERS[suffix](tmp_path / f"a{suffix}", (IMAGE, axes_of(IMAGE)), (IMAGE, axes_of(IMAGE, (0.1, "1/nm"))))
    (found,) = read_micrographs(path)
    assert "diffraction" in found.left_out[0]


# --- what must not be read ---------------------------------------------------------------------


def link(path):
    other = hspy(path.with_name("other.hspy"), (IMAGE, axes_of(IMAGE)))
    with h5py.File(path, "a") as file:
        del file["Experiments/signal 0/data"]
        file["Experiments/signal 0/data"] = h5py.ExternalLink(str(other), "/Experiments/signal 0/data")


def raw_file(path):
    path.with_name("raw").write_bytes(IMAGE.tobytes())
    with h5py.File(path, "a") as file:
        del file["Experiments/signal 0/data"]
        where = [(str(path.with_name("raw")), 0, IMAGE.nbytes)]
        file["Experiments/signal 0"].create_dataset("data", IMAGE.shape, IMAGE.dtype, external=where)


def virtual(path):
    layout = h5py.VirtualLayout(IMAGE.shape, IMAGE.dtype)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", IMAGE.shape)
    with h5py.File(path, "a") as file:
        del file["Experiments/signal 0/data"]
        file["Experiments/signal 0"].create_virtual_dataset("data", layout)


def huge(path):
    with h5py.File(path, "a") as file:
        del file["Experiments/signal 0/data"]
        file["Experiments/signal 0"].create_dataset(
            "data", (2**20, 2**20), "u1", chunks=(1024, 1024), compression="gzip"
        )


def huge_chunk(path):
    with h5py.File(path, "a") as file:
        del file["Experiments/signal 0/data"]
        group = file["Experiments/signal 0"]
        group.create_dataset("data", (8, 8), "u1", maxshape=(None, None), chunks=(2**15, 2**15), compression="gzip")


def plug_in(path):
    with h5py.File(path, "a") as file:
        del file["Experiments/signal 0/data"]
        # optional: HDF5 stores the pixels without it where the plug-in is missing
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(IMAGE.shape)
        plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space, kind = h5py.h5s.create_simple(IMAGE.shape), h5py.h5t.py_create(IMAGE.dtype)
        h5py.h5d.create(file["Experiments/signal 0"].id, b"data", kind, space, plist)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (link, "link to another file"),
        (raw_file, "values in other files"),
        (virtual, "values in other files"),
        (huge, "claims to hold"),
        (huge_chunk, "claims to hold"),
        (plug_in, "plug-in"),
    ],
)
@pytest.mark.parametrize("suffix", [".hspy", ".emd"])
def test_files_that_reach_beyond_themselves_are_refused(tmp_path, damage, words, suffix):
    path = hspy(tmp_path / f"a{suffix}", (IMAGE, axes_of(IMAGE)))
    damage(path)
    with pytest.raises(ArtifactError, match=words) as error:
        list(read_micrographs(path))
    assert path.name in str(error.value)


def test_groups_that_contain_one_another_end(tmp_path):
    path = hspy(tmp_path / "a.hspy", (IMAGE, axes_of(IMAGE)))
    with h5py.File(path, "a") as file:
        file["Experiments/signal 0/metadata/again"] = file["Experiments"]
    assert len(list(read_micrographs(path))) == 1


class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_no_pickle_is_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = zspy(tmp_path / "a.zspy", (IMAGE, axes_of(IMAGE)))
    array = folder / "Experiments/signal 0/data"
    declared = json.loads((array / ".zarray").read_text())
    for change in ({"filters": [{"id": "pickle"}]}, {"dtype": "|O", "filters": [{"id": "pickle"}]}):
        (array / ".zarray").write_text(json.dumps(declared | change | {"compressor": None}))
        (array / "0.0").write_bytes(pickle.dumps(Evil()))
        with pytest.raises(ArtifactError, match="codec pickle"):
            list(read_micrographs(folder))
    with h5py.File(hspy(tmp_path / "a.hspy", (IMAGE, axes_of(IMAGE))), "a") as file:
        file["Experiments/signal 0/metadata"].attrs["_bs_code"] = np.void(pickle.dumps(Evil()))
    assert len(list(read_micrographs(tmp_path / "a.hspy"))) == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"shape": [2**20, 2**20]}, "claims to hold"), ({"chunks": [2**20, 2**20]}, "claims to hold"), (None, "JSON")],
)
def test_folders_of_zarr_are_checked_before_they_are_read(tmp_path, change, words):
    folder = zspy(tmp_path / "a.zspy", (IMAGE, axes_of(IMAGE)))
    path = folder / "Experiments/signal 0/data/.zarray"
    path.write_text("{" if change is None else json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError, match=words):
        list(read_micrographs(folder))


def test_links_in_a_folder_are_refused(tmp_path):
    folder = zspy(tmp_path / "a.zspy", (IMAGE, axes_of(IMAGE)))
    (folder / "Experiments/more").symlink_to("/dev")
    with pytest.raises(ArtifactError, match="neither a file nor a folder"):
        list(read_micrographs(folder))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("content", [b"", b"no file of HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_malformed_files_are_named(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"a{suffix}"):
        list(read_micrographs(path))


@pytest.mark.parametrize("suffix", [".hspy", ".emd"])
def test_files_that_are_cut_off_are_named(tmp_path, suffix):
    path = WRITERS[suffix](tmp_path / f"a{suffix}", (IMAGE, axes_of(IMAGE)))
    content = path.read_bytes()
    for end in (len(content) // 2, len(content) - 100):
        path.write_bytes(content[:end])
        with pytest.raises(ArtifactError, match=f"a{suffix}"):
            list(read_micrographs(path))


def test_hdf5_of_others_is_told(tmp_path):
    for suffix in (".hspy", ".emd"):
        with h5py.File(tmp_path / f"a{suffix}", "w") as file:
            file["values"] = IMAGE
        with pytest.raises(ArtifactError, match=f"a{suffix}"):
            list(read_micrographs(tmp_path / f"a{suffix}"))


# --- a folder that counts as a file ------------------------------------------------------------


def test_a_folder_of_zspy_counts_as_a_file(tmp_path):
    path = zspy(tmp_path / "a.zspy", (IMAGE, axes_of(IMAGE)))
    hspy(tmp_path / "b.hspy", (IMAGE, axes_of(IMAGE)))
    assert expand_inputs([path]) == [path]
    assert expand_inputs([tmp_path]) == [path, tmp_path / "b.hspy"]
    assert expand_inputs([tmp_path / "*.zspy"]) == [path]
    assert expand([str(path)], "--micrographs") == expand([f"{tmp_path}/**/*.zspy"], "--micrographs") == [path]
    digest = content_sha256(path, "micrograph")
    chunk = next(each for each in path.rglob("*") if each.name == "0.0")
    chunk.write_bytes(chunk.read_bytes() + b"0")
    assert content_sha256(path, "micrograph") != digest
