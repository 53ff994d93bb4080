"""Killed jobs, a killed Snakemake, Ctrl-C and a full disk change no number. ``disturbed.py`` does it to larger campaigns."""

import random
import shutil

from tests.workflow.disturbed import (
    Run,
    differences,
    disturb,
    fill_the_disk,
    kill_a_job,
    kill_snakemake,
    own_disk,
    press_ctrl_c,
)

from hrtem_ood.campaign.load import merge
from hrtem_ood.campaign.results import Results

IN_BATCHES = {"execution": {"datasets_per_job": 2, "training_sets_per_job": 3, "checkpoint_interval_s": 0}}


def test_a_disturbed_campaign_has_the_metrics_of_one_left_alone(finished, tmp_path):
    project = type(finished)(tmp_path / "disturbed")
    project.folder.mkdir()
    project.configure(merge(project.tiny, IN_BATCHES))
    run = Run(project.folder, project.command(), random.Random(3))
    with own_disk(run.results) as can_fill:
        for stage in ("structures", "exit_waves"):  # which take most of the time
            shutil.copytree(finished.folder / "results" / stage, run.results / stage)
        happens = [kill_snakemake, kill_a_job, press_ctrl_c, *([fill_the_disk] if can_fill else [])]
        disturb(run, happens, ["datasets", "packs", "packs", "evaluations"])
        metrics = finished.campaign().metrics_id
        assert project.campaign().metrics_id == metrics
        # one may come too late, where a stage ends before anything can happen to it
        assert len(run.happened) >= len(happens) - 1, run.happened
        found = differences(
            *(Results(each).path("metrics", metrics) for each in (finished.folder / "results", run.results))
        )
    assert not found
    assert project.campaign().packs.keys() != finished.campaign().packs.keys(), "jobs are grouped in another way"
