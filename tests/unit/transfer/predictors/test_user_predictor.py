"""Predictors from a user's file: the documented example, what goes wrong, and scenes of one's own."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from ase import Atoms
from ase.io import write as write_atoms

from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
from hrtem_ood.analysis.ranking.predictor_ranking import rank_predictors
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.stages.metrics import metrics as run_metrics
from hrtem_ood.stages.predictors import predictors
from hrtem_ood.transfer.predictors.registry import PREDICTORS
from hrtem_ood.transfer.predictors.user_predictor import UserPredictor, user_predictor

PAGE = (Path(__file__).parents[4] / "docs/predictors.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the synthetic configuration, as it may be written."""
    config["networks"]["unet"]["lr_schedule"] = "exponential"
    return config


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ranked(campaign: Campaign, results: Path) -> tuple[pd.DataFrame, set[str]]:
    """Return the ranking of a campaign, and its kinds of shift."""
    run_metrics(campaign, results)
    found = training_set_outcomes(campaign, read_metrics(campaign, results))
    with Results(results).open("predictors", campaign.predictors_id) as values:
        table = rank_predictors(values.load(), found, campaign.config.analysis)
    return table, set(np.unique(found["shift"]))


@pytest.mark.slow
def test_the_documented_example_is_ranked(here: Path, make: Callable[..., Any], config: dict[str, Any]) -> None:
    (here / "mine.py").write_text(block("python"))
    told = yaml.safe_load(block("yaml"))
    campaign = load_campaign(config | told)
    made = make(campaign.config.model_dump(mode="json"))
    with store.open_zarr(made.path("predictors", campaign.predictors_id)) as found:
        values = found.load()
    assert values.histogram.attrs | {"family": "user", "direction": "smaller"} == values.histogram.attrs
    # by hand: the histograms of all pixels of both datasets
    row, column = campaign.training_sets["single"][0].id, campaign.test_dataset_ids[1]
    histograms = []
    for id_ in (*campaign.training_set_by_id[row].datasets, column):
        counts = store.read_zarr(made.path("datasets", id_)).counts.values[:48].astype(float)
        standard = (counts - counts.mean((1, 2), keepdims=True)) / counts.std((1, 2), keepdims=True)
        histograms.append(np.histogram(standard.clip(-4, 4), 40, (-4, 4))[0] / standard.size)
    train, test = histograms
    found = float(values.histogram.sel(training_set=row, condition=column))
    assert found == pytest.approx(np.abs(train - test).sum() / 2, abs=1e-4)
    # another sign of the defocus transfers the same
    inside = values.abs_delta_defocus_A.values == 0
    np.testing.assert_allclose(values.change_of_snr.values[inside], 0, atol=1e-12)
    assert values.change_of_snr.values.max() > 0.1
    table, _ = ranked(campaign, made.results)
    assert set(table.predictor[table.family == "user"]) == {"histogram", "change_of_snr"}


def test_the_page_names_what_is_there() -> None:
    from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet

    for name, kind in (("train", TrainingSet), ("test", Dataset)):
        listed = set(re.findall(rf"^\| `{name}\.(\w+)` \|", PAGE, re.MULTILINE))
        there = set(kind.__dataclass_fields__) | {
            key for key, value in vars(kind).items() if isinstance(value, property)
        }
        assert listed == there


def test_an_edited_file_makes_new_predictors_and_a_moved_one_does_not(here: Path, config: dict[str, Any]) -> None:
    def campaign(file: str, content: str, **changes: Any) -> Campaign:
        (here / file).write_text(content)
        entry = {"file": file, "name": "f", "direction": "larger"} | changes
        return load_campaign(config | {"predictors": {"mine": entry}})

    one = campaign("one.py", "def f(train, test): return 1")
    assert campaign("two.py", "def f(train, test): return 1").predictors_id == one.predictors_id
    assert campaign("one.py", "def f(train, test): return 2").predictors_id != one.predictors_id
    assert campaign("one.py", "def f(train, test): return 1", direction="smaller").predictors_id != one.predictors_id
    assert campaign("one.py", "def f(train, test): return 1").metrics_id == load_campaign(config).metrics_id


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("g = 1", "the file defines no function `f`"),
        ("f = 1", "the file defines no function `f`"),
        ("class f: pass", "`f` is a class; it must be a function"),
        ("from os import system as f", "the file defines no function `f`"),
        ("def f(train, test): pass\nfrom os import system as f", "`f` is no function that the file itself defines"),
        ("def f(", r"f\.py: is no Python file \(SyntaxError"),
        ("import nothing_of_that_name\ndef f(train, test): return 1", r"f\.py: cannot be run \(ModuleNotFoundError"),
        ("def f(train, test): return train.colour", "f fails with AttributeError: .*colour"),
        ("def f(train, test): raise SystemExit(3)", "f fails with SystemExit: 3"),
        ("def f(train, test): return 'near'", "f fails with ValueError"),
        ("def f(train, test): return None", "f fails with TypeError"),
        ("def f(train, test, power): return 1", "f fails with TypeError: .*power"),
        ("def f(train, test): return float('inf')", "f returns inf; return a finite number, or NaN"),
    ],
)
def test_mistakes_in_the_file_are_told_by_its_name(here: Path, content: str, message: str) -> None:
    path = here / "f.py"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message) as told:
        user_predictor("mine", UserPredictor(file=str(path), name="f", direction="larger")).function(None, None)  # type: ignore[arg-type]
    assert "f.py" in str(told.value)


@pytest.mark.parametrize(
    ("content", "parameters", "message"),
    [
        ("def g(a, b): pass", {}, r"predictors.mine: f.py: the file defines no function `f`; .*It defines: g"),
        ("def f(train): pass", {}, r"predictors.mine: f.py: function `f` takes 1 arguments; it is called with 2"),
        ("def f(train, test, power): pass", {}, r"function `f` needs the parameters power"),
        ("def f(train, test, *, power=1): pass", {"powre": 2}, r"takes no parameter `powre`; did you mean `power`"),
        ("def f(*all, **more): pass", {"x": 2}, None),
        ("import functools\n@functools.cache\ndef f(a): pass", {"x": 2}, None),
    ],
)
def test_a_configuration_is_checked_by_the_text_of_the_file(
    here: Path, config: dict[str, Any], content: str, parameters: dict[str, Any], message: str | None
) -> None:
    (here / "f.py").write_text("open('ran', 'w')\n" + content)
    entry = {"file": "f.py", "name": "f", "direction": "larger", "parameters": parameters}
    if message is None:
        load_campaign(config | {"predictors": {"mine": entry}})
    else:
        with pytest.raises(ConfigError, match=message):
            load_campaign(config | {"predictors": {"mine": entry}})
    assert not (here / "ran").exists()


def test_parameters_arrive_and_nan_is_no_mistake(here: Path) -> None:
    path = here / "f.py"
    path.write_text("def f(train, test, a, b=2): return a / b if a else float('nan')")

    def value(**parameters: float) -> float:
        entry = UserPredictor(file=str(path), name="f", direction="smaller", parameters=parameters, unit="Å")
        made = user_predictor("mine", entry)
        assert (made.direction, made.symbol, made.unit, made.family) == ("smaller", "mine", "Å", "user")
        return made.function(None, None)  # type: ignore[arg-type]

    assert value(a=3) == 1.5
    assert value(a=3, b=4) == 0.75
    assert np.isnan(value(a=0))


def test_a_file_that_changed_since_is_refused(here: Path, config: dict[str, Any], make: Callable[..., Any]) -> None:
    (here / "f.py").write_text("def f(train, test): return 1")
    campaign = load_campaign(config | {"predictors": {"mine": {"file": "f.py", "name": "f", "direction": "larger"}}})
    made = make(campaign.config.model_dump(mode="json"))
    (here / "f.py").write_text("def f(train, test): return 2")
    with pytest.raises(ArtifactError, match=r"f\.py has changed since the predictor mine was configured"):
        predictors(campaign, made.results)


@pytest.mark.slow
def test_scenes_of_ones_own_have_predictors(here: Path, config: dict[str, Any], make: Callable[..., Any]) -> None:
    """Every file is a recipe of its own: nothing is in-domain, and objects are compared by their spectra."""
    for name, shift in (("train", 0.0), ("test", 1.0)):
        frames = [
            Atoms("CAu", [[1, 1, 2], [4 + shift, 5 + 0.1 * number, 5]], cell=[12.8, 12.8, 12], pbc=(True, True, False))
            for number in range(6)
        ]
        write_atoms(here / f"{name}.extxyz", frames)
        config["structure_sets"][name] = {"n_structures": 6, "file": f"{name}.extxyz", "cell_A": 12.8}
    campaign = load_campaign(config)
    assert len(campaign.exit_waves_for_recipe) == 2
    made = make(campaign.config.model_dump(mode="json"))
    with store.open_zarr(made.path("predictors", campaign.predictors_id)) as found:
        values = found.load()
    assert set(values.data_vars) == set(PREDICTORS)
    for name, each in values.data_vars.items():
        assert np.isfinite(each).all(), name
    # the synthetic waves of both files are alike, so that objects overlap wholly
    np.testing.assert_allclose(values.object_overlap, 1, rtol=1e-9)
    table, kinds = ranked(campaign, made.results)
    assert kinds == {"structure", "structure and imaging"}
    assert table.empty, "no training set was tested on its own recipe, which gap and regret refer to"
