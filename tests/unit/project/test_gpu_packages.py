"""Packages for GPUs are those of one version of CUDA everywhere."""

import re
import tomllib
from pathlib import Path

import pytest

from hrtem_ood.gpu_messages import CUDA_MAJOR, CUPY_REQUIREMENT, OLDEST_DRIVER

ROOT = Path(__file__).parents[3]
PAGES = ["docs/gpu.md", "docs/cluster.md", "envs/environment-gpu.yaml"]


def test_the_extra_is_what_messages_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["gpu"] == [CUPY_REQUIREMENT]


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_the_same(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert CUPY_REQUIREMENT in text
    assert str(OLDEST_DRIVER) in text
    assert f"CUDA {CUDA_MAJOR}" in text


def test_no_other_version_is_named():
    files = [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "envs").iterdir(),
        *(ROOT / "src").rglob("*.py"),
        ROOT / "README.md",
    ]
    named = {
        (path.name, package)
        for path in files
        if path.is_file()
        for package in re.findall(r"cupy-cuda\d+x", path.read_text(encoding="utf-8"))
    }
    # the page on GPUs names what must not be installed together
    assert {package for name, package in named if name != "gpu.md"} == {f"cupy-cuda{CUDA_MAJOR}x"}
