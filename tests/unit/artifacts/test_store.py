"""Artifacts are whole, are what their names say, or are refused."""

import errno
import importlib.metadata
import json
import os
import zipfile
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from ase import Atoms
from zarr.codecs import BloscCodec

from hrtem_ood import gpu_machine
from hrtem_ood.artifacts import provenance, sealed_zip, store
from hrtem_ood.artifacts.zarr_mmap import memmap_rows
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.errors import ArtifactError


@pytest.fixture
def dataset():
    counts = np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8)
    return xr.Dataset(
        {"counts": (("image", "y", "x"), counts), "wave": (("y", "x"), np.full((8, 8), 1 + 2j, np.complex64))},
        coords={"image": np.arange(4), "network": ["a-1", "b-22", "c", "d"]},
    )


def test_zarr_round_trip(tmp_path, dataset):
    path = tmp_path / "x" / "a-0123456789.zarr.zip"
    store.write_zarr(path, dataset, {"id": "a-0123456789", "seconds": 1.5})
    again = store.read_zarr(path)
    xr.testing.assert_equal(again, dataset)
    assert again.attrs == {"id": "a-0123456789", "seconds": 1.5}
    assert again.counts.dtype == np.uint8
    assert store.zarr_attributes(path)["id"] == "a-0123456789"
    assert list(path.parent.iterdir()) == [path]


def test_equal_content_gives_equal_files(tmp_path, dataset):
    paths = [tmp_path / folder / "a.zarr.zip" for folder in "pq"]
    for path in paths:
        store.write_zarr(path, dataset, {"id": "a"})
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_zip_holds_each_member_once(tmp_path, dataset):
    store.write_zarr(tmp_path / "a.zarr.zip", dataset, {"id": "a"})
    names = zipfile.ZipFile(tmp_path / "a.zarr.zip").namelist()
    assert len(names) == len(set(names))


def in_blocks(path, values, starts, rows=4):
    with store.writing_zarr(path) as writer:
        codec = BloscCodec(cname="zstd", typesize=4)
        encoding = {"chunks": (rows, 2), "compressors": codec, "attributes": {"units": "1"}}
        writer.add_array("f1", ("network", "condition"), values.shape, "float32", encoding)
        for start, stop in pairwise([*starts, len(values)]):
            writer.write("f1", start, values[start:stop])
        total = (("network",), values.sum(axis=1))
        writer.finalize(xr.Dataset({"total": total}, coords={"condition": list("abc")}), {"id": "a"})


def test_an_array_written_in_blocks_reads_like_one_written_at_once(tmp_path):
    path, values = tmp_path / "a.zarr.zip", np.random.default_rng(0).random((11, 3), np.float32)
    values[4:8] = np.nan
    in_blocks(path, values, [0, 4, 8])
    found = store.read_zarr(path)
    np.testing.assert_array_equal(found.f1, values)
    assert found.f1.dims == ("network", "condition")
    assert found.f1.attrs == {"units": "1"}
    np.testing.assert_array_equal(found.total, values.sum(axis=1))
    assert list(found.condition.values) == ["a", "b", "c"]
    names = zipfile.ZipFile(path).namelist()
    assert len(names) == len(set(names))
    in_blocks(tmp_path / "b" / path.name, values, [0, 8])
    assert (tmp_path / "b" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("starts", "said"), [([0, 3], "no whole chunks"), ([4, 6], "no whole chunks")])
def test_blocks_that_do_not_fit_leave_nothing_behind(tmp_path, starts, said):
    with pytest.raises(ValueError, match=said):
        in_blocks(tmp_path / "a.zarr.zip", np.zeros((11, 3), np.float32) + 1, starts)
    assert list(tmp_path.iterdir()) == []


def test_a_block_is_written_once(tmp_path):
    block = np.ones((2, 2), np.float32)
    with store.writing_zarr(tmp_path / "a") as writer:
        writer.add_array("f1", ("x", "y"), (2, 2), "float32", {"chunks": (2, 2)})
        writer.write("f1", 0, block)
        with pytest.raises(ValueError, match="f1/c/0/0 is written already"):
            writer.write("f1", 0, block)


def test_renamed_artifact_is_refused(tmp_path, dataset):
    store.write_zarr(tmp_path / "a.zarr.zip", dataset, {"id": "a"})
    (tmp_path / "a.zarr.zip").rename(tmp_path / "b.zarr.zip")
    with pytest.raises(ArtifactError, match=r"b\.zarr\.zip holds a, not b"):
        store.read_zarr(tmp_path / "b.zarr.zip")
    assert store.read_zarr(tmp_path / "b.zarr.zip", expect_id="a").sizes["image"] == 4


def test_truncated_artifact_is_refused_and_kept(tmp_path, dataset):
    path = tmp_path / "a.zarr.zip"
    store.write_zarr(path, dataset, {"id": "a"})
    path.write_bytes(path.read_bytes()[:-100])
    for read in (store.read_zarr, store.zarr_attributes):
        with pytest.raises(ArtifactError, match=r"a\.zarr\.zip is damaged.* Delete"):
            read(path)
    assert path.exists()


def test_flipped_bit_is_noticed(tmp_path, dataset):
    path = tmp_path / "a.zarr.zip"
    store.write_zarr(path, dataset, {"id": "a"})
    with zipfile.ZipFile(path) as archive:
        chunk = next(info for info in archive.infolist() if info.filename.startswith("counts/c"))
    content = bytearray(path.read_bytes())
    content[chunk.header_offset + 30 + len(chunk.filename) + chunk.compress_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged"):
        store.read_zarr(path)


def test_missing_artifact_is_named(tmp_path):
    for read in (store.read_zarr, store.read_structures, store.read_json, store.read_checkpoint):
        with pytest.raises(ArtifactError, match="gone is missing"):
            read(tmp_path / "gone")


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    store.write_json(path, {"id": "a"})

    def write_half():
        with store.atomic_replace(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert store.read_json(path) == {"id": "a"}
    assert list(tmp_path.iterdir()) == [path]


def scenes(n):
    return [
        Atoms("C2", positions=[[0, 0, k], [1, 1, k]], cell=[5, 5, 9], pbc=True, info={"structure": k}) for k in range(n)
    ]


def test_structures_round_trip(tmp_path):
    path = tmp_path / "s.extxyz"
    made = scenes(3)
    store.write_structures(path, made, {"id": "s", "parameters": '{"a":[1,2]}'})
    assert made[0].info == {"structure": 0}
    again = store.read_structures(path)
    assert [atoms.info["structure"] for atoms in again] == [0, 1, 2]
    assert all(np.array_equal(one.positions, other.positions) for one, other in zip(made, again, strict=True))
    assert again[0].info["id"] == "s"


def test_structures_cut_off_at_a_frame_are_refused(tmp_path):
    path = tmp_path / "s.extxyz"
    store.write_structures(path, scenes(3), {"id": "s"})
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:8]))
    with pytest.raises(ArtifactError, match=r"s\.extxyz is damaged .*its atoms do not have the digest"):
        store.read_structures(path)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ArtifactError, match=r"s\.extxyz"):
        store.read_structures(path)


def test_checkpoint_round_trip_and_damage(tmp_path):
    import torch

    path = tmp_path / "n.ckpt"
    store.write_checkpoint(path, {"id": "n", "state_dict": {"w": torch.arange(5.0)}})
    assert torch.equal(store.read_checkpoint(path)["state_dict"]["w"], torch.arange(5.0))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ArtifactError, match="damaged"):
        store.read_checkpoint(path)


def test_damaged_json_is_refused(tmp_path):
    (tmp_path / "p.json").write_text('{"id": ')
    with pytest.raises(ArtifactError, match="damaged"):
        store.read_json(tmp_path / "p.json")


def test_provenance_tells_how(raw):
    spec = load_campaign(raw).transfer
    told = store.provenance(spec, seconds=1.23456, device="cpu")
    assert told["id"] == spec.id
    assert json.loads(told["parameters"])["pixel_size_A"] == 0.4
    assert {"abtem", "torch", "hrtem-ood"} <= set(json.loads(told["software"]))
    assert told["seconds"] == 1.235


def test_provenance_needs_no_package_that_is_not_used(raw, monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "pyfftw":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    provenance.package_versions.cache_clear()
    told = store.provenance(load_campaign(raw).transfer, seconds=1, device="cpu")
    provenance.package_versions.cache_clear()
    assert "pyfftw" not in json.loads(told["software"])
    assert "numpy" in json.loads(told["software"])


def test_provenance_tells_what_computed_on_a_gpu(raw):
    spec, gpu = load_campaign(raw).transfer, {"cupy-cuda13x": "14.2.0", "CUDA of CuPy": "13.0", "NVIDIA driver": "580"}
    told = store.provenance(spec, seconds=1, device="NVIDIA H100", software=gpu)
    assert json.loads(told["software"]).items() >= gpu.items()
    assert store.made_on(told) == "NVIDIA H100; CUDA of CuPy 13.0; NVIDIA driver 580; cupy-cuda13x 14.2.0"
    assert "jobs_per_gpu" not in told
    assert store.made_on(store.provenance(spec, seconds=1, device="cpu")) == "cpu"


def test_provenance_tells_how_many_jobs_share_a_gpu(raw):
    spec = load_campaign(raw).transfer
    try:
        gpu_machine.set_memory_share(4)
        assert store.provenance(spec, seconds=1, device="NVIDIA H100")["jobs_per_gpu"] == 4
        assert "jobs_per_gpu" not in store.provenance(spec, seconds=1, device="cpu")
    finally:
        gpu_machine.set_memory_share(1)


@pytest.mark.parametrize("software", [5, "[1", '["a"]', "", None, "null"])
def test_versions_that_cannot_be_read_are_unknown(software):
    assert store.made_on({"device": "cpu", "software": software}) == "cpu; software unknown"


def test_what_inputs_were_made_on_counts_where_it_is_something_else(raw):
    spec = load_campaign(raw).transfer

    def made_on(*inputs):
        return store.made_on(store.provenance(spec, seconds=1, device="cpu", inputs_made_on=inputs))

    assert made_on() == made_on("cpu") == "cpu"
    assert made_on("NVIDIA H100; CUDA of CuPy 13.0") == "cpu; of what was made on NVIDIA H100; CUDA of CuPy 13.0"
    assert made_on("NVIDIA H100", "cpu") == made_on("cpu", "NVIDIA H100") != "cpu"


@pytest.mark.parametrize("compressors", [[], None])
def test_rows_are_mapped_where_they_are_stored_as_they_are(tmp_path, compressors):
    waves = np.random.default_rng(0).normal(size=(4, 2, 6, 6)).view(np.complex128).astype(np.complex64)
    waves[2] = 0  # a chunk that Zarr may leave out
    dataset = xr.Dataset({"wave": (("structure", "phonon", "y", "x"), waves)})
    dataset.wave.encoding = {"chunks": (1, *waves.shape[1:]), "compressors": compressors}
    if compressors is None:
        del dataset.wave.encoding["compressors"]
    path = tmp_path / "w.zarr.zip"
    store.write_zarr(path, dataset, {"id": "w"})
    row = memmap_rows(path, "wave")
    if compressors is None:
        assert row is None
        return
    for number in (3, 0, 1, 2):
        np.testing.assert_array_equal(row(number), waves[number])
    assert not row(0).flags.writeable
    np.testing.assert_array_equal(store.read_zarr(path).wave, waves)


def test_other_chunks_are_not_mapped(tmp_path):
    dataset = xr.Dataset({"wave": (("structure", "x"), np.ones((4, 6), np.float32))})
    dataset.wave.encoding = {"chunks": (2, 6), "compressors": []}
    path = tmp_path / "w.zarr.zip"
    store.write_zarr(path, dataset, {"id": "w"})
    assert memmap_rows(path, "wave") is None


def test_lazy_arrays_are_digested_some_rows_at_a_time(tmp_path, dataset, monkeypatch):
    path = tmp_path / "a.zarr.zip"
    store.write_zarr(path, dataset, {"id": "a"})
    whole = store.arrays_sha256(dataset.counts.values, dataset.wave.values)
    monkeypatch.setattr(store, "DIGEST_BLOCK", 2 * 8 * 8)  # two images
    rows, contiguous = [], np.ascontiguousarray

    def counted(part):
        rows.append(len(part))
        return contiguous(part)

    monkeypatch.setattr(np, "ascontiguousarray", counted)
    with store.open_zarr(path, dask=False) as lazy:
        assert store.arrays_sha256(lazy.counts, lazy.wave) == whole
    assert rows == [2, 2, 2, 2, 2, 2]  # 4 images of 64 B; 8 rows of 64 B


def test_a_store_is_opened_once_and_no_metadata_is_read_twice(tmp_path, monkeypatch):
    path = tmp_path / "a-0123456789.zarr.zip"
    store.write_zarr(path, xr.Dataset({"x": ("i", np.arange(3)), "y": ("i", np.ones(3))}), {"id": "a-0123456789"})
    opened, read = [], []
    open_regular, zip_read = sealed_zip.open_regular, zipfile.ZipFile.read

    def counted_open(path):
        opened.append(path)
        return open_regular(path)

    def counted_read(archive, member):
        read.append(member.filename)
        return zip_read(archive, member)

    monkeypatch.setattr(sealed_zip, "open_regular", counted_open)
    monkeypatch.setattr(zipfile.ZipFile, "read", counted_read)
    with store.open_zarr(path) as dataset:
        np.testing.assert_array_equal(dataset.x, [0, 1, 2])
    assert opened == [path]
    assert sorted(name for name in read if name.endswith("zarr.json")) == ["x/zarr.json", "y/zarr.json", "zarr.json"]


@pytest.mark.parametrize(
    ("code", "where"),
    [(errno.ENOSPC, None), (errno.EDQUOT, None), (errno.EACCES, "temporary"), (errno.ENOENT, "other")],
)
def test_an_error_of_writing_names_the_file_that_was_to_be_written(tmp_path, code, where):
    path = tmp_path / "a.json"
    with pytest.raises(OSError, match=os.strerror(code)) as raised, store.atomic_replace(path) as temporary:
        raise OSError(code, os.strerror(code), *{"temporary": [str(temporary)], "other": ["b"]}.get(where, []))
    assert (raised.value.errno, raised.value.filename) == (code, "b" if where == "other" else str(path))
    assert not list(tmp_path.iterdir())


def test_a_file_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(NotADirectoryError) as raised, store.atomic_replace(tmp_path / "a/b.json"):
        raise AssertionError
    assert raised.value.filename == str(tmp_path / "a/b.json")
