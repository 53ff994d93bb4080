"""On a machine with a GPU: `doctor` finds all good, and says what is wrong where the GPU is hidden."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hrtem_ood.execution import gpu_checks
from hrtem_ood.execution.machine_check import Check

pytestmark = pytest.mark.gpu


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    changed = os.environ | {"COLUMNS": "400", "NO_COLOR": "1"} | environment
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=changed, timeout=120, check=False
    )


def test_all_is_good_and_cuda_is_named() -> None:
    found: list[Check] = [gpu_checks.gpu(), gpu_checks.torch_(), gpu_checks.cupy_(), gpu_checks.cuda()]
    assert {each.name: each.state for each in found} == dict.fromkeys(["GPU", "PyTorch", "CuPy", "CUDA"], "good"), found
    card, torch_, cupy_, cuda = (each.details for each in found)
    assert re.search(r"\d+ of \d+ MiB in use, driver \d+\.", card), card
    assert re.search(r"CUDA 13\.\d, cuDNN \d+: a convolution is right on \S", torch_), torch_
    assert re.search(r"cupy\S* 1\d\.\S+, CUDA 13\.\d: an FFT and a kernel are right on \S", cupy_), cupy_
    assert re.fullmatch(r"of PyTorch 13\.\d, of CuPy 13\.\d, of the driver up to 1\d\.\d", cuda), cuda


def test_a_hidden_gpu_is_wrong(tmp_path: Path) -> None:
    done = run("-m", "hrtem_ood", "doctor", "--results", str(tmp_path), CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1, done.stderr
    for name in ("GPU", "PyTorch", "CuPy"):
        assert re.search(rf"{name} +\S+ wrong ", done.stdout), done.stdout
    told = " ".join(done.stdout.replace("│", " ").split())  # long texts of the table are broken into lines
    assert told.count("Unset it;") == 3, told
    assert "CUDA_VISIBLE_DEVICES" in told, told


PROGRAM = """
from hrtem_ood.array_module import array_module
from hrtem_ood.learning.torch_device import torch_device
print(array_module("auto").name, torch_device("auto").type)
"""


def test_auto_falls_back_with_a_log_line() -> None:
    there, hidden = run("-c", PROGRAM), run("-c", PROGRAM, CUDA_VISIBLE_DEVICES="")
    assert there.stdout.split() == ["gpu", "cuda"], there.stderr
    assert there.stderr == ""
    assert hidden.stdout.split() == ["cpu", "cpu"], hidden.stderr
    for library in ("CuPy", "PyTorch"):
        assert f"{library} computes on the CPU: CUDA_VISIBLE_DEVICES hides the GPU" in hidden.stderr


def test_provenance_names_the_card() -> None:
    import torch

    from hrtem_ood.array_module import array_module
    from hrtem_ood.learning.torch_device import device_name, device_software

    am, where = array_module("gpu"), torch.device("cuda", 0)
    assert am.device_name == device_name(where)
    assert am.software["NVIDIA driver"] == device_software(where)["NVIDIA driver"]
    assert re.fullmatch(r"[0-9.]+", am.software["NVIDIA driver"])
    assert set(am.software) > {"CUDA of CuPy", "NVIDIA driver"}, "and the package of CuPy"
    assert set(device_software(where)) >= {"CUDA of PyTorch", "cuDNN"}
