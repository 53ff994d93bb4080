"""Figures of a campaign as large as a study: what is written on them can be read on a page."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg

from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.report.figures import ood_matrix, predictor_ranking
from hrtem_ood.report.style import theme

PAGE_PT = 7.3 * 72
"""Width of a page's text."""

LEAST_PT = 6


def legible(figure, axes, along):
    """Return the size of tick labels on a page [pt], after a check that none overlaps its neighbour."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    texts = [each for each in getattr(axes, f"get_{along}ticklabels")() if each.get_text()]
    boxes = [each.get_window_extent() for each in texts]
    ends = sorted((box.x0, box.x1) if along == "x" else (box.y0, box.y1) for box in boxes)
    assert all(one[1] <= other[0] + 1 for one, other in itertools.pairwise(ends))
    return texts, min(each.get_fontsize() for each in texts) * PAGE_PT / (72 * figure.get_size_inches()[0])


@pytest.fixture(scope="module")
def study():
    """Return the cells of 45 conditions that differ in five parameters, and of 72 mixtures."""
    rng = np.random.default_rng(0)
    conditions = [
        Condition(
            defocus_A=round(d, 1), dose_e_per_A2=round(n), focal_spread_A=round(s, 1), C12=round(a, 1), C30=round(c)
        )
        for d, n, s, a, c in rng.uniform((-250, 50, 10, 0, 0), (250, 1500, 60, 120, 1e6), (45, 5))
    ]
    labels = ConditionLabels(conditions)
    ticks = [labels.tick_label(each) for each in sorted(conditions, key=lambda each: each.defocus_A)]
    rows = ticks + [f"draw_{n}_8_designed (8 conditions)" for n in range(72)]
    cells = xr.Dataset(
        {
            "f1": (("training_set", "condition"), rng.random((117, 45))),
            "in_domain": (("training_set", "condition"), np.eye(117, 45) > 0),
        },
        coords={
            "structure_set": ("condition", ["test"] * 45), "condition_tick_label": ("condition", ticks),
            "column_group": ("condition", ["all conditions"] * 45), "tick_label": ("training_set", rows),
            "row_group": ("training_set", ["all conditions"] * 45 + ["mixtures"] * 72),
        },
    )  # fmt: skip
    return cells, labels


@pytest.mark.parametrize(("along", "fewest"), [("x", 45), ("y", 50)])
def test_labels_of_a_study_s_matrix_can_be_read(study, along, fewest):
    with theme():
        figure = ood_matrix.draw_matrix(*study, colours="crest")
    texts, size_pt = legible(figure, figure.axes[0], along)
    assert size_pt >= LEAST_PT
    assert len(texts) >= fewest
    # of five parameters, the leading two; the axis says so
    assert texts[0].get_text().count("·") == 1
    assert figure.axes[0].get_ylabel() == "training condition: Δf [Å] · dose [e/Å²], of 5 parameters that vary"


def test_names_of_as_many_predictors_can_be_read():
    names = [f"a_predictor_of_the_number_{number}" for number in range(35)]
    rows = [
        {"outcome": outcome, "cells": cells, "predictor": name, "family": "transfer", "rho": 0.9 - 0.02 * place, "rho_low": 0.0,
         "rho_high": 0.95, "n": 2952}
        for outcome in ("gap", "regret") for cells in predictor_ranking.CELLS for place, name in enumerate(names)
    ]  # fmt: skip
    with theme():
        figure = predictor_ranking.draw_ranking(pd.DataFrame(rows), Analysis())
    texts, size_pt = legible(figure, figure.axes[0], "y")
    assert [each.get_text() for each in texts] == names
    assert size_pt >= LEAST_PT
