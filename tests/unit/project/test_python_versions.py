"""The sources are those of every Python that the project says it runs on; `make test-python` runs them there."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSIONS = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)

COMPILE = """
import pathlib, sys
for path in map(pathlib.Path, sys.argv[1:]):
    compile(path.read_bytes(), path, "exec")
print(sys.version_info[:2])
"""


def test_versions_have_no_gap():
    minors = [int(version.removeprefix("3.")) for version in VERSIONS]
    assert minors == list(range(minors[0], minors[0] + len(minors)))
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"


def test_the_grammar_is_that_of_the_oldest():
    oldest = (3, int(VERSIONS[0].removeprefix("3.")))
    for path in sorted((ROOT / "src").rglob("*.py")):
        ast.parse(path.read_text(), path, feature_version=oldest)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_sources_compile_without_a_warning(version):
    python = _found(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    sources = sorted(str(path) for folder in ("src", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py"))
    done = subprocess.run(
        [python, "-W", "error", "-c", COMPILE, *sources], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"(3, {version.removeprefix('3.')})"


def _found(version):
    """Return an interpreter on the path, or one of pyenv's, whose names on the path do not all work."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for python in [f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python{version}"))]:
        found = shutil.which(python)
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None
