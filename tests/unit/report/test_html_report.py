"""Tables, figures and the report of synthetic campaigns."""

import base64
import hashlib
import html
import io
import json
import re
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from tests.unit.synthetic import trained_on

from hrtem_ood.analysis.key_numbers import by_training_set, key_numbers
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics, training_set_titles
from hrtem_ood.analysis.results import read_scores
from hrtem_ood.campaign.report_files import REPORT, figure_names, report_files, table_names
from hrtem_ood.cli.render.summary import summary_table
from hrtem_ood.errors import ConfigError
from hrtem_ood.report import explorer, explorer_blocks, network_views
from hrtem_ood.stages.metrics import metrics as run_metrics
from hrtem_ood.stages.report import report as run_report

pytestmark = pytest.mark.slow


class References(HTMLParser):
    """Collects everything in a page that a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]
        if tag not in ("meta", "img", "br", "link"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def reported(made: Any) -> Any:
    run_metrics(made.campaign, made.results)
    run_report(made.campaign, made.results)
    return made


@pytest.fixture(scope="module")
def folder(synthetic: Any) -> Path:
    """Return the folder of the synthetic campaign, reported on."""
    return reported(synthetic).folder


def check_outputs(made: Any) -> str:
    """Check that all outputs are there and sound, and no others; return the report's text."""
    folder = made.folder
    names = report_files(made.campaign)
    assert sorted(names) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    for name in table_names(made.campaign):
        table = pd.read_csv(folder / f"tables/{name}.csv")
        assert len(table) > 0 or name in ("predictor_ranking", "forecast", "learning_curves")  # no cells, or no files
    for name in (name for name in names if name.startswith("figures/")):
        content = (folder / name).read_bytes()
        if name.endswith(".png"):
            image = matplotlib.image.imread(io.BytesIO(content))
            assert min(image.shape[:2]) > 100
            assert np.ptp(image[..., :3]) > 0.5
        elif name.endswith(".rst"):
            assert content.decode().count("\n") == 1
        else:
            assert content.startswith(b"<?xml")
            assert not re.search(rb'href="(?!#|data:)', content)
    whole = (folder / REPORT).read_text()
    page = References()
    page.feed(whole)
    assert page.opened == []
    assert not {"link", "iframe", "object"} & set(page.tags)
    # scripts are two, which the page's policy names, and data
    assert re.findall(r"<script>", whole) == ["<script>"] * 2
    assert "default-src &#39;none&#39;" in whole
    text = re.sub(r"<script[^>]*>.*?</script>", "", whole, flags=re.DOTALL)
    assert text.count("<img ") == len(figure_names(made.campaign))
    assert all(target.startswith(("data:image/", "#")) for target in page.targets)
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"\b(nan|None)\b", re.sub(r"data:[^\"]*", "", text))
    assert not list(folder.rglob("*.tmp"))
    return text


def test_report_is_one_file_with_all_figures_and_numbers(folder: Path, synthetic: Any) -> None:
    text = check_outputs(synthetic)
    ranked = pd.read_csv(folder / "tables/predictor_ranking.csv")
    assert {"transfer", "naive", "images", "network"} == set(ranked.family)
    assert text.count("<details") == ranked.groupby(["outcome", "cells"]).ngroups
    assert "<h1>Campaign synthetic</h1>" in text
    # single sets: 0.9 + 0.005 − 0.01 · seed, median over seeds 0 and 1
    assert "<dd>0.90</dd>" in text
    assert "Δf +100 Å, 400 e/Å², focal spread 20 Å" in text
    assert "defocus_A:" in text  # the configuration
    assert "numpy" in text  # the software
    assert (
        "Note: datasets come from several devices: NVIDIA H100; cpu. Between devices, some counts differ by 1" in text
    )
    assert synthetic.campaign.name in text


def test_figures_are_the_same_bytes_for_the_same_data(folder: Path, synthetic: Any) -> None:
    before = {name: (folder / name).read_bytes() for name in report_files(synthetic.campaign) if name != REPORT}
    run_report(synthetic.campaign, synthetic.results)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_ood_matrix(folder: Path) -> None:
    table = pd.read_csv(folder / "tables/ood_matrix.csv")
    assert list(table.training_set) == ["single", "single", "mixed"]
    assert set(table.median_over) == {"2 networks (seed)"}
    # median over seeds 0 and 1 of the mean over images 0, 1, 2: 0.9 + 0.005 − 0.005 − |Δdefocus| / 500
    np.testing.assert_allclose(table.iloc[:, 3:], [[0.9, 0.7, 0.5], [0.5, 0.7, 0.9], [0.9, 0.7, 0.9]], atol=1e-6)
    assert list(table.columns[3:]) == [f"Δf {d} Å, 400 e/Å², focal spread 20 Å" for d in ("−100", "0", "+100")]


def test_gap_table_has_every_cell(folder: Path) -> None:
    table = pd.read_csv(folder / "tables/ood_gap.csv").sort_values(["training_id", "test_label"])
    assert len(table) == 9
    assert table.in_domain.sum() == 4
    off = table[~table.in_domain]
    np.testing.assert_allclose(off.f1_gap_median, -off.abs_delta_defocus_A / 500, atol=1e-6)
    np.testing.assert_allclose(off.f1_gap_q25, off.f1_gap_q75, atol=1e-6)  # both seeds lose the same
    # ±100 Å transfer alike but for the sign; what was trained at either shares nothing with minimum contrast
    np.testing.assert_allclose(table.sigma, (table.epsilon > 0).astype(float), atol=1e-6)


def test_predictor_table_counts_cells_under_imaging_shifts(folder: Path) -> None:
    table = pd.read_csv(folder / "tables/predictors.csv").set_index(["cells", "predictor"])
    assert table.n["imaging", "sigma"] == 5
    assert table.n["imaging, single-condition training", "sigma"] == 4
    assert table.n["imaging, mixtures", "sigma"] == 1
    assert table.n["imaging, away from minimum contrast", "sigma"] == 2
    # gaps −0.2 and −0.4 at |Δdefocus| of 100 and 200 Å
    assert table.rho["imaging", "abs_delta_defocus_A"] == pytest.approx(-1)
    assert np.isnan(table.rho["imaging, mixtures", "sigma"])


def test_network_and_condition_tables(folder: Path, synthetic: Any) -> None:
    networks = pd.read_csv(folder / "tables/networks.csv")
    assert set(networks.network) == set(synthetic.campaign.networks)
    single = networks[~networks.mixed]
    np.testing.assert_allclose(single.in_domain_f1, 0.905 - 0.01 * single.seed, atol=1e-6)
    np.testing.assert_allclose(single.off_domain_f1, 0.605 - 0.01 * single.seed, atol=1e-6)
    conditions = pd.read_csv(folder / "tables/conditions.csv")
    assert list(conditions.defocus_A) == [-100, 0, 100]
    assert list(conditions.minimum_contrast) == [False, True, False]
    assert conditions.epsilon[1] == 0


@pytest.mark.usefixtures("folder")
def test_key_numbers_and_summary(synthetic: Any) -> None:
    reduced = aggregate_by_training_set(synthetic.campaign, read_metrics(synthetic.campaign, synthetic.results))
    found = key_numbers(reduced)
    assert (found.networks, found.diverged, found.training_sets) == (6, 0, 3)
    assert (found.conditions, found.datasets, found.images) == (3, 3, 9)
    assert found.in_domain_f1 == pytest.approx(0.9, abs=1e-6)
    assert found.off_domain_cells == 5
    assert found.gap == pytest.approx(-0.2, abs=1e-6)
    assert found.worst_gap == pytest.approx(-0.4, abs=1e-6)
    rows = by_training_set(reduced)
    assert list(rows.training_set) == ["−100", "+100", "mixed (2 conditions)"]
    assert list(rows.best_ood) == ["0", "0", "0"]
    assert list(rows.worst_ood) == ["+100", "−100", "0"]
    np.testing.assert_allclose(rows.worst_ood_f1, [0.5, 0.5, 0.7], atol=1e-6)
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(summary_table(synthetic.campaign, synthetic.results))
    lines = console.export_text().splitlines()
    assert any(re.search(r"−100 .* 2 .* 0\.90 .* 0\.60 .* 0\.70 .* 0 .* 0\.50 .* \+100", line) for line in lines)


def test_one_condition(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["conditions"] = {"only": {"defocus_A": 100, "dose_e_per_A2": 400}}
    config["training_sets"] = {"single": config["training_sets"]["single"] | {"conditions": "only"}}
    config["networks"]["unet"] |= {"training_sets": "single", "seed": 0}
    config["test_suites"]["test"]["conditions"] = "only"
    text = check_outputs(reported(make(config)))
    assert "over 0 off-domain" in re.sub(r"\s+", " ", text)


def test_several_suites_and_structure_sets(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["structure_sets"]["other"] = config["structure_sets"]["test"] | {"n_structures": 2, "seed": 3}
    config["test_suites"]["other"] = {"structure_set": "other", "conditions": ["trained"]}
    config["test_suites"]["again"] = {"structure_set": "test", "conditions": ["focus"]}
    made = reported(make(config))
    check_outputs(made)
    matrix = pd.read_csv(made.folder / "tables/ood_matrix.csv")
    assert sum(name.startswith("other: ") for name in matrix.columns) == 2
    assert len(pd.read_csv(made.folder / "tables/ood_gap.csv")) == 3 * 5
    rows = by_training_set(aggregate_by_training_set(made.campaign, read_metrics(made.campaign, made.results)))
    assert list(rows.structure_set) == ["test", "other"] * 3


def test_many_conditions(make: Callable[..., Any], config: dict[str, Any]) -> None:
    grid = {"defocus_A": list(range(-100, 101, 50)), "dose_e_per_A2": [100, 400], "C12": [0, 40]}
    config["conditions"] = {"trained": grid, "focus": grid}
    config["networks"]["unet"]["seed"] = 0
    made = reported(make(config))
    check_outputs(made)
    assert pd.read_csv(made.folder / "tables/ood_matrix.csv").shape == (21, 3 + 20)


def test_training_sets_that_share_conditions_keep_their_names_apart(
    make: Callable[..., Any], config: dict[str, Any]
) -> None:
    config["training_sets"]["fewer"] = config["training_sets"]["single"] | {"n_images": 2}
    config["networks"]["unet"]["training_sets"] = ["single", "fewer"]
    made = make(config)
    run_metrics(made.campaign, made.results)
    reduced = aggregate_by_training_set(made.campaign, read_metrics(made.campaign, made.results))
    assert list(reduced.short_label.values) == ["−100 (single)", "−100 (fewer)", "+100 (single)", "+100 (fewer)"]


def test_mixtures_of_one_name_are_numbered_as_in_the_configuration(
    make: Callable[..., Any], config: dict[str, Any]
) -> None:
    config["training_sets"]["drawn"] = config["training_sets"]["mixed"] | {
        "drawn": {"n_conditions": 2, "number": 2, "seed": 0}
    }
    config["training_sets"]["drawn"]["conditions"] = ["trained", "focus"]
    config["training_sets"]["drawn"]["n_images"] = 2
    config["networks"]["unet"]["training_sets"] = ["drawn", "single"]
    campaign = make(config).campaign
    titles = training_set_titles(campaign)
    drawn = [each.id for each in campaign.training_sets["drawn"]]
    assert len(drawn) == 2
    assert [titles[id_] for id_ in drawn] == ["drawn 1 (2 conditions)", "drawn 2 (2 conditions)"]
    assert len(set(titles.values())) == len(titles)


def test_without_any_gap(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["test_suites"]["test"]["conditions"] = ["focus"]
    check_outputs(reported(make(config)))


def test_training_sets_side_by_side(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["analysis"] = {"compare_training_sets": ["mixed", "single"], "bootstrap_resamples": 200}
    made = reported(make(config))
    check_outputs(made)
    table = pd.read_csv(made.folder / "tables/compare.csv").set_index("training_set")
    assert list(table.index) == ["mixed", "single"]
    assert list(table.networks) == [2, 4]
    # under −100, 0 and +100 Å, mean over seeds and images 0.9: the mixture has 0.9, 0.7, 0.9; single sets 0.9, 0.7, 0.5
    np.testing.assert_allclose(table["mean"], [2.5 / 3, 2.1 / 3], atol=1e-6)
    np.testing.assert_allclose(table.worst, [0.7, 0.5], atol=1e-6)
    assert table.loc["mixed"].iloc[5:].isna().all()
    single = table.loc["single"]
    assert single.mean_difference == pytest.approx(-0.4 / 3, abs=1e-5)
    assert single.worst_difference == pytest.approx(-0.2, abs=1e-5)
    assert single.mean_low < single.mean_difference < single.mean_high
    assert single.worst_low <= single.worst_difference <= single.worst_high
    networks = pd.read_csv(made.folder / "tables/compare_networks.csv", dtype={"worst_condition": str})
    assert sorted(networks.network) == sorted(made.campaign.networks)
    worst = networks[networks.training_set == "single"].set_index("network").worst_condition
    opposite = {-100: "+100", 100: "-100"}
    for id_, condition in worst.items():
        (defocus,) = trained_on(made.campaign, made.campaign.networks[id_])
        assert condition.replace("−", "-") == opposite[int(defocus)]


@pytest.mark.usefixtures("undrawn")
def test_what_is_compared_is_paired_by_condition(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["analysis"]["compare_training_sets"] = ["single", "mixed"]
    config["networks"]["unet"]["seed"] = 0

    def rule(_network: Any, dataset: Any, _image: int) -> float:
        return 0.5 + dataset.condition.defocus_A / 500

    made = make(config, rule=rule)
    table = pd.read_csv(reported(made).folder / "tables/compare.csv").set_index("training_set")
    # networks that do the same differ by nothing, whichever conditions are drawn
    np.testing.assert_allclose(table.loc["mixed"].iloc[5:], 0, atol=1e-7)


@pytest.mark.usefixtures("undrawn")
def test_text_from_the_configuration_is_escaped(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["materials"]["CdSe"] = {"file": "<script>x</script>.cif", "sha256": "0"}
    text = (reported(make(config)).folder / REPORT).read_text()
    assert re.findall(r"<script>", text) == ["<script>"] * 2, "those of the page"
    assert "&lt;script&gt;x&lt;/script&gt;.cif" in text


def test_data_of_the_page_end_no_element() -> None:
    content = {"</script><script>alert(1)</script>": ["<!--", "&lt;", "]]>", "\u2028", 'a"b', "\\u003c"]}
    text = explorer.json_text(content)
    assert not set(text) & set("<>&")
    assert json.loads(text) == content


def test_the_pages_policy_names_its_scripts(folder: Path) -> None:
    text = (folder / REPORT).read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    allowed = re.findall(r"'sha256-([^']*)'", html.unescape(policy))
    run = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in run] == allowed
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_numbers_of_the_page_can_be_read_back() -> None:
    values = np.array([[0.25, np.nan], [-1.5, np.inf]])
    text, low, step = explorer_blocks.encode(values)
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).astype(int)
    codes = (planes[:4] << 8) | planes[4:]
    assert list(codes == explorer_blocks.UNKNOWN) == [False, True, False, True]
    np.testing.assert_allclose(low + step * codes[[0, 2]], [0.25, -1.5], atol=1e-4)


def test_cells_that_are_shown_are_chosen_by_rule(folder: Path, synthetic: Any) -> None:  # noqa: ARG001  # it is read
    scores = read_scores(synthetic.campaign, synthetic.results)
    chosen = {each.rule: (each.row, each.column) for each in network_views.choose_cells(scores)}
    f1, inside = scores.cells.f1.values, scores.cells.in_domain.values
    assert inside[chosen["in-domain"]]
    assert not inside[chosen["median"]]
    assert f1[chosen["median"]] == np.median(f1[~inside])
    assert f1[chosen["worst"]] == f1[~inside].min()
    error = np.abs(network_views.forecast_error(scores))
    assert ("furthest from its forecast" in chosen) == bool(np.isfinite(error).any())
    # no network of this campaign has weights: no view, and the reason
    views = network_views.read_views(synthetic.campaign, synthetic.results, scores)
    assert views.views == {}
    assert all("is missing" in each for each in views.absent.values())


def test_an_unknown_palette_is_a_configuration_error(make: Callable[..., Any], config: dict[str, Any]) -> None:
    config["report"]["palette"] = "crsest"
    with pytest.raises(ConfigError, match=r"report\.palette: .*'crsest'; try crest"):
        reported(make(config))


def test_outputs_are_light_to_import() -> None:
    import subprocess
    import sys

    code = (
        "import sys, hrtem_ood.campaign.report_files as o; assert o.report_files(); "
        "assert not {'numpy', 'matplotlib', 'xarray', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
