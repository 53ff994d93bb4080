"""Scores on labelled micrographs: statistics counted by hand, intervals, and images without an F1."""

import numpy as np
import pandas as pd
import pytest

from hrtem_ood.analysis import measured as module
from hrtem_ood.analysis.metrics import _mean_without

RNG = np.random.default_rng(5)


def scores(networks, images, in_domain=0.9):
    return module._Scores(RNG.uniform(0.4, 0.9, (networks, images)), np.full(networks, in_domain))


def test_numbers_are_those_counted_by_hand():
    f1 = np.array([[0.2, 0.4, 0.9], [0.6, 0.6, 0.6], [0.1, 0.1, 0.1]])
    row, _ = module._row(module._Scores(f1, np.array([0.9, 0.8, 0.7])), 200, 0.95)
    assert row["f1"] == pytest.approx(0.5)  # median of 0.5, 0.6, 0.1
    assert row["median_f1"] == pytest.approx(0.4)  # median of 0.2, 0.4, 0.6
    assert row["gap"] == pytest.approx(-0.4)  # median of −0.4, −0.2, −0.6
    assert (row["in_domain_f1"], row["networks"], row["images"]) == (0.8, 3, 3)


def test_intervals_of_one_network_are_those_of_the_mean_over_images():
    """With one network only images are drawn: against the normal approximation of a mean."""
    one = scores(1, 400)
    row, _ = module._row(one, 4000, 0.95)
    half = 1.96 * one.f1.std() / np.sqrt(400)
    assert row["f1_low"] == pytest.approx(one.f1.mean() - half, abs=0.15 * half)
    assert row["f1_high"] == pytest.approx(one.f1.mean() + half, abs=0.15 * half)
    assert row["gap_high"] - row["gap_low"] == pytest.approx(row["f1_high"] - row["f1_low"])


def test_one_image_has_no_interval():
    row, drawn = module._row(scores(3, 1), 100, 0.95)
    assert np.isfinite(row["f1"])
    assert np.isnan(row["f1_low"])
    assert np.isnan(drawn).all()


def test_networks_that_all_diverged_have_no_number():
    row, _ = module._row(scores(0, 3), 100, 0.95)
    assert row["networks"] == 0
    assert np.isnan([row["f1"], row["gap"], row["in_domain_f1"]]).all()


def test_without_in_domain_scores_the_gap_is_unknown():
    row, drawn = module._row(scores(2, 5, in_domain=np.nan), 100, 0.95)
    assert np.isfinite(row["f1"])
    assert np.isnan(row["gap"])
    assert np.isnan(row["gap_low"])
    rows = pd.DataFrame([{"suite": "mine", "training_label": "a"} | row])
    gap = module._gap_of_suite(rows, [drawn], 0.95)
    assert gap.training_sets == 0
    assert np.isnan(gap.gap)
    assert gap.best == "a"


def test_the_gap_of_a_suite_is_the_median_over_training_sets():
    made = [module._row(scores(2, 30, in_domain=value), 300, 0.95) for value in (0.7, 0.8, 0.9)]
    rows = pd.DataFrame([{"suite": "mine", "training_label": str(n)} | row for n, (row, _) in enumerate(made)])
    gap = module._gap_of_suite(rows, [drawn for _, drawn in made], 0.95)
    assert gap.gap == pytest.approx(rows.gap.median())
    assert gap.low < gap.gap < gap.high
    assert (gap.training_sets, gap.images) == (3, 30)
    assert gap.best == rows.loc[rows.f1.idxmax(), "training_label"]


def test_means_leave_undefined_images_out_and_keep_broken_ones():
    values = np.array([[[0.5, np.nan, 0.7], [0.2, np.nan, np.nan]]], np.float32)
    undefined = np.array([[[False, True, False], [False, False, False]]])
    mean = _mean_without(values, undefined)
    assert mean[0, 0] == pytest.approx(0.6)
    assert np.isnan(mean[0, 1])
