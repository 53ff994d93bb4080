"""GPUs are counted and named as CUDA would, without CUDA."""

import pytest
from tests.unit.gpu_stand_ins import CARDS, machine

from hrtem_ood import gpu_machine


@pytest.fixture
def two_cards(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path):
        yield


@pytest.mark.usefixtures("two_cards")
def test_cards_are_read_from_nvidia_smi():
    first, second = gpu_machine.cards()
    assert (first.uuid, first.name, first.total_MiB, first.used_MiB) == (
        "GPU-aaaa",
        "NVIDIA H100 80GB HBM3",
        "81559",
        "1024",
    )
    assert second.number == "1"
    assert gpu_machine.driver_version() == "580.65.06"


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        (None, ["GPU-aaaa", "GPU-bbbb"]),
        ("1", ["1"]),
        ("GPU-bbbb, 0", ["GPU-bbbb", "0"]),
        ("0,-1,1", ["0"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,5,0", ["1"]),  # there are two
        ("5", []),
        ("1,1,0", ["1", "0"]),
    ],
)
def test_the_environment_limits_the_gpus(monkeypatch, visible, devices):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_machine.visible_devices() == devices
    assert gpu_machine.visible_count() == len(devices)
    assert gpu_machine.is_hidden() == (not devices)
    assert gpu_machine.has_gpu()


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("visible", "number"), [("MIG-1,MIG-2,MIG-3", 3), ("MIG-1,GPU-aaaa", 2), ("0,1", 2), ("GPU-aaaa,MIG-1,x", 2)]
)
def test_a_gpu_may_have_more_parts_than_the_machine_has_gpus(monkeypatch, visible, number):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_machine.visible_count() == number


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({}, 0),
        ({"SLURM_JOB_GPUS": "0,1"}, 2),
        ({"SLURM_GPUS_ON_NODE": "2"}, 2),
        ({"SLURM_GPUS_ON_NODE": "0"}, 0),
        ({"CUDA_VISIBLE_DEVICES": "1"}, 1),
    ],
)
def test_a_job_of_slurm_sees_the_gpus_that_it_was_given(monkeypatch, given, number):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert gpu_machine.visible_count() == number
    assert gpu_machine.is_hidden() == (number == 0)


def test_a_machine_without_a_gpu_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with machine(monkeypatch, tmp_path, (), answers=False):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        assert gpu_machine.cards() == ()
        assert gpu_machine.visible_devices() == []
        assert (gpu_machine.gpu_count(), gpu_machine.visible_count()) == (0, 0)
        assert gpu_machine.driver_version() == "unknown"


def test_without_an_answer_of_nvidia_smi_gpus_are_numbered(monkeypatch, tmp_path):
    with machine(monkeypatch, tmp_path, CARDS, answers=False):
        assert gpu_machine.visible_devices() == ["0", "1"]


def test_the_share_of_memory():
    try:
        gpu_machine.set_memory_share(4)
        assert gpu_machine.memory_share() == pytest.approx(0.225)
        gpu_machine.set_memory_share(1)
        assert gpu_machine.memory_share() == 1
    finally:
        gpu_machine.set_memory_share(1)
