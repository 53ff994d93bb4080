"""What a crafted file declares is bounded before it is read."""

import json
import zipfile

import numpy as np
import pytest
import xarray as xr

from hrtem_ood.artifacts import sealed_zip, store, zarr_limits
from hrtem_ood.artifacts.integrity import check_extxyz, checked_extxyz, seal_zip
from hrtem_ood.artifacts.zarr_mmap import memmap_rows
from hrtem_ood.errors import ArtifactError


@pytest.fixture
def path(tmp_path):
    """Return a small file of every kind of array, with one chunk per row of one of them."""
    path = tmp_path / "a.zarr.zip"
    counts = np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8)
    dataset = xr.Dataset(
        {
            "counts": (("image", "y", "x"), counts),
            "f1": (("image",), np.full(4, 0.5, np.float32)),
            "label": (("image", "y", "x"), np.zeros_like(counts)),
            "side": ((), 8),
        },
        coords={"network": ["a-1", "b-22", "c", "d"]},
    )
    dataset["counts"].encoding = {"chunks": (1, 8, 8), "compressors": None}
    store.write_zarr(path, dataset, {"id": "a"})
    return path


def craft(path, edit):
    """Change the members of a file, and seal it as this program does."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    seal_zip(path, archive.start_dir)


def declare(path, array, **values):
    """Change the metadata of an array."""

    def edit(members):
        content = json.loads(members[f"{array}/zarr.json"])
        members[f"{array}/zarr.json"] = json.dumps(content | values).encode()

    craft(path, edit)


def test_chunks_of_the_fill_value_need_not_be_stored(path):
    with zipfile.ZipFile(path) as archive:
        assert not any(name.startswith("label/c") for name in archive.namelist())
    assert int(store.read_zarr(path).label.max()) == 0
    assert memmap_rows(path, "counts")(3)[0, 0] == 192


CRAFTED = [
    ("counts", {"shape": [2**62, 8, 8]}, "its array counts of shape .* is too large"),
    ("counts", {"shape": [2**62, 0, 8]}, "its array counts of shape .* is too large"),
    ("counts", {"shape": [2**30, 8, 8]}, "its array counts of shape 1,073,741,824 × 8 × 8 has too many chunks"),
    ("f1", {"shape": [2**22]}, "has too many chunks"),
    (
        "f1",
        {"shape": [2**33], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**30]}}},
        "its array f1 has a shape of 8,589,934,592, but only 1 chunks",
    ),
    ("f1", {"shape": [2**40], "chunk_grid": {"configuration": {"chunk_shape": [2**40]}}}, "is too large"),
    ("f1", {"shape": [-1]}, "the metadata of its array f1 is no array's"),
    ("f1", {"shape": [4.0]}, "the metadata of its array f1 is no array's"),
    ("f1", {"shape": [4, 4]}, "the metadata of its array f1 is no array's"),
    ("f1", {"shape": "4"}, "the metadata of its array f1 is no array's"),
    ("f1", {"chunk_grid": {"configuration": {"chunk_shape": [0]}}}, "the metadata of its array f1 is no array's"),
    ("f1", {"chunk_grid": {}}, "its f1 is no array"),
    ("f1", {"codecs": 3}, "its f1 is no array"),
    ("f1", {"data_type": "object"}, "its array f1 has the type object, which hrtem-ood does not write"),
    ("f1", {"data_type": {"name": "fixed_length_utf32"}}, "the metadata of its array f1 is no array's"),
]


@pytest.mark.parametrize(("array", "values", "message"), CRAFTED)
def test_a_declared_shape_is_bounded_before_it_is_read(path, array, values, message):
    declare(path, array, **values)
    for read in (store.read_zarr, lambda path: memmap_rows(path, "counts")):
        with pytest.raises(ArtifactError, match=f"a.zarr.zip is damaged .*{message}"):
            read(path)


def test_members_outside_the_grid_are_no_chunks(path, monkeypatch):
    def edit(members):
        members |= {f"f1/c/{name}": b"1" for name in ("2", "01", "-1", "x", "0/0", "")}
        members["f1x/c/1"] = b"1"

    monkeypatch.setattr(zarr_limits, "LARGEST_FILL", 300)  # all of `label` is 256
    store.read_zarr(path)
    declare(path, "f1", shape=[32], chunk_grid={"name": "regular", "configuration": {"chunk_shape": [16]}})
    craft(path, edit)
    with pytest.raises(ArtifactError, match="but only"):
        store.read_zarr(path)


def test_metadata_and_members_are_bounded(path, monkeypatch):
    craft(path, lambda members: members.update({f"x{number}.zarr.json": b" " * 3000 for number in range(10)}))
    monkeypatch.setattr(sealed_zip, "ATTRIBUTES_LIMIT", 20_000)
    with pytest.raises(
        ArtifactError, match=r"a.zarr.zip is damaged .*bytes of metadata; such a file has at most 20,000"
    ):
        store.zarr_attributes(path)
    monkeypatch.undo()
    monkeypatch.setattr(sealed_zip, "MOST_MEMBERS", 10)
    with pytest.raises(ArtifactError, match="members; such a file has at most 10"):
        store.zarr_attributes(path)
    monkeypatch.undo()
    monkeypatch.setattr(sealed_zip, "LARGEST_DIRECTORY", 500)
    with pytest.raises(ArtifactError, match=r"its digest is of .* bytes; such a file has at most 500"):
        store.zarr_attributes(path)


@pytest.mark.parametrize("read", [checked_extxyz, check_extxyz])
def test_a_long_tail_of_structures_is_not_read(tmp_path, read):
    from ase import Atoms

    path = tmp_path / "a.extxyz"
    store.write_structures(path, [Atoms("H", cell=[1, 1, 1])], {"id": "a"})
    read(path)
    with path.open("rb+") as file:
        file.truncate(60 * 2**30)  # takes no room
    with pytest.raises(ArtifactError, match=r"a.extxyz is damaged .*64,424,509,440 bytes"):
        read(path)
    with path.open("rb+") as file:
        file.truncate(2**20)
    with pytest.raises(ArtifactError, match="its atoms do not have the digest"):
        read(path)
