"""What tasks tell is data: nothing in results/ is unpickled, and nothing that lies there keeps a reader waiting."""

import ast
import os
from pathlib import Path

import pytest

import hrtem_ood
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution.task_outcomes import (
    MAX_BYTES,
    MAX_ERROR,
    Outcome,
    error_message,
    read_outcome,
    task_folder,
    write_outcome,
)


def test_round_trip(tmp_path):
    write_outcome(tmp_path, "pack", Outcome("net", "a", None))
    assert read_outcome(tmp_path, "pack", "net", "a") == Outcome("net", "a", None)
    assert read_outcome(tmp_path, "pack", "net", "b") is None, "of an earlier submission"
    assert read_outcome(tmp_path, "pack", "other", "a") is None
    write_outcome(tmp_path, "pack", Outcome("net", "a", "x" * 9999))
    assert read_outcome(tmp_path, "pack", "net", "a").error == "x" * MAX_ERROR


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95",
        b"[]",
        b"{",
        b"[" * 90_000,
        b'{"id": "net"}',
        b'{"id": "net", "token": "a"}' + b" " * MAX_BYTES,
    ],
)
def test_foreign_files_are_no_outcomes(tmp_path, content):
    path = task_folder(tmp_path, "pack") / "net.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert read_outcome(tmp_path, "pack", "net", "a") is None


def test_a_damaged_outcome_is_none(tmp_path):
    write_outcome(tmp_path, "pack", Outcome("net", "a", "one thing"))
    path = task_folder(tmp_path, "pack") / "net.json"
    path.write_text(path.read_text().replace("one thing", "two things"))
    assert read_outcome(tmp_path, "pack", "net", "a") is None


def test_a_pipe_keeps_nobody_waiting(tmp_path):
    path = task_folder(tmp_path, "pack") / "net.json"
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert read_outcome(tmp_path, "pack", "net", "a") is None


def test_messages():
    assert error_message(HrtemOodError("1 of 1 networks failed\n  net: ValueError: never")) == "net: ValueError: never"
    assert error_message(ValueError("wrong")) == "ValueError: wrong"
    assert error_message(HrtemOodError("")) == "HrtemOodError"


def test_no_module_unpickles():
    """Neither by itself nor by submitit's jobs and executors, whose results are pickles."""
    forbidden = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    methods = {"result", "results", "exception", "submission", "map_array", "submit_array"}
    for path in sorted(Path(hrtem_ood.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
        imports += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not forbidden & {name.split(".")[0] for name in imports}, path
        if any(name.split(".")[0] == "submitit" for name in imports):
            calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
            called = {each.attr for each in calls if isinstance(each, ast.Attribute)}
            assert not methods & called, path
