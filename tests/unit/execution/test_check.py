"""The check of a results folder: no file keeps the others from being checked."""

import pytest

from hrtem_ood.artifacts import store
from hrtem_ood.execution import check as checks
from hrtem_ood.execution.check import check


@pytest.mark.parametrize(
    ("error", "message"),
    [(MemoryError(), "takes more memory"), (OverflowError("too long"), "OverflowError: too long"), (EOFError(), "EOF")],
)
def test_an_error_of_one_file_is_named(tmp_path, monkeypatch, error, message):
    paths = [tmp_path / f"suites/{name}.json" for name in "ab"]
    for path in paths:
        store.write_json(path, {"id": path.stem, "datasets": {}})

    def read(path):
        if path == paths[0]:
            raise error
        return store.read_json(path)

    monkeypatch.setitem(checks._CHECKS, ".json", read)
    checked = check(tmp_path)
    assert checked.files == {"suites": 2}
    assert list(checked.damaged) == [str(paths[0])]
    assert checked.damaged[str(paths[0])].startswith(str(paths[0]))
    assert message in checked.damaged[str(paths[0])]
