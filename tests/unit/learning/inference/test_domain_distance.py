"""What is said of a condition agrees with the campaign's metrics, and tells where it is not to be relied on."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit import synthetic
from tests.unit.learning.inference.conftest import random_network
from tests.unit.transfer.forecast.laws import crossed

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.cli.render import predict
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference.condition_assessment import assess_condition
from hrtem_ood.learning.inference.condition_forecast import ConditionForecast, forecast_condition
from hrtem_ood.learning.inference.condition_option import parse_condition
from hrtem_ood.learning.inference.domain_distance import assess_distance
from hrtem_ood.learning.inference.measured_f1 import expected_f1, find_measured
from hrtem_ood.learning.inference.segment_micrographs import load
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.stages.metrics import metrics
from hrtem_ood.transfer.forecast.descriptors import PLACE
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.forecaster_files import write_forecaster
from hrtem_ood.transfer.forecast.performance import ForecastBin, Performance
from hrtem_ood.transfer.forecast.reference_objects import ReferenceObjects
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.parameters import Transfer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """Return a synthetic campaign of the analysis' tests, with its metrics made by the analysis."""
    config = synthetic.base_config()
    config["conditions"]["focus"] |= {"defocus_A": [0, 60, 250], "C12": [0, 90], "dose_e_per_A2": [100, 400]}
    made = synthetic.write(Campaign(CampaignConfig.model_validate(config)), tmp_path_factory.mktemp("made"))
    metrics(made.campaign, made.results)
    return made


def trained_on(campaign, network):
    training_set = campaign.training_set_by_id[network.training_set]
    conditions = {campaign.datasets[id_].condition for id_ in training_set.datasets}
    return TrainingDomain(tuple((one, 2) for one in sorted(conditions, key=str)), 300e3, 0.4, 32)


@pytest.fixture(scope="module")
def users(campaign, tmp_path_factory):
    """Return the networks of the campaign, with random weights."""
    folder = tmp_path_factory.mktemp("users")
    users = {
        id_: load(random_network(folder, spec=spec, trained_on=trained_on(campaign.campaign, spec)))
        for id_, spec in campaign.campaign.networks.items()
    }
    for job in campaign.campaign.evaluations.values():
        record(campaign.path("evaluations", job.spec.id), {each.id: users[each.id] for each in job.networks})
    return users


def record(path, users):
    """Let an evaluation record the weights that it tested, as real ones do."""
    evaluation = store.read_zarr(path)
    networks = {id_: user.sha256_of_weights for id_, user in users.items()}
    datasets = dict.fromkeys(map(str, evaluation.condition.values), "digest")
    attributes = {"networks": json.dumps(networks), "datasets": json.dumps(datasets)}
    store.write_zarr(path, evaluation.drop_encoding(), evaluation.attrs | attributes)


def test_sigma_and_epsilon_are_those_of_the_metrics(campaign, users):
    written = store.read_zarr(campaign.metrics)
    assert len(users) > 2
    for id_, user in users.items():
        transfer = find_measured(campaign.results, id_, user.sha256_of_weights).transfer
        for dataset in written.condition.values:
            condition = campaign.campaign.datasets[str(dataset)].condition
            cell = written.sel(network=id_, condition=dataset)
            far = assess_distance(condition, user.training_domain, transfer)
            assert far.sigma == pytest.approx(float(cell.sigma), abs=2e-7)
            assert far.epsilon == pytest.approx(float(cell.epsilon), abs=1e-9)
            assert far.defocus_A == float(cell.abs_delta_defocus_A)
            assert far.in_domain == bool(cell.in_domain)


def test_points_are_those_of_the_metrics(campaign, users):
    written = store.read_zarr(campaign.metrics)
    for id_, user in users.items():
        measured = find_measured(campaign.results, id_, user.sha256_of_weights)
        assert measured.campaign == "synthetic"
        assert measured.transfer == campaign.campaign.config.transfer != Transfer()
        row = written.sel(network=id_)
        np.testing.assert_array_equal(measured.points.f1, row.mean_f1.values.astype(float))
        np.testing.assert_array_equal(measured.points.label, row.label.values.astype(object))
    assert find_measured(campaign.results, "another", "0" * 64) is None


def test_f1_of_other_weights_are_left_out(campaign, users, tmp_path, capsys):
    (id_, user), results = next(iter(users.items())), tmp_path / "results"
    for stage in ("metrics", "evaluations"):
        shutil.copytree(campaign.results / stage, results / stage)
    size = len(find_measured(results, id_, user.sha256_of_weights).points)
    assert capsys.readouterr().err == ""
    other = dataclasses.replace(user, sha256_of_weights="0" * 64)  # as trained again on another machine
    assert find_measured(results, id_, other.sha256_of_weights) is None
    said = capsys.readouterr().err
    assert f"left out: {size} of {size} test conditions in {results}/metrics/" in said
    assert f"was measured with the weights that {id_} has" in said
    judged, _ = assess_condition(other, Condition(defocus_A=30, dose_e_per_A2=100), results, tmp_path)
    assert judged.expected is None
    # an evaluation of other weights on some of the datasets
    path = next((results / "evaluations").glob("*.zarr.zip"))
    part = store.read_zarr(path).isel(condition=slice(2))
    store.write_zarr(path.with_name("b-0.zarr.zip"), part.drop_encoding(), part.attrs | {"id": "b-0"})
    record(path.with_name("b-0.zarr.zip"), {id_: other})
    (results / "evaluations/c-0.zarr.zip").write_bytes(b"")
    measured = find_measured(results, id_, user.sha256_of_weights)
    assert len(measured.points) == size - 2
    assert "left out: 1 evaluations that cannot be read" in capsys.readouterr().err


def test_the_campaign_with_most_of_the_networks_conditions_counts(campaign, users, tmp_path, capsys):
    id_ = next(iter(users))
    source = campaign.metrics
    attributes = store.zarr_attributes(source)
    written = store.read_zarr(source)
    written["mean_f1"][:, 3] = np.nan  # not scored there
    for name, part in (("a-0", written.isel(condition=slice(5))), ("b-0", written)):
        parameters = json.loads(attributes["parameters"]) | {"campaign": name[0]}
        told = attributes | {"id": name, "parameters": json.dumps(parameters)}
        store.write_zarr(tmp_path / f"metrics/{name}.zarr.zip", part, told)
    shutil.copytree(campaign.results / "evaluations", tmp_path / "evaluations")
    (tmp_path / "metrics/c-0.zarr.zip").write_bytes(source.read_bytes()[:1000])
    measured = find_measured(tmp_path, id_, users[id_].sha256_of_weights)
    assert measured.campaign == "b"
    assert len(measured.points) == written.sizes["condition"] - 1
    assert "c-0.zarr.zip is damaged" in capsys.readouterr().err


def points(sigma, f1):
    return pd.DataFrame(
        {"label": "χ", "structure_set": "test", "sigma": sigma, "f1": f1, "in_domain": np.equal(sigma, 1)}
    )


def test_the_f1_to_expect_is_that_of_the_nearest_in_sigma():
    sigma, f1 = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1]), np.array([0.1, 0.3, 0.2, 0.4, 0.8, 0.7, 0.9])
    expected = expected_f1(points(sigma, f1), 0.92)
    assert list(expected.points.sigma) == [0.9, 0.95, 1, 0.8, 0.7]
    assert (expected.median, expected.low, expected.high) == (0.7, 0.2, 0.9)
    assert expected.rho == pytest.approx(stats.spearmanr(sigma, f1).statistic)
    assert expected.inside
    assert expected.orders


def test_a_condition_that_was_measured_is_not_interpolated():
    table = points([0.5, 1.0, 1.0, 1.0], [0.1, 0.9, 0.15, 0.8])
    stated, new = (Condition(defocus_A=defocus_A, dose_e_per_A2=100) for defocus_A in (-50, -60))
    table["label"] = ["a", "b", stated.label, "c"]
    table["defocus_A"], table["dose_e_per_A2"] = [-50.0, 50.0, -50.0, 60.0], [201.0, 199.0, 100.0, 100.0]
    expected = expected_f1(table, 1.0, stated)
    assert (expected.at_exactly_this, expected.near) == (True, True)
    assert expected.at_condition == 0.15
    # within 100 Å and a factor of 2: nobody knows the condition exactly
    assert list(expected.points.label) == ["b", stated.label]
    assert (expected.low, expected.high) == (0.15, 0.9)
    # beside it, one near condition tells nothing of how far F1 varies; two do
    beside = expected_f1(table.drop(index=1), 1.0, new)
    assert (beside.at_exactly_this, beside.near) == (False, False)
    table.loc[1, "defocus_A"] = 30.0
    for aberrations, near in (({}, True), ({"C12": 50.0}, False)):
        other = Condition(defocus_A=30, dose_e_per_A2=199, **aberrations).label
        table.loc[1, "label"] = other
        beside = expected_f1(table, 1.0, new)
        # what differs in more than defocus and dose is not near
        assert (beside.at_exactly_this, beside.near) == (False, near)
        if near:
            assert list(beside.points.label) == [other, stated.label]
            assert (beside.low, beside.median, beside.high) == (0.15, 0.525, 0.9)
    (note,) = predict.expectation_notes(expected, table, None)
    assert "seldom known better" in note


def test_no_range_is_told_of_a_single_measurement(users, campaign, tmp_path):
    """A network that was tested under one condition says nothing of others; its own must not look certain."""
    user = next(iter(users.values()))
    own = user.training_domain.conditions[0][0]
    judged, _ = assess_condition(user, own, campaign.results, tmp_path)
    alone = judged.measured.points[judged.measured.points.label == own.label]
    expected = expected_f1(alone, 1.0, own)
    judged = dataclasses.replace(judged, expected=expected, forecast=None)
    text = "\n".join(predict.assessment_lines(judged, user))
    assert not judged.expectation.has_range
    assert text.count("expected F1") == 1
    assert (
        f"expected F1: {expected.at_condition:.2f}, measured with this network on simulated images under exactly"
        in text
    )
    assert "how far it varies is unknown, as nothing was measured beside it" in text
    assert "range" not in text


def test_conditions_as_near_as_the_last_count_too():
    expected = expected_f1(points([0.5, *[1.0] * 8], np.linspace(0.1, 0.9, 9)), 1.0)
    assert len(expected.points) == 8
    assert expected.low == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("sigma", "f1", "at", "said"),
    [
        (np.linspace(0.5, 1, 9), np.linspace(0.2, 0.9, 9), 0.7, []),
        (np.linspace(0.5, 1, 9), np.linspace(0.2, 0.9, 9), 0.4, ["outside the measured 0.500 to 1.000"]),
        (np.linspace(0.5, 1, 9), np.linspace(0.9, 0.2, 9), 0.7, ["is -1.00: for this network, σ does not order"]),
        (np.linspace(0.5, 1, 6), [0.5, 0.9, 0.4, 0.8, 0.6, 0.7], 0.7, ["is 0.14.*range of all.*0.40 to 0.90"]),
        (np.ones(6), np.linspace(0.2, 0.9, 6), 1.0, ["ρ of σ and F1 over these 6 conditions is undefined"]),
        ([0.5, 0.7, 1.0], [0.2, 0.3, 0.9], 0.7, ["3 measured conditions do not show whether"]),
        ([1.0], [0.9], 0.7, ["outside the measured", "1 measured conditions do not show"]),
    ],
)
def test_warnings_say_where_it_is_not_to_be_relied_on(users, sigma, f1, at, said):
    user = next(iter(users.values()))
    far = assess_distance(user.training_domain.conditions[0][0], user.training_domain, Transfer(radial_points=16))
    table = points(sigma, f1)
    found = list(predict.expectation_notes(expected_f1(table, at), table, dataclasses.replace(far, sigma=at)))
    assert len(found) == len(said)
    for text, pattern in zip(found, said, strict=True):
        assert re.search(pattern, text)


def test_distances_are_to_the_nearest_training_condition():
    def chi(**values):
        return Condition(**{"defocus_A": 100, "dose_e_per_A2": 400} | values)

    known = TrainingDomain(((chi(), 1), (chi(defocus_A=-150, dose_e_per_A2=50), 1)), 300e3, 0.4, 32)
    far = assess_distance(chi(defocus_A=-140, dose_e_per_A2=100), known, Transfer())
    assert far.defocus_A == 10
    assert far.dose_ratio == 2
    assert far.nearest.defocus_A == -150
    assert not far.in_domain
    each = [assess_distance(one, known, Transfer()).epsilon for one, _ in known.conditions]
    assert far.trained_epsilon == (min(each), max(each))
    assert min(each) < max(each)
    again = assess_distance(chi(dose_e_per_A2=400), known, Transfer())
    assert (again.in_domain, again.sigma, again.dose_ratio) == (True, pytest.approx(1, abs=1e-12), 1)
    # another energy is another transfer
    other = TrainingDomain(known.conditions, 80e3, 0.4, 32)
    assert abs(assess_distance(far.condition, other, Transfer()).sigma - far.sigma) > 1e-4


def test_without_metrics_only_the_distance_is_told(users, tmp_path):
    user = next(iter(users.values()))
    judged, path = assess_condition(user, Condition(defocus_A=30, dose_e_per_A2=100), tmp_path / "none", tmp_path)
    text = "\n".join(predict.assessment_lines(judged, user))
    assert judged.measured is None
    assert f"shared transfer σ with training: {judged.distance.sigma:.3f}" in text
    assert "measured F1: unknown, as no campaign in the results folder has tested this network" in text
    assert "dose: 0.25 times" in text
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_with_metrics_the_nearest_conditions_are_listed(campaign, users, tmp_path):
    user = next(iter(users.values()))
    judged, path = assess_condition(
        user, Condition(defocus_A=55, dose_e_per_A2=20, focal_spread_A=20), campaign.results, tmp_path
    )
    judged = dataclasses.replace(judged, forecast=None)  # that of the package is for this pixel and beam energy
    text = "\n".join(predict.assessment_lines(judged, user))
    assert "Δf +60 Å, 100 e/Å²" in text
    assert judged.expectation.source == "nearest in σ"
    assert f"expected F1: {judged.expected.median:.2f}, range {judged.expected.low:.2f}" in text
    assert "their median, as there is no forecast" in text
    assert "σ does not include the dose" in text
    assert path.name == "trust.png"
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_with_metrics_conditions_near_the_stated_one_count_before_a_forecast(campaign, users, tmp_path):
    user = next(iter(users.values()))
    stated = Condition(defocus_A=55, dose_e_per_A2=130, focal_spread_A=20)
    judged, _ = assess_condition(user, stated, campaign.results, tmp_path)
    text = "\n".join(predict.assessment_lines(judged, user))
    assert judged.forecast is not None
    assert (judged.expectation.source, judged.expected.at_exactly_this) == ("measured", False)
    points = judged.measured.points
    near = points[(points.defocus_A - 55).abs().le(100) & points.dose_e_per_A2.between(65, 260)]
    assert (judged.expectation.low, judged.expectation.high) == (near.f1.min(), near.f1.max())
    assert "with this network on simulated images under conditions near it; their median" in text
    assert "those within 100 Å and a factor of 2 in dose:" in text
    assert "take the range" in text


def test_a_stated_condition_is_read():
    found = parse_condition(" defocus_A=120, dose_e_per_A2 = 3e2,C12=-40 ,")
    assert found == Condition(defocus_A=120, dose_e_per_A2=300, C12=-40)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "defocus=120,dose_e_per_A2=300",
            r"defocus: unknown key; did you mean `defocus_A`\?$",
        ),
        ("defocus_A=120", r"dose_e_per_A2: is missing\. It is: Dose \[e/Å²\]"),
        ("defocus_A=120,dose_e_per_A2=-3", "dose_e_per_A2: must be greater than or equal to 0.01, not -3"),
        ("defocus_A=far,dose_e_per_A2=3", "defocus_A: must be a valid number, not far"),
        ("defocus_A 120", "'defocus_A 120' is no key=value. Write it like defocus_A=120,"),
        ("defocus_A=1,defocus_A=2", "defocus_A is there twice"),
        ("", "defocus_A: is missing"),
        ("defocus_A=nan,dose_e_per_A2=3", "defocus_A: must be a finite number, not nan"),
    ],
)
def test_mistakes_in_a_condition_are_told(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_condition(text)


def test_the_forecast_under_a_condition_is_that_of_its_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a forecaster with objects in the results folder; outside its domain it is that of the edge, and this is said."""
    monkeypatch.setattr("hrtem_ood.transfer.forecast.choose_file.SHIPPED", tmp_path / "none")

    def chi(**values: float) -> Condition:
        return Condition(**({"defocus_A": 60, "focal_spread_A": 20} | values))

    training_domain = TrainingDomain(((chi(defocus_A=60, dose_e_per_A2=400), 8),), 3e5, 0.4, 64)
    assert forecast_condition(chi(dose_e_per_A2=400), training_domain, tmp_path) is None
    objects = ObjectSpectrum(np.linspace(0, 2, 40), np.full(40, 0.02), np.full(40, 0.002), 0.3)
    cells = crossed(16, 0.02)
    cells.descriptors[:, PLACE["log_n_images"]] = np.log(8)
    made = Forecaster.fit(
        cells,
        metric="f1",
        bounds=(0, 1),
        pixel_size_A=0.4,
        objects=ReferenceObjects(objects, 3e5),
        origin={"campaign": "c"},
    )
    path = write_forecaster(tmp_path / "forecasters", made)
    inside = forecast_condition(chi(defocus_A=60, dose_e_per_A2=300), training_domain, tmp_path)
    assert inside is not None
    assert (inside.path, inside.campaign, inside.metric) == (path, "c", "f1")
    more = TrainingDomain(((chi(defocus_A=60, dose_e_per_A2=400), 99),), 3e5, 0.4, 64)
    outside = forecast_condition(chi(defocus_A=60, dose_e_per_A2=300), more, tmp_path)
    assert outside is not None
    assert "99 training images (domain: 8)" in outside.outside
    assert (outside.predicted, outside.low, outside.high) == (inside.predicted, inside.low, inside.high)
    assert inside.low < inside.predicted < inside.high
    lines = list(predict.forecast_lines(outside, None))
    assert f"forecast F1: {inside.predicted:.2f}, 90 % interval {inside.low:.2f} to {inside.high:.2f} *" in lines[0]
    assert "* outside the domain of the forecaster: " in lines[1]
    assert "99 training images (domain: 8)" in lines[1]
    assert "their intervals do not cover what lies beyond it" in lines[1]
    assert " *" not in next(predict.forecast_lines(dataclasses.replace(inside, outside=()), None))
    # another beam energy or pixel has none
    other = TrainingDomain(training_domain.conditions, 2e5, 0.4, 64)
    assert forecast_condition(chi(dose_e_per_A2=300), other, tmp_path) is None
    line = next(predict.forecast_lines(None, SimpleNamespace(training_domain=other)))
    assert line.startswith("  forecast F1: none")
    assert line.endswith("is for this network's pixel of 0.4 Å and 200 keV")


BINS = (ForecastBin(0.0, 0.8, 45, 0.95, 0.0, 0.4, 0.1), ForecastBin(0.8, 1.0, 45, 0.75, 0.07, 0.2, 0.1))
PERFORMANCE = Performance(100, 10, 90, 0.1, 0.9, 0.3, BINS)


def forecast(predicted: float, *outside: str) -> ConditionForecast:
    ends = (predicted - 0.1, predicted + 0.1)
    return ConditionForecast(Path("f.json"), "c", "f1", 0.9, predicted, *ends, outside, PERFORMANCE)


def test_there_is_one_f1_to_expect_and_it_is_said_what_it_is_from(campaign, users, tmp_path):
    """Measured near the condition, else the forecast, else measured where σ is nearest; never two that differ without a word."""
    user = next(iter(users.values()))

    def judge(expected_points, stated, made):
        judged, _ = assess_condition(user, stated, campaign.results, tmp_path)
        assert judged.measured is not None
        expected = (
            None if expected_points is None else expected_f1(judged.measured.points, judged.distance.sigma, stated)
        )
        measured = None if expected_points is None else judged.measured
        judged = dataclasses.replace(judged, expected=expected, measured=measured, forecast=made)
        text = "\n".join(predict.assessment_lines(judged, user))
        assert text.count("expected F1") == 1
        assert ("forecast F1: none" in text) == (made is None)
        return judged, text

    known = Condition(defocus_A=60, dose_e_per_A2=100, focal_spread_A=20)
    new = Condition(defocus_A=55, dose_e_per_A2=20, focal_spread_A=20)
    judged, text = judge(True, known, forecast(5.0))
    assert judged.expectation.source == "measured"
    assert judged.expectation.value == judged.expected.median
    assert "What was measured counts more: it is of this very network" in text
    judged, text = judge(True, known, forecast(judged.expected.median))
    assert "counts more" not in text
    judged, text = judge(True, new, forecast(0.83, "80 training images (domain: 128)"))
    assert judged.expectation.source == "forecast"
    assert "expected F1: 0.83, 90 % interval 0.73 to 0.93 *: the forecast below" in text
    assert (
        "Of its forecasts from 0.80 to 1.00, only 75 % of the scores lay within the 90 % intervals, and they were 0.07"
        in text
    )
    assert "σ does not" not in text
    judged, text = judge(None, new, forecast(0.5))
    assert "as no campaign in the results folder has tested this network" in text.splitlines()[1]
    assert "only 75 %" not in text
    judged, text = judge(None, new, None)
    assert "expected F1: unknown" in text
