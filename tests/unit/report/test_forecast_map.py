"""The figure of the forecast over ln CNR of training and of the test."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from tests.unit.transfer.forecast.laws import crossed, with_mixtures

from hrtem_ood.plotting import render
from hrtem_ood.report.figures.forecast_map import describe, draw_forecast_map
from hrtem_ood.report.style import theme
from hrtem_ood.transfer.forecast.descriptors import PLACE
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.response import response_map


@pytest.mark.parametrize("mixtures", [0, 3])
def test_map_and_cells_share_their_axes_and_colours(mixtures: int) -> None:
    cells = with_mixtures(12, mixtures, loss=0.05) if mixtures else crossed(12)
    made = response_map(Forecaster.fit(cells, metric="f1", bounds=(0, 1), pixel_size_A=0.4), points=21)
    with theme():
        figure = draw_forecast_map(made, cells, metric="f1", colours="viridis")
        svg, png = render(figure, ("svg", "png"), 60)
    assert svg.startswith(b"<?xml")
    assert png.startswith(b"\x89PNG")
    axes, colours = figure.axes
    (mesh,) = [each for each in axes.collections if isinstance(each, QuadMesh)]
    dots = [each for each in axes.collections if isinstance(each, PathCollection)]
    np.testing.assert_array_equal(mesh.get_array().reshape(21, 21), made.score)
    assert all(each.get_clim() == mesh.get_clim() for each in dots)
    assert mesh.get_clim() == (min(cells.score.min(), made.score.min()), max(cells.score.max(), made.score.max()))
    mixed = cells.trained.sum(axis=1) > 1
    for each, part in zip(dots, (~mixed, mixed), strict=True):
        places = cells.descriptors[part][:, [PLACE["train_log_cnr"], PLACE["test_log_cnr"]]]
        np.testing.assert_allclose(each.get_offsets(), places)
        np.testing.assert_array_equal(each.get_array(), cells.score[part])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("ln CNR of training", "ln CNR of the test")
    assert colours.get_ylabel() == "F1"
    assert (axes.get_legend() is not None) == bool(mixtures)
    assert ("diamonds" in describe("F1", cells)) == bool(mixtures)


def test_scores_that_do_not_vary_are_drawn_without_a_warning() -> None:
    cells = crossed(12, law=lambda train, test: 0.5 + 0 * train * test)
    made = response_map(Forecaster.fit(cells, metric="f1", bounds=(0, 1), pixel_size_A=0.4), points=5)
    with theme():
        (png,) = render(draw_forecast_map(made, cells, metric="f1", colours="viridis"), ("png",), 60)
    assert png.startswith(b"\x89PNG")
