"""Files of forecasters, whole and damaged."""

import json
from pathlib import Path

import pytest
from tests.unit.transfer.forecast.laws import crossed

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.forecaster_files import (
    LARGEST_BYTES,
    forecaster_id,
    read_forecaster,
    write_forecaster,
)


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster.fit(crossed(12, 0.02), metric="f1", bounds=(0.0, 1.0), pixel_size_A=0.4)


def test_what_is_written_is_read(tmp_path: Path, forecaster: Forecaster) -> None:
    path = write_forecaster(tmp_path / "forecasters", forecaster)
    assert path == tmp_path / "forecasters" / f"{forecaster_id(forecaster)}.json"
    assert path.name.startswith("f1-contrast-")
    assert path.stat().st_size < LARGEST_BYTES / 100
    again = read_forecaster(path)
    assert again.to_dict() == forecaster.to_dict()
    assert forecaster_id(again) == forecaster_id(forecaster)
    other = Forecaster.fit(crossed(12, 0.02, seed=1), metric="f1", bounds=(0.0, 1.0), pixel_size_A=0.4)
    assert forecaster_id(other) != forecaster_id(forecaster)


def test_damage_is_refused(tmp_path: Path, forecaster: Forecaster) -> None:
    path = write_forecaster(tmp_path, forecaster)
    text = path.read_text()
    for damaged in (text[: len(text) // 2], text.replace('"pixel_size_A": 0.4', '"pixel_size_A": 0.3'), "{}", "[]", ""):
        path.write_text(damaged)
        with pytest.raises(ArtifactError, match=path.name):
            read_forecaster(path)
    path.write_text(" " * (LARGEST_BYTES + 1))
    with pytest.raises(ArtifactError, match="has at most"):
        read_forecaster(path)
    path.unlink()
    with pytest.raises(ArtifactError, match=path.name):
        read_forecaster(path)


def test_a_right_digest_does_not_make_a_forecaster(tmp_path: Path, forecaster: Forecaster) -> None:
    document = forecaster.to_dict()
    for changed, words in (
        ({"version": 2}, "of version 2"),
        ({"format": "x"}, "is not a forecaster"),
        ({"x": 1}, "damaged: x"),
        ({"factor": [[0.5, 1.0], [0.95, 2.0]]}, "`factor` needs the level 0.9"),
        ({"factor": [[0.5, 2.0], [0.9, 1.0]]}, "levels that ascend, and factors that do not descend"),
        ({"bounds": [5.0, 6.0]}, r"`bounds` of 'f1' are \[0.0, 1.0\]"),
        ({"bounds": [None, None]}, r"`bounds` of 'f1' are \[0.0, 1.0\]"),
        ({"pixel_size_A": 0.5}, "its numbers are not those of"),
    ):
        path = tmp_path / "f1-contrast-0123456789.json"
        store.write_json(path, {"id": "f1-contrast-0123456789", **document, **changed})
        with pytest.raises(ArtifactError, match=words):
            read_forecaster(path)


def test_a_renamed_file_is_refused(tmp_path: Path, forecaster: Forecaster) -> None:
    path = write_forecaster(tmp_path, forecaster)
    renamed = path.rename(tmp_path / "other-0123456789.json")
    with pytest.raises(ArtifactError, match="was it renamed"):
        read_forecaster(renamed)
    assert "digest" in json.loads(renamed.read_text())
