"""What is wrong with a machine is told, and how to mend it."""

from collections import namedtuple

import pytest
from click.testing import CliRunner

from hrtem_ood.cli import main
from hrtem_ood.execution import doctor
from hrtem_ood.execution.slurm_client import SlurmError

Limits = namedtuple("Limits", ["array", "jobs"])
Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture
def no_slurm(monkeypatch):
    monkeypatch.setattr(doctor, "slurm_available", lambda: False)


@pytest.fixture
def on_slurm(monkeypatch):
    monkeypatch.setattr(doctor, "slurm_available", lambda: True)


@pytest.mark.usefixtures("no_slurm")
def test_a_sound_machine_has_nothing_wrong(tmp_path):
    found = {each.name: each for each in doctor.run_checks(tmp_path / "results")}
    assert list(found) == ["GPU", "PyTorch", "CuPy", "FFT", "scratch", "results", "SLURM", "SLURM jobs"]
    assert found["FFT"].state == found["results"].state == "good"
    assert found["SLURM"].state == "absent"
    for each in found.values():
        assert bool(each.fix) == (each.state == "wrong"), each
    assert not (tmp_path / "results").exists(), "looking makes nothing"


@pytest.mark.usefixtures("no_slurm")
def test_the_verb_ends_with_an_error_where_something_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**9))
    done = CliRunner().invoke(main, ["doctor", "--results", str(tmp_path)])
    assert done.exit_code == 1
    assert "1 GB free" in done.output
    assert "Set `tmpdir` in the profile" in done.output
    assert "some checks failed" in done.output


def test_a_job_without_the_gpu_that_it_needs_is_told(monkeypatch):
    monkeypatch.setattr(doctor.Path, "glob", lambda *_: [doctor.Path("/dev/nvidia0")])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "request one" in doctor.gpu().fix
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert doctor.gpu().state == "good"
    monkeypatch.setattr("torch.version.cuda", None)
    assert "built without CUDA" in doctor.torch_().details


@pytest.mark.usefixtures("on_slurm")
@pytest.mark.parametrize(("jobs", "state"), [(None, "good"), (5000, "good"), (100, "wrong")])
def test_limits_of_slurm(monkeypatch, jobs, state):
    monkeypatch.setattr(doctor, "submit_limits", lambda: Limits(1001, jobs))
    found = doctor.slurm()
    assert found.state == state
    assert "MaxArraySize 1001" in found.details


@pytest.mark.usefixtures("on_slurm")
@pytest.mark.parametrize(("age", "state"), [("300 sec", "good"), ("60 sec", "wrong")])
def test_jobs_that_slurm_forgets(monkeypatch, age, state):
    monkeypatch.setattr(doctor, "config", lambda: {"MinJobAge": age})
    assert doctor.slurm_jobs().state == state


@pytest.mark.usefixtures("on_slurm")
def test_a_cluster_that_does_not_answer(monkeypatch):
    def fail():
        raise SlurmError("slurmctld does not answer")

    monkeypatch.setattr(doctor, "submit_limits", fail)
    monkeypatch.setattr(doctor, "config", fail)
    assert doctor.slurm().details == doctor.slurm_jobs().details == "slurmctld does not answer"


@pytest.mark.usefixtures("no_slurm")
def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    found = doctor.folder(tmp_path / "file")
    assert found.state == "wrong"
    assert "Not a directory" in found.details
