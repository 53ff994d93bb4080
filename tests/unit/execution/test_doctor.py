"""What is wrong with a machine is told, and how to mend it."""

from collections import namedtuple

import pytest
from click.testing import CliRunner
from tests.unit.gpu_stand_ins import install_cupy, machine

from hrtem_ood.array_module import Usability
from hrtem_ood.cli import main
from hrtem_ood.execution import doctor, gpu_checks
from hrtem_ood.execution.slurm_client import SlurmError
from hrtem_ood.learning import torch_device

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
    assert list(found) == ["GPU", "PyTorch", "CuPy", "CUDA", "FFT", "scratch", "results", "SLURM", "SLURM jobs"]
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


@pytest.fixture
def two_cards(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path):
        yield


@pytest.fixture
def working_torch(monkeypatch):
    monkeypatch.setattr(torch_device, "torch_usability", lambda: Usability(True))
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "NVIDIA H100 80GB HBM3")


@pytest.mark.usefixtures("two_cards", "working_torch")
def test_a_sound_gpu_is_described(monkeypatch, tmp_path):
    install_cupy(monkeypatch, tmp_path)
    found = [gpu_checks.gpu(), gpu_checks.torch_(), gpu_checks.cupy_(), gpu_checks.cuda()]
    assert [each.state for each in found] == ["good"] * 4
    card, torch_, cupy_, cuda = (each.details for each in found)
    assert card.startswith("NVIDIA H100 80GB HBM3, 1024 of 81559 MiB in use, driver 580.65.06; NVIDIA H100")
    assert ", CUDA 13.0, cuDNN " in torch_
    assert torch_.endswith(": a convolution is right on NVIDIA H100 80GB HBM3")
    assert cupy_ == "cupy-cuda13x 14.2.0, CUDA 13.2: an FFT and a kernel are right on NVIDIA H100 80GB HBM3"
    assert cuda == "of PyTorch 13.0, of CuPy 13.2, of the driver up to 13.0"


@pytest.mark.parametrize(
    "cards", [(), ("0, GPU-aaaa, NVIDIA H100, 81559, 4, 580.65.06",)], ids=["no card in /dev", "one"]
)
def test_a_driver_that_does_not_answer_is_told(monkeypatch, tmp_path, cards):
    with machine(monkeypatch, tmp_path, cards, answers=False):
        found = gpu_checks.gpu()
    assert found.state == "wrong"
    assert found.details.endswith("nvidia-smi fails (lost)"), "in its own words"
    assert "mend the driver" in found.fix


def test_an_old_driver_is_told(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path, ("0, GPU-aaaa, NVIDIA V100, 16160, 4, 535.183.01",)):
        found = gpu_checks.gpu()
    assert found.state == "wrong"
    assert "the NVIDIA driver 535.183.01 is too old for CUDA" in found.details
    assert "Install driver 580 or newer" in found.fix


@pytest.mark.usefixtures("two_cards")
def test_a_job_without_the_gpu_that_it_needs_is_told(monkeypatch, tmp_path):
    install_cupy(monkeypatch, tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for check in (gpu_checks.gpu, gpu_checks.torch_, gpu_checks.cupy_):
        found = check()
        assert (found.state, found.details.rpartition(": ")[2]) == (
            "wrong",
            "CUDA_VISIBLE_DEVICES hides the GPU from this process",
        )
        assert found.fix == "Unset it; in a SLURM job, request a GPU (`gres` in the profile)."


@pytest.mark.usefixtures("two_cards")
def test_pytorch_without_cuda_is_told(monkeypatch):
    monkeypatch.setattr("torch.version.cuda", None)
    found = gpu_checks.torch_()
    assert found.state == "wrong"
    assert "was built without CUDA" in found.details
    assert found.fix.startswith("Install PyTorch's build for CUDA 13")


@pytest.mark.usefixtures("two_cards", "working_torch")
@pytest.mark.parametrize("works", [True, False])
def test_two_versions_of_cuda_are_told(monkeypatch, tmp_path, works):
    fails = None if works else RuntimeError("no")
    install_cupy(monkeypatch, tmp_path, package="cupy_cuda12x", runtime=12090, fails=fails)
    found = gpu_checks.cuda()
    assert found.state == "wrong"
    assert found.details == f"PyTorch is built for CUDA 13.0, CuPy for CUDA {'12.9' if works else '12'}"
    assert "Install both for CUDA 13: " in found.fix
    assert "-m pip install 'cupy-cuda13x[ctk]>=14'" in found.fix


@pytest.mark.usefixtures("two_cards")
def test_two_packages_of_cupy_are_told(monkeypatch, tmp_path):
    install_cupy(monkeypatch, tmp_path, package="cupy_cuda12x")
    install_cupy(monkeypatch, tmp_path, package="cupy_cuda13x")
    found = gpu_checks.cupy_()
    assert (found.state, found.details) == ("wrong", "cupy-cuda12x and cupy-cuda13x are installed together")
    assert "Uninstall all of them" in found.fix


@pytest.mark.usefixtures("two_cards")
def test_cupy_without_cuda_libraries_is_told(monkeypatch, tmp_path):
    install_cupy(monkeypatch, tmp_path, fails=RuntimeError("CuPy failed to load libnvrtc.so.13"))
    found = gpu_checks.cupy_()
    assert found.state == "wrong"
    assert found.details.startswith("cupy-cuda13x 14.2.0: CuPy is installed, but not the CUDA libraries")
    assert found.fix.startswith("Install both together: ")
    assert "-m pip install 'cupy-cuda13x[ctk]>=14'" in found.fix


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
