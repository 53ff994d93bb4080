"""Distances of features against their definitions, written out one image at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from hrtem_ood.analysis import feature_shift as module
from hrtem_ood.analysis.feature_shift import feature_shift, largest_cka, ledoit_wolf
from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
from hrtem_ood.analysis.ranking.predictor_ranking import label_free_predictors, rank_predictors
from hrtem_ood.artifacts import store
from hrtem_ood.stages.metrics import metrics


def expected_covariance(centred: np.ndarray) -> np.ndarray:
    """Ledoit and Wolf's estimator, sample by sample, with norms per dimension as in the paper."""
    n, p = centred.shape

    def norm2(matrix: np.ndarray) -> float:
        return float(np.trace(matrix @ matrix.T)) / p

    sample = sum(np.outer(x, x) for x in centred) / n
    m = np.trace(sample @ np.eye(p)) / p
    d2 = norm2(sample - m * np.eye(p))
    b2 = min(d2, sum(norm2(np.outer(x, x) - sample) for x in centred) / n**2)
    return b2 / d2 * m * np.eye(p) + (d2 - b2) / d2 * sample


def expected_cka(one: np.ndarray, other: np.ndarray) -> float:
    """HSIC of linear kernels over the root of the product of both with themselves (Kornblith et al., Eqs. 3 and 4)."""
    n = len(one)
    centring = np.eye(n) - np.ones((n, n)) / n

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        return float(np.trace(k @ centring @ m @ centring)) / (n - 1) ** 2

    k, m = one @ one.T, other @ other.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


@pytest.mark.parametrize(("samples", "features"), [(40, 5), (8, 16), (3, 2), (500, 3)])
def test_the_covariance_is_that_of_ledoit_and_wolf(samples: int, features: int) -> None:
    rng = np.random.default_rng(samples)
    values = rng.standard_normal((samples, features)) @ rng.standard_normal((features, features))
    values -= values.mean(axis=0)
    np.testing.assert_allclose(ledoit_wolf(values), expected_covariance(values), rtol=1e-10, atol=1e-12)


def linear_cka(one: np.ndarray, other: np.ndarray) -> float:
    centred = np.stack([values - values.mean(axis=0) for values in (one, other)])
    return float(largest_cka(centred, np.array([True, False]))[1])


def test_cka_is_the_alignment_of_centred_kernels() -> None:
    rng = np.random.default_rng(1)
    one = rng.standard_normal((30, 4)) + 3
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    other = one @ rng.standard_normal((4, 4)) + rng.standard_normal((30, 4))
    assert linear_cka(one, other) == pytest.approx(expected_cka(one, other), rel=1e-10)
    assert linear_cka(one, 2.5 * one @ rotation + 7) == pytest.approx(1, rel=1e-10)
    assert np.isnan(linear_cka(one, np.ones((30, 4))))


@pytest.mark.parametrize("at_once", [1, 100, 2**22])
def test_products_of_images_and_of_channels_give_one_cka(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(module, "BLOCK_SIZE", at_once)
    rng = np.random.default_rng(4)
    centred = rng.standard_normal((5, 9, 4)) @ rng.standard_normal((4, 4))
    centred -= centred.mean(axis=1, keepdims=True)
    references = np.array([0, 3])
    found = module._by_images(centred, references), module._by_channels(centred, references)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    shared, own = found[0]
    for row, reference in enumerate(references):
        for column in range(5):
            expected = expected_cka(centred[reference], centred[column])
            assert shared[row, column] / np.sqrt(own[reference] * own[column]) == pytest.approx(expected, rel=1e-10)


def test_feature_shift_by_definition() -> None:
    """Two structure sets of different size; two in-domain datasets, of which only one set shows."""
    rng = np.random.default_rng(2)
    images, structures = [12, 12, 12, 12, 7], [(np.array([0, 1, 2, 3]), 12), (np.array([4]), 7)]
    feature = np.full((5, 12, 3), np.nan, np.float16)
    base = rng.standard_normal((12, 3))
    for row, number in enumerate(images):
        blurred = base[:number] @ (np.eye(3) + 0.3 * row * rng.standard_normal((3, 3))) + 0.5 * row
        feature[row, :number] = blurred + 0.2 * rng.standard_normal((number, 3))
    known = np.array([True, False, True, False, False])
    found = feature_shift(feature, known, structures)
    exact = feature.astype(float)
    inside = np.concatenate([exact[0], exact[2]])
    inverse = np.linalg.inv(expected_covariance(inside - inside.mean(axis=0)))
    for row, number in enumerate(images):
        distances = [mahalanobis(each, inside.mean(axis=0), inverse) ** 2 for each in exact[row, :number]]
        assert found.mahalanobis[row] == pytest.approx(np.mean(distances), rel=1e-4)
    for row in range(4):
        alike = [expected_cka(exact[row], exact[column]) for column in (0, 2)]
        assert found.feature_cka[row] == pytest.approx(max(alike), rel=1e-4)
    assert np.isnan(found.feature_cka[4]), "it shows other structures"
    assert found.mahalanobis[known].mean() < 3.1, "in-domain images fit their own Gaussian, of three features"


def test_feature_shift_without_reference_spread_or_numbers() -> None:
    rng = np.random.default_rng(3)
    feature, structures = rng.standard_normal((2, 9, 3)).astype(np.float16), [(np.arange(2), 9)]
    known = np.array([True, False])

    def nothing(values: np.ndarray, where: np.ndarray = known) -> bool:
        return all(np.isnan(each).all() for each in feature_shift(values, where, structures))

    assert not nothing(feature)
    assert nothing(feature, np.array([False, False]))
    assert nothing(feature[..., :0])
    assert nothing(np.ones_like(feature))
    broken = feature.copy()
    broken[0, 4] = np.inf
    assert nothing(broken)
    broken = feature.copy()
    broken[1, 4] = np.nan
    found = feature_shift(broken, known, structures)
    assert np.isfinite(found.mahalanobis[0])
    assert np.isnan(found.mahalanobis[1])
    assert np.isnan(found.feature_cka[1])


@pytest.mark.slow
def test_metrics_and_ranking_have_the_label_free_predictors(make: Callable[..., Any], config: dict[str, Any]) -> None:
    """Another structure set of the same recipe has no pairs; another material is nobody's domain."""
    sets = config["structure_sets"]
    config["materials"]["Au"] = {"formula": "Au", "structure": "fcc", "a_A": 4.078}
    sets["gold"] = sets["test"] | {"material": "Au", "n_structures": 5, "seed": 6}
    config["test_suites"]["gold"] = {"structure_set": "gold", "conditions": ["trained", "focus"]}
    sets["test"]["n_structures"] = 8
    made = make(config)
    metrics(made.campaign, made.results)
    found = read_metrics(made.campaign, made.results)
    campaign, several = made.campaign, 0
    for network in map(str, found.network.values):
        datasets = campaign.training_set_by_id[campaign.networks[network].training_set].datasets
        conditions = {campaign.datasets[id_].condition for id_ in datasets}
        stored = [
            store.read_zarr(made.path("evaluations", job.spec.id)).sel(network=network)
            for job in campaign.evaluations.values()
            if network in job.spec.networks
        ]
        feature = {
            str(id_): each.feature.sel(condition=id_).values.astype(float)
            for each in stored
            for id_ in each.condition.values
        }
        test = [id_ for id_ in feature if campaign.structure_set_of_dataset[id_] == "test"]
        known = [id_ for id_ in test if campaign.datasets[id_].condition in conditions]
        several += len(known) > 1
        inside = np.concatenate([feature[id_] for id_ in known])
        inverse = np.linalg.inv(expected_covariance(inside - inside.mean(axis=0)))
        for id_, values in feature.items():
            cell = found.sel(network=network, condition=id_)
            distances = [mahalanobis(each, inside.mean(axis=0), inverse) ** 2 for each in values]
            assert float(cell.mahalanobis) == pytest.approx(np.mean(distances), rel=1e-3)
            if id_ in test:
                expected = max(expected_cka(values, feature[each]) for each in known)
                assert float(cell.feature_cka) == pytest.approx(expected, rel=1e-3)
            else:
                assert np.isnan(cell.feature_cka)
    assert several, "the mixture has two in-domain datasets"
    reached = training_set_outcomes(campaign, found)
    told = label_free_predictors(reached)
    inside = reached["shift"].values == "in-domain"
    for row in range(len(reached.training_set)):
        confidence = reached.confidence.values[row]
        expected = confidence - confidence[inside[row]].mean()
        np.testing.assert_allclose(told["confidence_change"][row], expected, atol=1e-7)
    assert (told["mahalanobis"][~inside] < told["mahalanobis"][inside].max()).all(), "further is less"
    with store.open_zarr(made.path("predictors", campaign.predictors_id)) as compared:
        table = rank_predictors(compared.load(), reached, campaign.config.analysis)
    names = {"entropy", "entropy_change", "confidence_change", "mahalanobis", "feature_cka"}
    ranked = table[(table.outcome == "gap") & (table.cells == "imaging")]
    assert set(ranked.predictor[ranked.family == "network"]) == names
    elsewhere = table[(table.outcome == "gap") & (table.cells == "structure and imaging")]
    assert set(elsewhere.predictor[elsewhere.family == "network"]) == names - {"feature_cka"}
    assert (elsewhere.n == (reached["shift"].values == "structure and imaging").sum()).all()


def test_a_network_without_features_takes_no_cells_from_others(
    make: Callable[..., Any], config: dict[str, Any]
) -> None:
    made = make(config)
    campaign = made.campaign
    lost = campaign.training_sets["mixed"][0].id
    for job in campaign.evaluations.values():
        if job.networks[0].training_set == lost:
            path = made.path("evaluations", job.spec.id)
            stored = store.read_zarr(path)
            attributes = store.zarr_attributes(path)
            stored["features"][:] = 0
            store.write_zarr(path, stored.drop_attrs(), attributes)
    metrics(campaign, made.results)
    reached = training_set_outcomes(campaign, read_metrics(campaign, made.results))
    assert np.isnan(reached.mahalanobis.sel(training_set=lost)).all()
    with store.open_zarr(made.path("predictors", campaign.predictors_id)) as compared:
        table = rank_predictors(compared.load(), reached, campaign.config.analysis)
    ranked = table[(table.outcome == "gap") & (table.cells == "imaging")]
    assert set(ranked.predictor[ranked.family == "network"]) == {"entropy", "entropy_change", "confidence_change"}
    assert (ranked.n == np.isin(reached["shift"].values, ["defocus"]).sum()).all()
