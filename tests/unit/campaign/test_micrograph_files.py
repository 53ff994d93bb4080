"""Suites of micrographs in a configuration: files by content, what is refused, and that nothing else moves."""

import copy
import hashlib

import pytest
from tests.unit.conftest import CONFIG

from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.stage_table import stages_of
from hrtem_ood.errors import ConfigError


@pytest.fixture
def with_micrographs(tmp_path):
    """Return a function that makes a configuration with a suite of two pairs of files, of any content."""
    for name in ("a.tif", "b.tif", "a_label.png", "b_label.png"):
        (tmp_path / name).write_bytes(name.encode())

    def make(**entry):
        raw = copy.deepcopy(CONFIG)
        suite = {"micrographs": f"{tmp_path}/?.tif", "labels": f"{tmp_path}/*_label.png"} | entry
        return raw | {"test_suites": raw["test_suites"] | {"mine": suite}}

    return make


def test_an_id_is_that_of_contents_pixel_and_repair(with_micrographs, tmp_path):
    def only(**entry):
        (spec,) = load_campaign(with_micrographs(**entry)).labelled_sets.values()
        return spec

    first = only()
    digests = [[hashlib.sha256(f"{n}{end}".encode()).hexdigest() for end in (".tif", "_label.png")] for n in "ab"]
    assert [list(each) for each in first.content()["files"]] == sorted(digests)
    assert only(repair=True).id == first.id
    others = {only(**entry).id for entry in ({"pixel_size_A": 0.5}, {"pixel_size_A": 0.6}, {"repair": False})}
    assert len(others - {first.id}) == 3
    (tmp_path / "moved").mkdir()
    for path in tmp_path.glob("*.*"):
        path.rename(tmp_path / "moved" / path.name)
    moved = {"micrographs": f"{tmp_path}/moved/?.tif", "labels": f"{tmp_path}/moved/*_label.png"}
    assert only(**moved).id == first.id
    for end in (".tif", "_label.png"):
        (tmp_path / f"moved/a{end}").rename(tmp_path / f"moved/c{end}")
    assert only(**moved).id == first.id, "nor does the order of their names count"
    (tmp_path / "moved/b_label.png").write_bytes(b"another label")
    assert only(**moved).id != first.id


def test_only_what_is_tested_gains_artifacts(with_micrographs):
    plain, more = load_campaign(copy.deepcopy(CONFIG)), load_campaign(with_micrographs())
    assert "labelled_sets" in stages_of(more)
    assert "labelled_sets" not in stages_of(plain)
    for stage in ("structures", "exit_waves", "datasets", "networks", "packs"):
        assert set(getattr(plain, stage)) == set(getattr(more, stage))
    assert (plain.predictors_id, plain.transfer.id) == (more.predictors_id, more.transfer.id)
    assert plain.metrics_id != more.metrics_id
    assert set(plain.evaluations) < set(more.evaluations)


def test_files_that_are_listed_are_not_looked_for(with_micrographs, tmp_path):
    """Jobs load the configuration that the workflow wrote, which lists them: no job reads all micrographs again."""
    campaign = load_campaign(with_micrographs())
    kept = campaign.config.model_dump(mode="json")
    for path in tmp_path.glob("*.*"):
        path.unlink()
    assert load_campaign(kept).config_id == campaign.config_id


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"micrographs": "nowhere/*.tif"}, "test_suites.mine.micrographs: no file matches"),
        ({"labels": "nowhere.png"}, "test_suites.mine.labels: 'nowhere.png' does not exist"),
        ({"labels": "nowhere/*.png"}, "test_suites.mine.labels: no file matches"),
        ({"labels": 3}, "test_suites.mine.labels"),
        ({"labels": None}, "test_suites.mine.labels: is missing"),
        ({"pixel_size_A": -1}, "test_suites.mine.pixel_size_A"),
        ({"pixel_size_A": True}, "pixel_size_A"),
        ({"conditions": "defocus"}, "test_suites.mine.conditions: unknown key"),
        ({"files": [{"micrographs": "a"}]}, "test_suites.mine.files"),
    ],
)
def test_mistakes_name_the_key(with_micrographs, entry, words):
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        load_campaign(with_micrographs(**entry))


def test_a_file_without_partner_is_named(with_micrographs, tmp_path):
    (tmp_path / "c.tif").write_bytes(b"c")
    with pytest.raises(ConfigError, match=r"test_suites\.mine\.labels: micrographs without a label: .*c\.tif"):
        load_campaign(with_micrographs())


def test_micrographs_need_simulated_conditions_beside_them(with_micrographs):
    raw = with_micrographs()
    del raw["test_suites"]["test"]
    with pytest.raises(ConfigError, match="all are of micrographs"):
        load_campaign(raw)
