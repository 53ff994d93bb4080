"""Advice on training conditions, the experiment that tests it, and the page on what came out, end to end."""

import subprocess

import yaml
from tests import warm


def test_an_advice_is_run_and_its_page_written(finished, tmp_path):
    project = finished.copy(tmp_path / "advised")

    def hrtem_ood(*words):
        command = [warm.python(), "-m", "hrtem_ood", *words]
        done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    words = (
        "--target-conditions over --target-conditions under --n-conditions 1 --images 4 --random 1 --network-seeds 2"
    )
    told = hrtem_ood("design", *words.split(), "--output", "advice.yaml")
    assert "Proved: no other 1 of 2 candidates have a better predicted mean." in told
    advice = yaml.safe_load((project.folder / "advice.yaml").read_text())
    chosen = {name: tuple(conditions[0].values()) for name, conditions in advice["conditions"].items()}
    jobs = project.run("--configfile", "advice.yaml")
    assert jobs.keys().isdisjoint({"build", "simulate", "image"})
    # the campaign has trained on each condition alone, so that networks are there
    assert jobs.get("train", 0) == 0
    hrtem_ood("study-page", "advice.yaml", "--page", "docs/results.md", "--figures", "docs/figures")
    page = (project.folder / "docs/results.md").read_text()
    assert "# Results: campaign `tiny-design`" in page
    assert f"{2 * len(set(chosen.values()))} networks of {len(set(chosen.values()))} training sets" in page
    assert "| `designed` | 2 |" in page
    assert (project.folder / "docs/figures/design.png").exists()
