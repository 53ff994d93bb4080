"""What a user sees when something is wrong."""

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
    assert "the key `report` is there twice" in done.stderr


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
    assert "results/metrics is not a folder, but results are to go there. Move it away." in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
