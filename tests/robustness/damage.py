"""Damage to artifacts of every kind, seeded, and what the code that reads them next makes of it.

    python -m tests.robustness.damage [--number 1000] [--seed 0] [--finished FOLDER]

runs a tiny campaign (or takes one that has been run in FOLDER, which is not changed), damages a file, reads it as the next
stage does, and puts it back. A read ends in one of five ways; only the first two are right:

detected    an error of this program that names the file
no effect   all that is read is as it was
unnamed     an error of this program that does not name the file
silent      something else is read, and nothing said
traceback   any other exception
"""

import argparse
import contextlib
import hashlib
import io
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tests.workflow.conftest import TINY, Project

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.errors import HrtemOodError

RIGHT = ("detected", "no effect")
SECONDS = 60
"""A read that takes longer hangs."""

RECORD = {
    "id": "", "kind": "packs", "state": "failed", "host": "node7", "pid": 1234, "process_start": 1.5e9, "slurm_job": "77",
    "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T01:00:00+00:00", "configs": ["results/configs/a.json"],
    "error": "no memory",
}  # fmt: skip


# --- what is read ----------------------------------------------------------------------------


def fingerprint(value: Any) -> str:
    """Digest of arrays, datasets, structures and plain values, nested."""
    digest = hashlib.sha256()

    def add(item: Any) -> None:
        if hasattr(item, "data_vars"):  # a dataset of xarray
            add(
                {
                    str(name): (variable.dims, variable.values, variable.attrs)
                    for name, variable in item.variables.items()
                }
            )
            add(item.attrs)
        elif hasattr(item, "get_positions"):  # a structure of ASE
            add([item.numbers, item.positions, np.array(item.cell), item.pbc, item.info, item.arrays])
        elif isinstance(item, dict):
            for key in sorted(item, key=str):
                digest.update(f"{key}:".encode())
                add(item[key])
        elif isinstance(item, list | tuple):
            digest.update(b"[")
            for each in item:
                add(each)
            digest.update(b"]")
        elif hasattr(item, "detach"):  # a tensor of PyTorch
            add(item.detach().float().numpy())
        elif isinstance(item, np.ndarray) and item.dtype != object:
            digest.update(f"{item.dtype} {item.shape}".encode() + np.ascontiguousarray(item).tobytes())
        else:
            digest.update(
                repr(item.tolist() if isinstance(item, np.ndarray) else item).encode("utf-8", "replace") + b","
            )

    add(value)
    return digest.hexdigest()


@dataclass
class Reader:
    """Reads artifacts as the stages of a campaign do."""

    campaign: Campaign
    results: Path
    before: dict[Path, str] = field(default_factory=dict)

    def content(self, stage: str, path: Path) -> Any:
        """Return all that is read from an artifact."""
        return getattr(self, f"_{stage}")(path)

    def _structures(self, path: Path) -> Any:
        from hrtem_ood.artifacts import store

        return store.structures_attributes(path)["parameters"], store.read_structures(path)

    def _exit_waves(self, path: Path) -> Any:
        from hrtem_ood.campaign.object_spectra import object_spectra
        from hrtem_ood.stages.image import iter_exit_waves

        id_ = path.name.removesuffix(".zarr.zip")
        spec = next(
            spec for dataset, spec in self.campaign.datasets.items()
            if id_ in [shard.id for shard in self.campaign.exit_waves_of[dataset]]
        )  # fmt: skip
        shards = [path.with_name(f"{shard.id}.zarr.zip") for shard in self.campaign.exit_waves_of[spec.id]]
        read = [
            (told, wave.structure, wave.zero_defocus_A, _planes(wave.waves), np.array(wave.particle_phase))
            for told, wave in iter_exit_waves(spec, shards)
        ]
        return read, [vars(each) for each in object_spectra(self.campaign, self.results).values()]

    def _datasets(self, path: Path) -> Any:
        from hrtem_ood.artifacts import store
        from hrtem_ood.learning.batches import read_images

        with store.open_zarr(path) as dataset:
            first = dataset["counts"].isel(image=slice(0, 48)).values
        return store.zarr_attributes(path), first, tuple(read_images(path)), tuple(read_images(path, np.array([0, 2])))

    def _networks(self, path: Path) -> Any:
        from hrtem_ood.learning.checkpoint import load_network, read_network

        content = read_network(path)
        return content, load_network(content).state_dict()

    def _packs(self, path: Path) -> Any:
        from hrtem_ood.analysis.gather import gather_training
        from hrtem_ood.artifacts import store

        return store.read_json(path), gather_training(self.campaign, self.results, list(self.campaign.networks))

    def _suites(self, path: Path) -> Any:
        from hrtem_ood.artifacts import store

        return store.read_json(path)

    def _evaluations(self, path: Path) -> Any:
        from hrtem_ood.analysis.gather import score_blocks
        from hrtem_ood.artifacts import store

        blocks = list(score_blocks(self.campaign, self.results, self.campaign.test_dataset_ids, 4))
        return store.zarr_attributes(path), blocks

    def _transfer(self, path: Path) -> Any:
        from hrtem_ood.artifacts import store

        return store.read_zarr(path)

    _predictors = _transfer

    def _metrics(self, path: Path) -> Any:
        from hrtem_ood.analysis.matrix import read_metrics
        from hrtem_ood.artifacts import store

        return read_metrics(self.campaign, self.results), store.read_zarr(path)

    def _indexes(self, path: Path) -> Any:
        from hrtem_ood.artifacts import store

        return store.read_table(path) if hasattr(store, "read_table") else path.read_text()

    def _configs(self, path: Path) -> Any:
        from hrtem_ood.campaign.load import load_campaign_from_files

        return load_campaign_from_files([path]).config_json

    def _jobs(self, path: Path) -> Any:
        from hrtem_ood.execution import job_records

        return (job_records.load if hasattr(job_records, "load") else job_records.read)(path)


def _planes(waves: Any) -> np.ndarray:
    """Read waves as imaging does."""
    from hrtem_ood.array_module import array_module
    from hrtem_ood.physics.optics.fourier import cropped_spectra

    return np.asarray(cropped_spectra(waves, waves.shape[-1], array_module("cpu")))


# --- damage ----------------------------------------------------------------------------------


def _flip(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _truncate(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def _zero(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    stop = min(len(content), start + rng.choice([1, 16, 512, 4096]))
    content[start:stop] = bytes(stop - start)


def _append(content: bytearray, rng: random.Random) -> None:
    content += rng.randbytes(rng.choice([1, 22, 1000]))


def _empty(content: bytearray, _rng: random.Random) -> None:
    content.clear()


def _digit(content: bytearray, rng: random.Random) -> None:
    """Change one digit of a text."""
    places = [match.start() for match in re.finditer(rb"[0-9]", content)]
    place = rng.choice(places)
    content[place] = rng.choice([digit for digit in b"0123456789" if digit != content[place]])


def _metadata(content: bytearray, rng: random.Random) -> None:
    """Flip a bit of the metadata of a zip: of a zarr.json, a header, or the directory."""
    marks = [m.start() for m in re.finditer(rb"zarr\.json|PK\x01\x02|PK\x03\x04|data\.pkl|PK\x05\x06", content)]
    place = min(len(content) - 1, rng.choice(marks) + rng.randrange(120))
    content[place] ^= 1 << rng.randrange(8)


def _coordinates(content: bytearray, rng: random.Random) -> None:
    """Flip a bit of the chunks of coordinates."""
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        small = [each for each in archive.infolist() if "/c/" in each.filename and each.file_size < 2000]
    chosen = rng.choice(small)
    start = chosen.header_offset + 30 + len(chosen.filename)
    content[start + rng.randrange(max(1, chosen.file_size))] ^= 1 << rng.randrange(8)


BYTES: dict[str, Callable[[bytearray, random.Random], None]] = {
    "bit": _flip, "cut": _truncate, "zeros": _zero, "appended": _append, "emptied": _empty,
}  # fmt: skip
TEXT = {"digit": _digit}
ZIP = {"metadata": _metadata}
ZARR = {"coordinates": _coordinates}


def rewrite(path: Path, rng: random.Random) -> None:
    """Change one value, and write the file anew as a program does that knows nothing of digests."""
    if path.name.endswith(".zarr.zip"):
        import xarray as xr
        from zarr.storage import ZipStore

        warnings.filterwarnings("ignore", "Duplicate name")  # ZipStore writes metadata twice

        with ZipStore(path, mode="r") as store:
            data = xr.open_zarr(store, consolidated=False).load()
        names = [name for name in data.data_vars if data[name].size and data[name].dtype.kind in "iufc"]
        values = data[rng.choice(names)].values.reshape(-1)
        values[rng.randrange(values.size)] += 1
        path.unlink()
        with ZipStore(path, mode="w") as store:
            data.drop_encoding().to_zarr(store, mode="w", consolidated=False, zarr_format=3)
    elif path.suffix == ".ckpt":
        import torch

        content = torch.load(path, weights_only=True)
        name = rng.choice(sorted(content["curves"]))
        content["curves"][name][-1] += 0.5
        torch.save(content, path)
    elif path.suffix == ".extxyz":
        from ase.io import read, write

        frames = read(path, ":", format="extxyz")
        frames[-1].positions[rng.randrange(len(frames[-1]))] += 0.5
        write(path, frames, format="extxyz")
    else:
        text = path.read_text()
        numbers = [match.span() for match in re.finditer(r"\b[0-9]+(\.[0-9]+)?\b", text)]
        start, stop = rng.choice(numbers)
        path.write_text(text[:start] + str(rng.randrange(1, 10**6)) + text[stop:])


def damages(path: Path) -> list[str]:
    """Names of the damages that a file can take."""
    names = [*BYTES, "rewritten", "swapped"]
    if path.name.endswith(".zarr.zip"):
        return [*names, *ZIP, *ZARR]
    return [*names, *(ZIP if path.suffix == ".ckpt" else TEXT)]


def damage(path: Path, name: str, others: list[Path], rng: random.Random) -> None:
    """Damage a file."""
    if name == "rewritten":
        rewrite(path, rng)
    elif name == "swapped":
        if others:
            shutil.copy(rng.choice(others), path)
        else:
            path.write_bytes(path.read_bytes()[::-1])
    else:
        content = bytearray(path.read_bytes())
        {**BYTES, **TEXT, **ZIP, **ZARR}[name](content, rng)
        path.write_bytes(content)


# --- counting --------------------------------------------------------------------------------


@contextlib.contextmanager
def _no_longer_than(seconds: int) -> Iterator[None]:
    def end(_number: int, _frame: Any) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(read: Callable[[], Any], path: Path, before: str) -> tuple[str, str]:
    """Return how a read ends, and the message or traceback."""
    said = io.StringIO()
    end, message = "no effect", ""
    with warnings.catch_warnings(), contextlib.redirect_stderr(said):
        warnings.simplefilter("ignore")
        try:
            with _no_longer_than(SECONDS):
                end = "no effect" if fingerprint(read()) == before else "silent"
        except HrtemOodError as error:
            end, message = ("detected" if path.name in str(error) else "unnamed"), str(error)
        except Exception:
            end, message = "traceback", traceback.format_exc()
    if "Traceback" in said.getvalue():
        end, message = "traceback", said.getvalue()
    return end, message


def files(results: Path) -> dict[str, list[Path]]:
    """Artifacts by stage, and records of jobs."""
    suffixes = {
        "structures": ".extxyz", "exit_waves": ".zarr.zip", "datasets": ".zarr.zip", "networks": ".ckpt", "packs": ".json",
        "suites": ".json", "evaluations": ".zarr.zip", "transfer": ".zarr.zip", "predictors": ".zarr.zip",
        "metrics": ".zarr.zip", "indexes": ".csv", "configs": ".json", "jobs": ".json",
    }  # fmt: skip
    return {stage: sorted((results / stage).rglob(f"*{suffix}")) for stage, suffix in suffixes.items()}


@dataclass
class Counts:
    """Ends of reads by stage, and those that are wrong."""

    ends: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def total(self, end: str) -> int:
        """Return the number of reads that ended so."""
        return sum(number for (_, _, each), number in self.ends.items() if each == end)


def try_damages(project: Project, number: int, seed: int) -> Counts:
    """Damage a finished campaign's files again and again, one at a time.

    Parameters
    ----------
    project : Project
        Its files are as before in the end.
    number : int
        Damages in all, spread evenly over the kinds of artifacts.
    seed : int
    """
    from hrtem_ood.artifacts import store

    with contextlib.chdir(project.folder):
        results, counts = Path("results"), Counts()
        for id_ in ("one-0123456789", "two-0123456789"):
            store.write_json(results / f"jobs/packs/{id_}.json", RECORD | {"id": id_})
        reader, stages = Reader(project.campaign(), results), files(results)
        names = sorted(stages)
        for trial in range(number):
            rng = random.Random(f"{seed} {trial}")
            stage = names[trial % len(names)]
            path = rng.choice(stages[stage])
            if path not in reader.before:
                reader.before[path] = fingerprint(reader.content(stage, path))
            content = path.read_bytes()
            kind = rng.choice(damages(path))
            try:
                damage(path, kind, [other for other in stages[stage] if other != path], rng)
                changed = path.read_bytes() != content
                end, message = outcome(lambda s=stage, p=path: reader.content(s, p), path, reader.before[path])
            finally:
                path.write_bytes(content)
            end = end if changed or end in RIGHT else f"{end} without damage"
            counts.ends[stage, kind, end] += 1
            if end not in RIGHT:
                counts.wrong.append(f"{trial}: {stage}, {kind}, {end}: {path.name}\n{message}")
        return counts


def report(counts: Counts) -> None:
    """Print the counts by stage, and all that went wrong."""
    ends = ["detected", "no effect", "unnamed", "silent", "traceback"]
    print(f"{'':14}", *(f"{end:>10}" for end in ends))
    for stage in sorted({stage for stage, _, _ in counts.ends}):
        row = [sum(n for (s, _, e), n in counts.ends.items() if s == stage and e == end) for end in ends]
        print(f"{stage:14}", *(f"{value:10}" for value in row))
    print(f"{'all':14}", *(f"{counts.total(end):10}" for end in ends))
    print(json.dumps({"ends": {end: counts.total(end) for end in ends}, "wrong": len(counts.wrong)}))


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finished", type=Path)
    parser.add_argument("--show", type=int, default=5, help="Messages of wrong ends to print.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.finished:
            project = Project(options.finished).copy(Path(name) / "finished")
        else:
            project = Project(Path(name))
            project.configure(TINY)
            project.run()
        counts = try_damages(project, options.number, options.seed)
    for message in counts.wrong[: options.show]:
        print(message)
    report(counts)
    return bool(counts.wrong)


if __name__ == "__main__":
    sys.exit(main())
