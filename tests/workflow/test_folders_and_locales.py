"""Jobs run in a folder of any name, with a Python in it, and under any locale."""

import os
import subprocess
import sys

import pytest
from tests.workflow.conftest import TINY, Project

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OMP_NUM_THREADS": "1"}


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs a virtual environment, to which a folder may link")
def test_a_job_runs_below_braces_quotes_and_letters(tmp_path):
    folder = tmp_path / "a {y} 'q' $x \"d\" é"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    project = Project(folder)
    project.configure(TINY)
    (target,) = [f"results/structures/{id_}.extxyz" for id_ in list(project.campaign().structures)[:1]]
    done = subprocess.run(
        [*project.command(str(folder / ".venv/bin/python")), target],
        cwd=folder,
        env=os.environ | ASCII,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / target).is_file()


def test_elsewhere_the_missing_configuration_is_named(tmp_path):
    change = tmp_path / "change.yaml"
    change.write_text("campaign: other\n")
    project = Project(tmp_path)
    done = project.snakemake("--dry-run", "--configfile", str(change))
    assert done.returncode != 0
    assert "config/config.yaml, on which others are merged, is not in " in done.stderr
    assert "is missing. It is" not in done.stderr
