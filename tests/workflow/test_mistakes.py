"""What a user sees when something is wrong."""

import subprocess
import sys

import pytest
import yaml

from hrtem_ood.campaign.load import merge


def test_a_configuration_mistake_is_told_before_anything_is_written(finished, tmp_path):
    project = type(finished)(tmp_path)
    project.configure(merge(project.tiny, {"conditions": {"over": {"dose_e_per_A": 3}}}))
    done = project.snakemake()
    assert done.returncode == 2
    assert "conditions.over.dose_e_per_A: unknown key; did you mean `dose_e_per_A2`?" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "results").exists()


def test_experiments_are_merged_on_the_default(finished):
    (finished.folder / "bad.yaml").write_text(yaml.safe_dump({"imaging": {"pixel_size_A": 0.1}}))
    done = finished.snakemake("--dry-run", "--configfile", "bad.yaml")
    assert done.returncode == 2
    assert "imaging.pixel_size_A: images of 0.1 Å carry frequencies" in done.stderr


def test_a_key_that_is_there_twice_is_refused(finished):
    (finished.folder / "twice.yaml").write_text("report: {dpi: 60}\nlabels: {}\nreport: {dpi: 70}\n")
    done = finished.snakemake("--dry-run", "--configfile", "twice.yaml")
    assert done.returncode == 2
    assert "twice.yaml: is not valid YAML" in done.stderr
    assert "the key `report` occurs twice" in done.stderr


def test_a_path_that_no_campaign_asks_for_is_refused(finished):
    done = finished.snakemake("--dry-run", "results/datasets/no-such-0123456789.zarr.zip")
    assert done.returncode == 1
    assert "has no datasets of that id" in done.stdout + done.stderr


def test_a_file_in_the_place_of_a_folder_is_told(finished, tmp_path):
    project = type(finished)(tmp_path)
    project.configure(project.tiny)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/metrics").touch()
    done = project.snakemake("--dry-run")
    assert done.returncode == 2
    assert "results/metrics is not a folder, but results are written there. Move it away." in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


EXPRESSIONS = {
    "plain": "__use_yte__: true\nreport:\n  dpi: ?__import__('pathlib').Path('ran').touch() or 60\n",
    "quoted key": '"\\x5f_use_yte__": 1\nreport:\n  dpi: ?open("ran", "w") and 60\n',
    "merged key": "a: &a {__use_yte__: true}\n<<: *a\nreport:\n  dpi: ?open('ran', 'w') and 60\n",
    "tagged key": "!!python/str __use_yte__: true\nreport:\n  dpi: ?open('ran', 'w') and 60\n",
    "definitions": "__use_yte__: true\n__definitions__:\n  - open('ran', 'w')\n",
    "json": '{"__use_yte__": true, "report": {"dpi": "?1 and 60"}}',
}


@pytest.mark.parametrize("text", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_expressions_of_a_configuration_are_not_run(finished, text):
    marker = finished.folder / "ran"
    (finished.folder / "bad.yaml").write_text(text)
    done = finished.snakemake("--dry-run", "--configfile", "bad.yaml")
    assert not marker.exists()
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "bad.yaml" in said
    assert "__use_yte__ is refused" in said or "python/str" in said
    assert "Traceback" not in said


def test_expressions_of_the_default_configuration_are_not_run(finished, tmp_path):
    project = type(finished)(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(EXPRESSIONS["plain"])
    done = project.snakemake("--dry-run")
    assert not (tmp_path / "ran").exists()
    assert done.returncode == 1
    assert "config/config.yaml: the key __use_yte__ is refused" in done.stdout + done.stderr


def test_snakemake_would_run_them_and_still_calls_what_the_guard_replaces(tmp_path):
    """Should another version of Snakemake read configurations elsewhere, this fails."""
    path = tmp_path / "bad.yaml"
    path.write_text(EXPRESSIONS["plain"])
    script = (
        "import sys; from snakemake.common import configfile as c; from snakemake.settings.types import ConfigSettings\n"
        "if sys.argv[2] == 'guarded': import snakemake_logger_plugin_hrtem_ood\n"
        "ConfigSettings(configfiles=[__import__('pathlib').Path(sys.argv[1])])"
    )
    for guarded in (True, False):
        words = [sys.executable, "-c", script, str(path), "guarded" if guarded else "bare"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) != guarded
        assert (tmp_path / "ran").exists() != guarded
