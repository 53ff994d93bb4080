"""The forecaster on cells whose law is known: fit, coverage, folds, domain, and storage as plain data."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.unit.transfer.forecast.laws import crossed, quadratic, table, with_mixtures

from hrtem_ood.errors import ArgumentError, ArtifactError
from hrtem_ood.transfer.forecast.cells import FOLDS, Cells, crossed_blocks, deal_conditions
from hrtem_ood.transfer.forecast.conformal import conformal_quantile, fewest_errors
from hrtem_ood.transfer.forecast.cross_validation import CELLS_PER_TERM, cross_validate, fewest_cells
from hrtem_ood.transfer.forecast.descriptors import NAMES, PLACE
from hrtem_ood.transfer.forecast.domain import Domain
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.response import response_map
from hrtem_ood.transfer.forecast.ridge import CONTRAST, MODELS, TRANSFER, fit_quadratic
from hrtem_ood.transfer.forecast.wording import outside_texts

SETTINGS: dict[str, Any] = {"metric": "f1", "bounds": (0.0, 1.0), "pixel_size_A": 0.4}


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster.fit(with_mixtures(24, 4, loss=0.05, sd=0.02), **SETTINGS, origin={"campaign": "made up"})


# --- folds ------------------------------------------------------------------------------------


@st.composite
def incidences(draw: st.DrawFn) -> Cells:
    conditions, number = draw(st.integers(1, 14)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    trained = rng.random((number, conditions)) < draw(st.sampled_from([0.0, 0.1, 0.4]))
    trained[np.arange(number), rng.integers(0, conditions, number)] = True
    zeros = np.zeros(number)
    return Cells(zeros, np.zeros((number, len(NAMES))), trained, rng.integers(0, conditions, number))


@given(incidences(), st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_folds_never_share_a_condition_in_either_role(cells: Cells, folds: int) -> None:
    seen = np.zeros(len(cells), int)
    for block in crossed_blocks(cells, folds):
        seen += block.inside
        for one in np.flatnonzero(block.inside):
            here = {*np.flatnonzero(cells.trained[one]), cells.tested[one]}
            for other in np.flatnonzero(block.others):
                assert not here & {*np.flatnonzero(cells.trained[other]), cells.tested[other]}
    assert (seen == 1).all(), "every cell is forecast once"


def test_single_conditions_are_left_out_by_whole_folds() -> None:
    cells, fold = crossed(16), deal_conditions(16)
    assert np.bincount(fold).tolist() == [2] * FOLDS
    blocks = list(crossed_blocks(cells))
    assert len(blocks) == FOLDS * (FOLDS + 1) // 2, "the two blocks of a pair of folds have the same cells left"
    trained = cells.trained.argmax(axis=1)
    for block in blocks:
        pairs = {
            frozenset(pair) for pair in zip(fold[trained[block.inside]], fold[cells.tested[block.inside]], strict=True)
        }
        assert len(pairs) == 1
        (left_out,) = pairs
        expected = [
            fold[a] not in left_out and fold[b] not in left_out for a, b in zip(trained, cells.tested, strict=True)
        ]
        np.testing.assert_array_equal(block.others, expected)


def test_folds_are_the_same_every_time_and_differ_from_the_order() -> None:
    assert deal_conditions(32).tolist() == deal_conditions(32).tolist() != (np.arange(32) % 8).tolist()
    assert deal_conditions(3).tolist() != [0, 0, 0]
    assert sorted(deal_conditions(3)) == [0, 1, 2]


# --- the model --------------------------------------------------------------------------------


@pytest.mark.parametrize("features", MODELS.values(), ids=lambda each: each.name)
def test_terms_are_counted(features) -> None:
    standardised = np.random.default_rng(0).standard_normal((5, len(features.names)))
    terms = features.terms(standardised)
    assert terms.shape == (5, features.n_terms)
    n = len(features.quadratic)
    # the square of the distance, the third, is one of the squares and product of both ln CNR
    products = [standardised[:, i] * standardised[:, j] for i in range(n) for j in range(i, n) if (i, j) != (2, 2)]
    np.testing.assert_array_equal(terms, np.column_stack([standardised, *products]))


def test_a_law_without_noise_is_recovered_as_is_the_dilution_of_mixtures() -> None:
    cells = with_mixtures(16, 12, loss=0.05)
    fitted = fit_quadratic(CONTRAST, cells.descriptors, cells.score)
    rng = np.random.default_rng(1)
    train, test = rng.uniform(-0.8, 2.3, (2, 200))
    np.testing.assert_allclose(fitted(table(train, test)), quadratic(train, test), atol=1e-3)
    for members in (2, 3):
        lost = fitted(table(train, test)) - fitted(table(train, test, math.log(members)))
        np.testing.assert_allclose(lost, 0.05 * math.log(members), atol=1e-3)


def inner_cells(cells: Cells) -> np.ndarray:
    """Return the cells that were not tested under one of the three least or largest ln CNR, nor trained there alone."""
    value = np.sort(np.unique(cells.descriptors[:, PLACE["test_log_cnr"]]))
    ends = [cells.descriptors[:, PLACE[name]] for name in ("train_log_cnr", "test_log_cnr")]
    return np.logical_and.reduce([(each > value[2]) & (each < value[-3]) for each in ends])


def test_mixtures_left_out_are_forecast_by_their_hull_less_the_dilution() -> None:
    cells = with_mixtures(16, 8, loss=0.08, sd=0.01)
    mixed = cells.trained.sum(axis=1) > 1
    tried, inner = cross_validate(cells, CONTRAST), inner_cells(cells)
    error = (cells.score - tried.predicted)[mixed & inner]
    assert error.size > 50
    assert abs(error.mean()) < 0.01
    assert np.sqrt(np.mean(error**2)) < 0.02
    without = cross_validate(Cells(*(each[~mixed] for each in vars(cells).values())), CONTRAST)
    both = inner[~mixed]
    assert both.sum() > 80
    np.testing.assert_allclose(without.predicted[both], tried.predicted[~mixed][both], atol=0.02)


def test_constant_descriptors_do_no_harm() -> None:
    cells = crossed(10)
    fitted = fit_quadratic(TRANSFER, cells.descriptors, cells.score)
    np.testing.assert_allclose(fitted(cells.descriptors), cells.score, atol=5e-3)


def test_out_of_fold_forecasts_are_those_of_a_fit_to_the_others() -> None:
    cells = crossed(12, 0.03)
    tried = cross_validate(cells, CONTRAST)
    block = list(crossed_blocks(cells))[3]
    changed = cells.score.copy()
    changed[~block.others] += 100
    again = cross_validate(Cells(changed, cells.descriptors, cells.trained, cells.tested), CONTRAST)
    np.testing.assert_array_equal(again.predicted[block.inside], tried.predicted[block.inside])
    assert np.nanmax(abs(again.predicted - tried.predicted)[~block.inside]) > 1


def test_the_outermost_conditions_are_forecast_as_if_they_were_at_the_edge_of_the_others() -> None:
    cells = crossed(8, 0.01)
    tried, outermost = cross_validate(cells, CONTRAST), 0
    for block in crossed_blocks(cells):
        others, inside = cells.descriptors[block.others], cells.descriptors[block.inside]
        low, high = others[:, PLACE["test_log_cnr"]].min(), others[:, PLACE["test_log_cnr"]].max()
        train, test = (np.clip(inside[:, PLACE[name]], low, high) for name in ("train_log_cnr", "test_log_cnr"))
        fitted = fit_quadratic(CONTRAST, others, cells.score[block.others])
        np.testing.assert_allclose(tried.predicted[block.inside], fitted(table(train, test)), atol=1e-12)
        outermost += int((inside[:, PLACE["test_log_cnr"]] != test).sum())
    assert outermost >= 2 * 8, "of the least and the largest, and of their neighbours where these are left out, too"


def test_descriptors_outside_a_domain_are_moved_to_its_edge_together() -> None:
    domain = Domain.of(CONTRAST, table(np.array([0.0, 1.0]), np.array([0.5, 2.0])))
    moved = domain.clip(table(np.array([-3.0, 0.5]), np.array([9.0, 1.0])))
    np.testing.assert_array_equal(moved, table(np.array([0.0, 0.5]), np.array([2.0, 1.0])))
    assert not domain.outside(moved)[1].any()


# --- intervals --------------------------------------------------------------------------------


def test_the_conformal_quantile_by_its_rank() -> None:
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 20))  # 19
    assert conformal_quantile(errors, 0.9) == 18  # ⌈20 · 0.9⌉
    assert conformal_quantile(errors, 0.95) == 19
    assert math.isnan(conformal_quantile(errors[:8], 0.9))
    for level in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        number = fewest_errors(level)
        assert math.isfinite(conformal_quantile(np.ones(number), level))
        assert math.isnan(conformal_quantile(np.ones(number - 1), level))


def test_intervals_of_90_percent_hold_90_percent_everywhere_where_the_noise_varies() -> None:
    """On 2,025 cells whose noise grows tenfold, within binomial bounds, also among the quiet and the noisy ones."""

    def sd(_: np.ndarray, test: np.ndarray) -> np.ndarray:
        return 0.01 * np.exp(0.65 * (test + 1))

    cells = crossed(45, sd)
    made, inner = cross_validate(cells, CONTRAST).at(0.9), inner_cells(cells)
    noise = sd(cells.score, cells.descriptors[:, PLACE["test_log_cnr"]])
    held = (cells.score >= made.low) & (cells.score <= made.high)
    assert np.isfinite(made.low).all()
    assert made.coverage(cells.score) == held.mean()
    for part in (noise > 0, *(noise > each for each in np.quantile(noise, [0.5, 0.75])), noise < np.median(noise)):
        # errors are read at the level for 33 to 39 conditions
        low, high = (
            stats.binom.ppf(each, (part & inner).sum(), 0.9 * (1 + more))
            for each, more in ((5e-5, 1 / 39), (1 - 5e-5, 1 / 33))
        )
        assert low <= held[part & inner].sum() <= high
    # the widths are those of the noise that is known
    ratio = (made.high - made.low) / (2 * stats.norm.ppf(1 - (1 - 0.9 * (1 + 1 / 36)) / 2) * noise)
    assert np.quantile(abs(ratio - 1)[inner], 0.9) < 0.25


def test_intervals_keep_within_what_a_score_can_be() -> None:
    cells = crossed(14, 0.3)
    tried = cross_validate(cells, CONTRAST)
    free, kept = tried.at(0.9), tried.at(0.9, (0, 1))
    assert np.nanmax(free.high) > 1
    assert np.nanmin(kept.low) >= 0
    assert np.nanmax(kept.high) <= 1
    inside = (cells.score >= 0) & (cells.score <= 1)
    np.testing.assert_array_equal(
        ((cells.score >= free.low) & (cells.score <= free.high))[inside],
        ((cells.score >= kept.low) & (cells.score <= kept.high))[inside],
    )


# --- the forecaster ---------------------------------------------------------------------------


def test_its_record_is_that_of_cross_validation() -> None:
    cells = crossed(16, 0.03)
    made = cross_validate(cells, CONTRAST).at(0.9, (0, 1))
    record = Forecaster.fit(cells, **SETTINGS).performance
    assert (record.n_cells, record.n_conditions, record.n_forecast) == (256, 16, 256)
    assert record.coverage == made.coverage(cells.score)
    assert record.width == np.nanmedian(made.high - made.low)
    assert record.rmse == pytest.approx(0.03, rel=0.5)


def test_its_record_counts_the_cells_that_are_to_count_and_keeps_bins_of_the_forecast() -> None:
    cells = crossed(16, 0.03)
    made = cross_validate(cells, CONTRAST).at(0.9, (0, 1))
    counted = ~cells.trained[np.arange(len(cells)), cells.tested]
    record = Forecaster.fit(cells, **SETTINGS, counted=counted).performance
    assert (record.n_cells, record.n_forecast) == (256, 240)
    held = (made.low <= cells.score) & (cells.score <= made.high)
    assert record.coverage == held[counted].mean()
    assert record.width == np.median((made.high - made.low)[counted])
    assert [each.n for each in record.bins] == [48] * 5
    for each in record.bins:
        part = counted & (made.predicted >= each.least) & (made.predicted <= each.most)
        assert each.coverage == held[part].mean()
        assert each.bias == pytest.approx(float(np.mean((made.predicted - cells.score)[part])), abs=1e-12)
    assert record.bin_of(-1) == record.bins[0]
    assert record.bin_of(record.bins[2].most) == record.bins[2]
    assert record.bin_of(2) == record.bins[-1]


def test_at_the_edge_of_its_domain_it_forecasts_what_holds_there(forecaster: Forecaster) -> None:
    least, most = forecaster.domain.low[0], forecaster.domain.high[0]
    far, edge = table(np.array([most + 3]), np.array([least])), table(np.array([most]), np.array([least]))
    made, there = forecaster.at_edge(far), forecaster.forecast(edge, pixel_size_A=0.4)
    assert made.outside == (("train_log_cnr", "log_cnr_distance"),)
    for name in ("predicted", "low", "high"):
        np.testing.assert_array_equal(getattr(made, name), getattr(there, name))
    text = "; ".join(outside_texts(forecaster.domain, np.concatenate([far, edge])))
    assert f"ln CNR of training {most + 3:.2f} (domain: {least:.2f} to {most:.2f}, for 1 of 2)" in text
    assert outside_texts(forecaster.domain, edge) == ()


def test_outside_its_domain_it_forecasts_nothing_and_says_why(forecaster: Forecaster) -> None:
    train, test = np.array([0.0, 0.0, 9.0, np.nan]), np.array([0.5, -7.0, 0.5, 0.5])
    made = forecaster.forecast(table(train, test), pixel_size_A=0.4)
    assert made.outside[0] == ()
    assert made.outside[1] == ("test_log_cnr", "log_cnr_distance")
    assert made.outside[2] == ("train_log_cnr", "log_cnr_distance")
    assert made.outside[3] == ("train_log_cnr", "log_cnr_distance")
    np.testing.assert_array_equal(np.isfinite([made.predicted, made.low, made.high]), [[True, False, False, False]] * 3)
    assert made.low[0] < quadratic(train[0], test[0]) < made.high[0]
    entropies, images = table(train[:1], test[:1], math.log(9)), table(train[:1], test[:1])
    images[:, PLACE["log_n_images"]] = 3
    assert forecaster.forecast(entropies, pixel_size_A=0.4).outside == (("mixture_entropy",),)
    assert forecaster.forecast(images, pixel_size_A=0.4).outside == (("log_n_images",),)


def test_the_cells_of_its_fit_are_inside(forecaster: Forecaster) -> None:
    cells = with_mixtures(24, 4, loss=0.05, sd=0.02)
    made = forecaster.forecast(cells.descriptors, pixel_size_A=0.4)
    assert set(made.outside) == {()}
    assert np.isfinite(made.low).all()
    wide = forecaster.forecast(cells.descriptors, pixel_size_A=0.4, level=0.95)
    assert (wide.high - wide.low >= made.high - made.low).all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"pixel_size_A": 0.2}, ArtifactError, "pixels of 0.4 Å, not 0.2 Å"),
        (
            {"pixel_size_A": 0.4, "level": 0.99},
            ArgumentError,
            "no intervals of 0.99; valid: 0.5, 0.6, 0.7, 0.8, 0.9, 0.95",
        ),
    ],
)
def test_another_pixel_or_level_is_refused(
    forecaster: Forecaster, arguments: dict[str, float], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        forecaster.forecast(table(np.zeros(1), np.zeros(1)), **arguments)


def test_descriptors_of_another_number_are_refused(forecaster: Forecaster) -> None:
    with pytest.raises(ArgumentError, match=rf"shape \(cell, {len(NAMES)}\), not \(2, 3\)"):
        forecaster.forecast(np.zeros((2, 3)), pixel_size_A=0.4)


def test_too_few_cells_are_refused_with_the_number_needed() -> None:
    assert fewest_cells(CONTRAST) == CELLS_PER_TERM * CONTRAST.n_terms == 18
    cells = crossed(4)
    with pytest.raises(ArgumentError, match=r"needs at least 18 cells .* there are 16"):
        Forecaster.fit(cells, **SETTINGS)
    with pytest.raises(ArgumentError, match=r"`transfer` \(\d+ terms\) needs at least 38 cells .* there are 36"):
        Forecaster.fit(crossed(6), **SETTINGS, features=TRANSFER)


def test_too_few_conditions_are_refused_with_a_number_that_suffices() -> None:
    with pytest.raises(ArgumentError, match=r"25 cells under 5 conditions, .* 14 of both suffice") as refused:
        Forecaster.fit(crossed(5, 0.01), **SETTINGS)
    assert "at least 18 others" in str(refused.value)
    assert Forecaster.fit(crossed(14, 0.01), **SETTINGS).performance.n_forecast == 14 * 14
    with pytest.raises(ArgumentError, match="14 of both suffice"):
        Forecaster.fit(crossed(8, 0.01), **SETTINGS)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"score": np.full(16, np.nan)}, "must be finite"),
        ({"score": np.zeros(3)}, "score: needs 16 cells"),
        ({"tested": np.full(16, 4)}, "one of the 4 conditions"),
        ({"trained": np.zeros((16, 4), bool)}, "one of the 4 conditions"),
    ],
)
def test_cells_that_are_none_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        Cells(**(vars(crossed(4)) | changed))


# --- plain data -------------------------------------------------------------------------------


def test_it_is_the_same_after_a_way_through_json(forecaster: Forecaster) -> None:
    text = json.dumps(forecaster.to_dict(), allow_nan=False)
    again = Forecaster.from_dict(json.loads(text))
    assert json.dumps(again.to_dict()) == text
    assert again.origin == {"campaign": "made up"}
    assert again.performance == forecaster.performance
    cells = with_mixtures(24, 4, loss=0.05, sd=0.02)
    one, two = (each.forecast(cells.descriptors, pixel_size_A=0.4) for each in (forecaster, again))
    for name in ("predicted", "low", "high"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert len(text) < 5000


def test_a_forecaster_of_an_earlier_release_has_no_bins_and_keeps_its_content(forecaster: Forecaster) -> None:
    document = forecaster.to_dict()
    del document["performance"]["bins"]
    again = Forecaster.from_dict(document)
    assert again.performance.bins == ()
    assert again.performance.weak_bins([0.5]) == ()
    assert again.to_dict() == document


TOP = {"least": 0.5, "most": 0.9, "n": 3, "coverage": 1.0, "bias": 0.0, "width": 0.1, "rmse": 0.1}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *folders, last = path.split(".")
    copy = json.loads(json.dumps(document))
    place = copy
    for folder in folders:
        place = place[folder]
    place[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", "pickle", "is not a forecaster of this project"),
        ("version", 2, "of version 2, and this release has version 1"),
        ("version", True, "of version True"),
        ("version", "1" * 900, "of version '111"),
        ("metric", 3, "damaged: metric: Input should be a valid string"),
        ("pixel_size_A", -0.4, "damaged: pixel_size_A"),
        ("pixel_size_A", "0.4", "damaged: pixel_size_A"),
        ("score.coefficients", [1.0], "`coefficients` needs 9 numbers for the model `contrast`, not 1"),
        ("score.coefficients", [0.0] * 501, "damaged: score.coefficients"),
        ("score.coefficients", [math.nan] * 9, "damaged: score.coefficients.0"),
        ("score.scale", [0.0] * 4, "damaged: score.scale.0: Input should be greater than or equal to 0.000000000001"),
        ("score.model", "forest", "there is no model 'forest'; valid: contrast, transfer"),
        ("error_size.constant", math.inf, "damaged: error_size.constant"),
        ("least", 5.0, "`least` must not be above `most`"),
        ("bounds", [1, 0], "`bounds` of 'f1' are [0.0, 1.0]"),
        ("factor", [[1.5, 2.0]], "damaged: factor.0.0"),
        ("domain.train_log_cnr", [2.0, 1.0], "`domain.train_log_cnr` goes from the smaller to the larger"),
        ("domain.defocus_A", [0.0, 1.0], "`domain` needs the descriptors"),
        ("performance.coverage", 1.5, "damaged: performance.coverage"),
        ("performance.bins", [{"least": 0.5}], "damaged: performance.bins.0"),
        ("performance.bins", [TOP, TOP], "`bins` must ascend"),
        ("origin.long", "x" * 501, "damaged: origin.long"),
        ("code", "import os", "damaged: code: Extra inputs are not permitted"),
    ],
)
def test_damage_is_refused_in_words(forecaster: Forecaster, path: str, value: Any, words: str) -> None:
    with pytest.raises(ArtifactError) as refused:
        Forecaster.from_dict(changed(forecaster.to_dict(), path, value), "results/forecasters/x.json")
    message = str(refused.value)
    assert message.startswith("results/forecasters/x.json: ")
    assert words in message
    assert len(message) < 450


def test_no_key_may_be_missing(forecaster: Forecaster) -> None:
    document = forecaster.to_dict()
    for name in document.keys() - {"objects"}:
        with pytest.raises(ArtifactError):
            Forecaster.from_dict({key: value for key, value in document.items() if key != name})
    for wrong in (None, [], "text", 3):
        with pytest.raises(ArtifactError, match="is not a forecaster"):
            Forecaster.from_dict(wrong)


# --- partial dependence -----------------------------------------------------------------------


def test_the_map_is_the_law_within_the_domain() -> None:
    cells = crossed(20)
    made = response_map(Forecaster.fit(cells, **SETTINGS), points=31)
    train, test = (cells.descriptors[:, PLACE[name]] for name in ("train_log_cnr", "test_log_cnr"))
    assert (made.train_log_cnr[0], made.train_log_cnr[-1]) == (train.min(), train.max())
    assert (made.test_log_cnr[0], made.test_log_cnr[-1]) == (test.min(), test.max())
    expected = quadratic(made.train_log_cnr[None, :], made.test_log_cnr[:, None])
    np.testing.assert_allclose(made.score, expected, atol=1e-3)


def test_the_map_is_the_mean_over_the_other_descriptors() -> None:
    """The definition of partial dependence, cell by cell, for descriptors that vary independently."""
    cells = crossed(16)
    rng, place = np.random.default_rng(3), PLACE["snr_sigma"]
    cells.descriptors[:, place] = rng.uniform(0, 1, len(cells))
    scored = Cells(cells.score + 0.1 * cells.descriptors[:, place], cells.descriptors, cells.trained, cells.tested)
    forecaster = Forecaster.fit(scored, **SETTINGS, features=TRANSFER)
    made = response_map(forecaster, points=5)
    for row, column in ((0, 0), (1, 3), (4, 2)):
        there = scored.descriptors.copy()
        train, test = made.train_log_cnr[column], made.test_log_cnr[row]
        for name, value in (("train_log_cnr", train), ("test_log_cnr", test), ("log_cnr_distance", abs(test - train))):
            there[:, PLACE[name]] = value
        assert made.score[row, column] == pytest.approx(forecaster.score(there).mean(), abs=1e-9)


def test_the_map_has_nothing_where_no_cell_was_as_far() -> None:
    cells = crossed(20)
    near = cells.descriptors[:, PLACE["log_cnr_distance"]] < 1.5
    made = response_map(Forecaster.fit(Cells(*(each[near] for each in vars(cells).values())), **SETTINGS), points=21)
    distance = abs(made.test_log_cnr[:, None] - made.train_log_cnr[None, :])
    np.testing.assert_array_equal(np.isfinite(made.score), distance <= distance[np.isfinite(made.score)].max())
    assert np.isnan(made.score).any()
