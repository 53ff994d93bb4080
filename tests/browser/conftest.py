"""A real browser, Chromium, and a report of a synthetic campaign to open in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, sync_playwright
from tests.unit.synthetic import base_config, write

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.report_files import REPORT
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.checkpoint import TrainingDomain, TrainingOutcome, write_network
from hrtem_ood.stages.metrics import metrics
from hrtem_ood.stages.report import report

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
CRAFTED = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>.cif"
"""Text of a configuration that would run if it were not escaped."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


def find_browser(playwright: Any) -> str | None:
    """Return the path of Playwright's own Chromium, or of the system's; as root on Debian, install it where there is none."""
    if Path(playwright.chromium.executable_path).exists():
        return str(playwright.chromium.executable_path)
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None and os.getuid() == 0 and shutil.which("apt-get"):
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            # tests of the cluster install packages, too, perhaps at this moment
            locked = ["flock", "/tmp/hrtem-ood-apt.lock", "apt-get", *words]
            done = subprocess.run(locked, capture_output=True, timeout=400, check=False)
            if done.returncode:
                return None
        found = shutil.which("chromium")
    return found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            pytest.skip(
                "no Chromium: `python -m playwright install --with-deps chromium` or `apt-get install chromium` installs one"
            )
        try:
            # root may not use Chromium's sandbox, and the page is this project's own
            browser = playwright.chromium.launch(
                executable_path=path, args=["--no-sandbox"] if os.getuid() == 0 else []
            )
        except Error as error:
            pytest.fail(f"{path} does not start: {error}")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a small campaign whose networks have (untrained) weights, of two groups of conditions."""
    config = base_config()
    config["conditions"]["dim"] = {"defocus_A": 100, "dose_e_per_A2": [50, 100], "focal_spread_A": 20}
    config["test_suites"]["test"]["conditions"].append("dim")
    config["materials"]["CdSe"] = {"file": CRAFTED, "sha256": "0"}
    config["networks"]["unet"]["architecture"] = {"name": "unet", "base_channels": 4, "depth": 2}
    made = write(Campaign(CampaignConfig.model_validate(config)), tmp_path_factory.mktemp("campaign"))
    for id_, spec in made.campaign.networks.items():
        weights = build(spec.hyperparameters.architecture).state_dict()
        curves = {name: [0.5, 0.4] for name in ("train_loss", "validation_loss", "learning_rate")}
        outcome = TrainingOutcome(weights, best_epoch=1, best_validation_loss=0.4, curves=curves)
        path = made.path("networks", id_)
        write_network(path, spec, outcome, TrainingDomain((), 3e5, 0.4, 32), seconds=1.0, device="cpu")
    metrics(made.campaign, made.results)
    report(made.campaign, made.results)
    return made.folder / REPORT
