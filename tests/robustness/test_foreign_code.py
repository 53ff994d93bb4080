"""Configurations and checkpoints that name code of the standard library: none of it is called, or run.

Before, each callable was called with the parameters of the configuration: ``os.system`` with a command.
"""

import ast
import json
import os
import pickle
import random
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.integrity import seal_zip
from hrtem_ood.config.training import Architecture
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.learning.architectures import registry
from hrtem_ood.user_code import UserDefinition

DANGEROUS = (
    ("os", "system"), ("os", "popen"), ("os", "execv"), ("subprocess", "run"), ("subprocess", "Popen"),
    ("subprocess", "getoutput"), ("shutil", "rmtree"), ("runpy", "run_path"), ("pty", "spawn"), ("code", "interact"),
    ("webbrowser", "open"), ("timeit", "timeit"), ("cProfile", "run"), ("pdb", "run"), ("bdb", "Bdb"), ("trace", "Trace"),
)  # fmt: skip
SAMPLE = 300


def names_of(path: Path) -> set[str]:
    """Every name that importing the file might give: what it defines, imports or assigns."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name):
            names.add(node.id)
    return {name for name in names if name.isidentifier() and name.isascii() and len(name) <= 40}


@pytest.fixture
def refused(monkeypatch):
    """Return a function that asks for an architecture; whether its file was run is noted."""
    ran: list[str] = []
    monkeypatch.setattr(UserDefinition, "_run", lambda self, _: ran.append(self.name) or sys.modules["os"])

    def refused(path: Path, name: str) -> list[str]:
        ran.clear()
        with pytest.raises(ConfigError):
            registry.build(Architecture(name=name, file=str(path), parameters={"command": "touch ran", "args": "x"}))
        return list(ran)

    return refused


@pytest.mark.parametrize(("module", "name"), DANGEROUS)
def test_what_runs_commands_is_refused_before_its_file_is_run(refused, module, name):
    assert refused(Path(sysconfig.get_path("stdlib")) / f"{module}.py", name) == []


def test_any_name_of_the_standard_library_is_refused(refused):
    """A class of the right signature may have its file run, as the user has named it, but is not called."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    pairs = [(path, name) for path in files for name in sorted(names_of(path))]
    chosen = random.Random(16).sample(pairs, SAMPLE)  # no secret
    ran = [name for path, name in chosen if refused(path, name)]
    assert len(ran) < SAMPLE / 20


class Payload:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("codecs", [["pickle"], ["vlen-utf8", "pickle"]])
@pytest.mark.parametrize("version", [2, None])
def test_a_store_whose_codec_is_a_pickle_is_not_decoded(tmp_path, monkeypatch, codecs, version):
    """Zarr's format 2 has a codec that unpickles; a store of hrtem-ood is of format 3, which has none."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x-0123456789.zarr.zip"
    attributes = {"id": "x-0123456789"}
    array = {
        "zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None, "fill_value": None, "order": "C",
        "filters": [{"id": name} for name in codecs],
    }  # fmt: skip
    root = {"zarr_format": version, "node_type": "group", "attributes": attributes}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (
            ("zarr.json", root), (".zgroup", {"zarr_format": 2}), (".zattrs", attributes), ("a/.zarray", array),
            ("a/.zattrs", {"_ARRAY_DIMENSIONS": ["x"]}),
        ):  # fmt: skip
            archive.writestr(name, json.dumps(content))
        archive.writestr("a/0", pickle.dumps(Payload()))
    seal_zip(path, archive.start_dir)  # as somebody could who means harm
    with pytest.raises(ArtifactError, match="is damaged or cut off"):
        store.read_zarr(path)
    assert not (tmp_path / "ran").exists()
