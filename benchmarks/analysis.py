"""Metrics and report of config/paper.yaml's size: time and memory of both verbs, on synthetic scores.

Everything that the two verbs read is written first, under the ids of the paper campaign: packs, transfer, evaluations
(by the evaluation stage's own writer), and the few test datasets whose images the report shows. F1 falls with the change
of the condition, differs by network and by image, and the other scores go with it; they are drawn for one training set,
and shifted for the others, as drawing 979 million numbers would take longer than all the rest. Then each verb runs once as
a process of its own, as in the workflow. The bound is what no reader can do without: reading and decompressing every chunk
of every evaluation, without zarr.

    python benchmarks/analysis.py [CONFIG]

With another configuration than config/paper.yaml, it is that campaign whose size it has.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numcodecs.blosc
import numpy as np
import xarray as xr
from report import Budget, report

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import Campaign, EvaluationJob
from hrtem_ood.campaign.load import load_campaign, merge, read_yaml
from hrtem_ood.campaign.report_files import REPORT
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.test_datasets import report_datasets
from hrtem_ood.learning.architectures.static_complexity import convolutions
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.evaluation.score_table import ScoreTable
from hrtem_ood.stages.predictors import active_predictors, as_dataset, with_descriptors
from hrtem_ood.stages.transfer import transfer
from hrtem_ood.transfer.forecast.descriptors import NAMES
from hrtem_ood.transfer.object_spectrum import UNIT_OBJECTS

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
OPENED = 5
"""How often the report is opened."""
LONGEST_MS = 120_000
"""So long a report may take to be usable."""
SIDE = 64
"""Pixels of the images that are shown, which are few and no part of what is measured."""


@dataclass(frozen=True)
class Process:
    """What a process took: wall time [s], CPU time [s], and peak resident memory [MiB]."""

    seconds: float
    cpu: float
    mebibytes: float


def run(words: Sequence[str]) -> Process:
    """Run a verb to its end and measure it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        begin = perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "hrtem_ood", *words], stdout=told, stderr=subprocess.STDOUT, cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it again
        if process.returncode:
            told.seek(0)
            sys.exit(f"{' '.join(words)} ended with exit code {process.returncode}:\n{told.read()}")
    return Process(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def drawn_scores(networks: int, images: int) -> np.ndarray:
    """Draw scores (score, network, image) under conditions of which the network knows all."""
    rng = np.random.default_rng(0)
    f1 = 0.9 - 0.1 * rng.beta(1, 5, (networks, 1)) - 0.1 * rng.beta(1, 3, (networks, images))
    noise = rng.beta(2, 9, (len(METRICS), *f1.shape))
    values = {
        "f1": f1,
        "iou": f1 / (2 - f1),
        "precision": f1 * (1 - 0.1 * noise[0]),
        "recall": f1 * (1 - 0.1 * noise[1]),
    }
    values |= {"cross_entropy": (1 - f1) * noise[2], "calibration_error": (1 - f1) * noise[3], "entropy": noise[4]}
    values |= {"confidence": 1 - 0.5 * noise[4]}
    return np.stack([values[name] for name in METRICS]).astype(np.float32)


def drawn_features(job: EvaluationJob, images: int) -> list[np.ndarray]:
    """Draw features of one network of a job (condition, image, channel), and let all have them."""
    channels = {
        each.hyperparameters.architecture: convolutions(each.hyperparameters.architecture) for each in job.networks
    }
    rng, drawn = np.random.default_rng(0), {}
    for architecture, layers in channels.items():
        shape = (len(job.suite.datasets), images, layers[-1].n if layers else 0)
        drawn[architecture] = rng.lognormal(0, 0.3, shape).astype(np.float16)
    return [drawn[each.hyperparameters.architecture] for each in job.networks]


def kept(campaign: Campaign, training_set: str, dataset: str) -> float:
    """How much of its scores a training set keeps on a dataset: by change of defocus, of C30, and of log dose."""
    tested = campaign.datasets[dataset].condition
    distances = []
    for id_ in campaign.training_set_by_id[training_set].datasets:
        seen = campaign.datasets[id_].condition
        defocus, spherical = seen.defocus_A - tested.defocus_A, seen.C30 - tested.C30
        dose = np.log(seen.dose_e_per_A2 / tested.dose_e_per_A2)
        spread = seen.focal_spread_A - tested.focal_spread_A
        distances.append((defocus / 200) ** 2 + (spherical / 2e5) ** 2 + (dose / 3) ** 2 + (spread / 60) ** 2)
    other = 0.85 if campaign.structure_set_of_dataset[dataset] != "test" else 1.0
    chance = np.random.default_rng([int(id_[-8:], 16) for id_ in (training_set, dataset)]).uniform(0.97, 1)
    return float(other * chance * (0.3 + 0.7 * np.exp(-min(distances))))


def write_evaluations(campaign: Campaign, results: Path) -> None:
    """Write all evaluations, as the evaluation stage does."""
    images = max(dataset.n_structures for dataset in campaign.datasets.values())
    drawn = drawn_scores(max(len(job.networks) for job in campaign.evaluations.values()), images)
    for job in campaign.evaluations.values():
        datasets = job.suite.datasets
        cells = ScoreTable(
            dict.fromkeys(job.spec.networks, "0" * 64),
            dict.fromkeys(datasets, "0" * 64),
            campaign.datasets[datasets[0]].n_structures,
        )
        factor = [kept(campaign, job.networks[0].training_set, id_) for id_ in datasets]
        values = drawn[:, : len(job.networks), None, : cells.values.shape[-1]]
        np.multiply(values, np.array(factor, np.float32)[:, None], out=cells.values)
        cells.feature = drawn_features(job, cells.values.shape[-1])
        told = store.provenance(job.spec, seconds=100, device="cpu")
        store.write_zarr(Results(results).path("evaluations", job.spec.id), cells.to_dataset(), told)


def write_rest(campaign: Campaign, results: Path) -> None:
    """Write packs, transfer, predictors (noise), and the datasets that are shown: noise around a disc."""
    transfer(campaign.transfer, Results(results).path("transfer", campaign.transfer.id))
    entry = {"epochs": 20, "seconds": 60, "parameter_count": 10**6, "flops_per_image": 10**9, "diverged": False}
    for pack in campaign.packs.values():
        networks = {network.id: entry | {"best_val_loss": 0.1} for network in pack.networks}
        told = store.provenance(pack, seconds=60, device="cpu")
        store.write_json(Results(results).path("packs", pack.id), {"networks": networks, **told})
    write_predictors(campaign, results)
    y, x = np.mgrid[:SIDE, :SIDE]
    label = np.hypot(y - SIDE / 2, x - SIDE / 2) < SIDE / 4
    count = campaign.config.report.examples
    for id_ in dict.fromkeys(id_ for ids in report_datasets(campaign).values() for id_ in ids):
        spec = campaign.datasets[id_]
        mean = spec.condition.dose_e_per_A2 * spec.imaging.pixel_size_A**2 * (1 - 0.3 * label)
        counts = np.random.default_rng(0).poisson(mean, (count, SIDE, SIDE)).astype(np.uint16)
        dims = ("image", "y", "x")
        labels = np.broadcast_to(label, counts.shape).astype(np.uint8)
        told = store.provenance(spec, seconds=1, device="cpu") | {"pixel_size_A": spec.imaging.pixel_size_A}
        store.write_zarr(
            Results(results).path("datasets", id_),
            xr.Dataset({"counts": (dims, counts), "label": (dims, labels)}),
            told,
        )


def write_predictors(campaign: Campaign, results: Path) -> None:
    """Write a number for every predictor, training set and test dataset."""
    rng, shape = np.random.default_rng(0), (len(campaign.training_set_ids), len(campaign.test_dataset_ids))
    drawn = as_dataset({name: rng.random(shape) for name in active_predictors(campaign)}, campaign)
    drawn = with_descriptors(drawn, rng.random((*shape, len(NAMES))), UNIT_OBJECTS)
    made = store.SimpleArtifactInfo(
        campaign.predictors_id, "predictors", STAGE_VERSIONS["predictors"], campaign.config_json
    )
    told = store.provenance(made, seconds=1, device="cpu")
    path = Results(results).path("predictors", campaign.predictors_id)
    store.write_zarr(path, drawn, told)


def bound(folder: Path) -> tuple[float, int]:
    """Read and decompress every chunk of every evaluation once; return seconds and how many scores' bytes came out."""
    numcodecs.blosc.use_threads = False
    begin, size = perf_counter(), 0
    for path in folder.iterdir():
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                score, _, rest = name.partition("/")
                if score in METRICS and rest.startswith("c/"):
                    size += len(numcodecs.blosc.decompress(archive.read(name)))
    return perf_counter() - begin, size


def lazily(path: Path) -> dict[str, float]:
    """Time reading a part of one score from the metrics, as a person does."""
    seconds = {}
    with store.open_zarr(path) as metrics:
        for name, part in {"a network": {"network": 1}, "a test condition": {"condition": 1}}.items():
            begin = perf_counter()
            metrics.f1.isel(part).load()
            seconds[f"reading F1 of {name} [ms]"] = 1e3 * (perf_counter() - begin)
    return seconds


def opening(page: Path) -> dict[str, float]:
    """Time opening a report from disk in Chromium, until its matrix can be used [s]; empty where there is no Chromium."""
    chromium = next(
        (path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None
    )
    if chromium is None:
        return {}
    from playwright.sync_api import sync_playwright

    seconds = []
    with sync_playwright() as playwright:
        # root may not use Chromium's sandbox, and the page is our own
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        for _ in range(OPENED):
            tab = browser.new_page()
            tab.goto(page.as_uri(), wait_until="commit")
            tab.wait_for_load_state("load", timeout=LONGEST_MS)
            usable = None
            # not wait_for_function, which evaluates text within the page: its policy forbids that
            while usable is None and tab.evaluate("performance.now()") < LONGEST_MS:
                usable = tab.evaluate("window.explorer?.usable_ms")
                tab.wait_for_timeout(20)  # not to keep the page from its work
            seconds.append(float("nan") if usable is None else usable / 1e3)
            tab.close()
        browser.close()
    return {"opening the report [s]": median(seconds)}


def stored(path: Path) -> float:
    """Size of a file, or of all files below a folder [GB]."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e9


def main() -> None:
    """Measure and report."""
    config = Path(sys.argv[1]) if len(sys.argv) > 1 else CONFIG / "paper.yaml"
    campaign = load_campaign(merge(read_yaml(CONFIG / "config.yaml"), read_yaml(config)))
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        begin = perf_counter()
        write_evaluations(campaign, results)
        write_rest(campaign, results)
        written = perf_counter() - begin
        options = ["--config", str(config), "--results", str(results)]
        metrics = run(["stage", "metrics", *options, campaign.metrics_id])
        reading = lazily(Results(results).path("metrics", campaign.metrics_id))
        decompressing, size = bound(results / "evaluations")
        report_ = run(["stage", "report", *options, campaign.report_id])
        figures = {
            "networks": len(campaign.networks),
            "scores per image [million]": size / 4 / 1e6,
            "evaluations [GB]": stored(results / "evaluations"),
            "metrics [GB]": stored(Results(results).path("metrics", campaign.metrics_id)),
            "writing evaluations and all else [s]": written,
            "report.html [MB]": 1e3 * stored(Results(results).path("reports", campaign.report_id) / REPORT),
            **opening((Results(results).path("reports", campaign.report_id) / REPORT).absolute()),
        }
    for verb, process in (("metrics", metrics), ("report", report_)):
        figures |= {f"{verb} [s]": process.seconds, f"{verb}, CPU [s]": process.cpu, f"{verb} [MiB]": process.mebibytes}
    figures |= reading
    figures["metrics and report [s]"] = metrics.seconds + report_.seconds
    figures["bound: reading and decompressing [s]"] = decompressing
    figures["metrics / bound"] = metrics.seconds / decompressing
    figures["metrics and report / bound"] = figures["metrics and report [s]"] / decompressing
    report(
        "analysis",
        figures,
        [
            Budget("metrics [MiB]", 2048, "max"),
            Budget("report [MiB]", 2048, "max"),
            Budget("metrics and report / bound", 42, "max"),
            Budget("report.html [MB]", 40, "max"),
        ],
        [
            f"{len(campaign.evaluations)} evaluations of {len(campaign.networks)} networks on "
            f"{len({id_ for suite in campaign.suites.values() for id_ in suite.datasets})} test datasets; whole processes.",
            "F1 of a network: of all images under all test conditions; of a test condition: of all networks on all its images.",
            f"Opening: from the start of the navigation to a page from disk, until the matrix can be used; median of {OPENED}.",
            "Bound: zipfile and numcodecs on every chunk of every evaluation, one thread, what comes out dropped.",
        ],
    )


if __name__ == "__main__":
    main()
