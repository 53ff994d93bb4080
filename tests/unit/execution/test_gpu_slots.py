"""Jobs on one machine get GPUs of their own, no more share one than wanted, and without a GPU nothing waits."""

import os
import stat
import subprocess
import sys
import threading
import time

import pytest
from tests.unit.gpu_stand_ins import install_cupy, machine

from hrtem_ood import gpu_machine
from hrtem_ood.config.execution import Execution
from hrtem_ood.errors import DeviceError
from hrtem_ood.execution import gpu_slots
from hrtem_ood.execution.command_executor import with_same_gpus
from hrtem_ood.execution.gpu_slots import can_use_gpu, gpu_slot, slot_count, slot_folder, task_limit

ONE, TWO = Execution(), Execution(jobs_per_gpu=2)


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_slots.tempfile, "gettempdir", lambda: str(tmp_path))


@pytest.fixture
def two_cards(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path):
        install_cupy(monkeypatch, tmp_path)
        yield


def visible():
    return os.environ.get("CUDA_VISIBLE_DEVICES")


@pytest.mark.usefixtures("two_cards")
def test_jobs_get_gpus_of_their_own():
    with gpu_slot("simulate", ONE):
        assert visible() == "GPU-aaaa"
        del os.environ["CUDA_VISIBLE_DEVICES"]  # as another process would see it
        with gpu_slot("image", ONE):
            assert visible() == "GPU-bbbb"
        assert visible() is None
        os.environ["CUDA_VISIBLE_DEVICES"] = "GPU-aaaa"
    assert visible() is None
    with gpu_slot("image", ONE):
        assert visible() == "GPU-aaaa", "slots are given back"


@pytest.mark.usefixtures("two_cards")
def test_a_second_job_on_a_gpu_comes_after_one_on_each():
    taken = []
    files = [gpu_slots._take(gpu_machine.visible_devices(), 2) for _ in range(4)]
    taken += [device for _, device in files]
    assert taken == ["GPU-aaaa", "GPU-bbbb", "GPU-aaaa", "GPU-bbbb"]
    for file, _ in files:
        os.close(file)


@pytest.mark.usefixtures("two_cards")
def test_a_gpu_has_the_same_slots_by_index_and_by_uuid(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with gpu_slot("simulate", ONE):
        assert visible() == "1"
        file, device = gpu_slots._take(["GPU-bbbb", "GPU-aaaa"], 1)
        assert device == "GPU-aaaa"
        os.close(file)


@pytest.mark.usefixtures("two_cards")
def test_memory_is_shared_where_gpus_are():
    with gpu_slot("simulate", ONE):
        assert gpu_machine.memory_share() == 1
    with gpu_slot("simulate", TWO):
        assert gpu_machine.memory_share() == pytest.approx(0.45)


def test_a_job_waits_for_a_slot(monkeypatch, capsys):
    monkeypatch.setattr(gpu_slots, "POLL_S", 0.01)
    file, _ = gpu_slots._take(["0"], 1)
    got = []
    waiting = threading.Thread(target=lambda: got.append(gpu_slots._take(["0"], 1)))
    waiting.start()
    time.sleep(0.1)
    assert got == []
    os.close(file)
    waiting.join(timeout=20)
    assert [device for _, device in got] == ["0"]
    os.close(got[0][0])
    assert capsys.readouterr().err.count("waiting for a GPU: its slots are taken, 1 of 1") == 1


def test_a_killed_job_holds_no_slot(tmp_path):
    program = "import os, sys; from hrtem_ood.execution import gpu_slots; gpu_slots.tempfile.tempdir = sys.argv[1]\n"
    program += "gpu_slots._take(['0'], 1); print('taken', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"taken\n"
        path = next(slot_folder().iterdir())
        assert gpu_slots._lock(path) is None
        process.kill()
        process.wait()
        file = gpu_slots._lock(path)
        assert file is not None
        os.close(file)


@pytest.mark.usefixtures("two_cards")
def test_what_slurm_gives_is_used_as_it_is(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with gpu_slot("simulate", TWO), gpu_slot("simulate", TWO), gpu_slot("simulate", TWO):
        assert visible() == "1"
        assert gpu_machine.memory_share() == pytest.approx(0.45)
    # a job with several GPUs, in which Snakemake runs
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with gpu_slot("simulate", ONE):
        assert visible() == "0"
    assert visible() == "0,1"


def test_without_a_gpu_no_job_waits(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path, (), answers=False):
        install_cupy(monkeypatch, tmp_path)
        assert slot_count(TWO) == 0
        assert task_limit("train", ONE, {"threads": 3, "gpu": 0}) == 3
        assert task_limit("train", ONE, {}) == len(os.sched_getaffinity(0))
        with gpu_slot("simulate", ONE), gpu_slot("simulate", ONE):
            assert visible() is None
    assert not list(tmp_path.glob("hrtem-ood-gpus-*"))


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("rule", "device", "version", "expected"),
    [
        ("simulate", "auto", "2.13.0", True),
        ("image", "gpu", "2.13.0", True),
        ("simulate", "cpu", "2.13.0", False),
        ("build", "auto", "2.13.0", False),
        ("train", "auto", "2.13.0", True),
        ("evaluate", "auto", "2.13.0+cpu", False),
    ],
)
def test_jobs_that_use_a_gpu(monkeypatch, rule, device, version, expected):
    monkeypatch.setattr(gpu_slots.importlib.metadata, "version", lambda _: version)
    assert can_use_gpu(rule, device) is expected
    limited = Execution(device=device, jobs_per_gpu=2)
    assert task_limit(rule, limited, {"threads": 16}) == (4 if expected else 16)
    assert task_limit(rule, limited, {"threads": 16, "gpu": 3}) == (3 if expected else 16), (
        "as --resources gpu=3 grants"
    )
    assert task_limit(rule, limited, {"threads": 2, "gpu": 3}) == 2


@pytest.mark.usefixtures("two_cards")
def test_a_job_of_slurm_without_a_gpu_takes_no_slot(monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with gpu_slot("simulate", ONE), gpu_slot("simulate", ONE), gpu_slot("simulate", ONE):
        assert visible() is None
    assert not list(tmp_path.glob("hrtem-ood-gpus-*"))


def test_a_folder_that_cannot_lock_files_is_told(monkeypatch):
    def refuses(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(gpu_slots.fcntl, "flock", refuses)
    with pytest.raises(DeviceError, match=r"cannot lock files \(Function not implemented\)\. Set TMPDIR"):
        gpu_slots._take(["0"], 1)


@pytest.mark.usefixtures("two_cards")
def test_without_its_library_a_rule_uses_no_gpu(monkeypatch):
    monkeypatch.setattr(gpu_slots.importlib.util, "find_spec", lambda _: None)
    assert not can_use_gpu("simulate", "auto")


def test_the_folder_of_slots_is_the_users_own(tmp_path):
    folder = slot_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert slot_folder() == folder
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(DeviceError, match="is no folder of yours, so jobs cannot share the GPUs"):
        slot_folder()


@pytest.mark.parametrize("given", [None, "", "0", "GPU-aaaa,MIG-1"])
def test_processes_see_the_gpus_of_the_job_that_starts_them(monkeypatch, given):
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    program = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
    command = with_same_gpus(subprocess.list2cmdline([sys.executable, "-c"]) + f' "{program}"')
    changed = os.environ | {"CUDA_VISIBLE_DEVICES": "7"}  # by submitit
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=changed, check=True)
    assert done.stdout.strip() == str(given)


def test_submitit_hides_no_gpu(monkeypatch, tmp_path):
    """As it really starts processes: this fails where submitit changes how it does."""
    from hrtem_ood.execution.command_executor import start_commands

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bbbb")
    program = "import os; open(os.environ['OUT'], 'w').write(os.environ.get('CUDA_VISIBLE_DEVICES', 'none'))"
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    (job,) = start_commands(tmp_path / "logs", [f'{sys.executable} -c "{program}"'], {"timeout_min": 1})
    end = time.monotonic() + 60
    while not job.done() and time.monotonic() < end:
        time.sleep(0.05)
    assert (tmp_path / "out").read_text() == "GPU-bbbb"
