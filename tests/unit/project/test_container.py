"""The container's build steps are those of `make env`, and have all the files that it needs; no image is built here."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STEPS = [
    shlex.split(line)
    for line in re.sub(r"\\\n\s*", "", (ROOT / "envs/Containerfile").read_text()).splitlines()
    if line and not line.startswith("#")
]
ENV = ["RUN", "make", "env"]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Return a folder with what has been copied when the environment is made."""
    folder = tmp_path_factory.mktemp("image")
    for _, *sources, target in (step for step in STEPS[: STEPS.index(ENV)] if step[0] == "COPY"):
        for source in sources:
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
                shutil.copytree(ROOT / source, folder / target, ignore=ignored)
            else:
                (folder / target).mkdir(exist_ok=True)
                shutil.copy(ROOT / source, folder / target)
    return folder


def test_the_environment_is_made_by_make(image):
    assert STEPS.count(ENV) == 1
    done = subprocess.run(
        ["make", "--dry-run", "env"], cwd=image, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--requirement envs/cpu.lock" in done.stdout


@pytest.mark.slow
def test_the_package_can_be_built_from_what_is_copied(image, tmp_path):
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    done = subprocess.run([*pip, tmp_path, "."], cwd=image, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in tmp_path.iterdir()] == [".whl"]


def test_what_the_project_runs_on_is_copied_in_the_end():
    copied = {word for step in STEPS if step[0] == "COPY" for word in step[1:-1]}
    assert {"Snakefile", "workflow", "profiles", "config", "src"} <= copied
    assert all((ROOT / path).exists() for path in copied)


def test_its_python_is_the_one_that_the_lock_is_for():
    assert STEPS[0][0] == "FROM"
    (image_version,) = re.findall(r"python:(\d+\.\d+)-", STEPS[0][1])
    assert f"Python {image_version}:" in (ROOT / "envs/cpu.lock").read_text().splitlines()[0]
