"""Scale bars: a round length, drawn at that length."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from hrtem_ood.plotting import LARGEST_SHARE, draw_scale_bar, new_figure, round_length_A


@pytest.mark.parametrize(
    ("width_A", "length_A"), [(51.2, 10), (12.8, 2), (1000, 200), (20, 5), (10 / LARGEST_SHARE, 10), (2, 0.5)]
)
def test_lengths_are_round_and_fit(width_A: float, length_A: float) -> None:
    assert round_length_A(width_A) == pytest.approx(length_A)


@pytest.mark.parametrize(
    ("pixel_size_A", "extent", "origin", "label"),
    [(0.4, None, "lower", "1 nm"), (0.05, (0, 0.64, 0.64, 0), "upper", "1 Å"), (10, None, "upper", "20 nm")],
)
def test_a_bar_has_its_length_whatever_the_units_of_the_axes(pixel_size_A, extent, origin, label) -> None:
    figure = new_figure(4, 3)
    axes = figure.subplots()
    axes.imshow(np.zeros((96, 128)), extent=extent, origin=origin)
    draw_scale_bar(axes, 128 * pixel_size_A)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (bar,) = axes.artists
    (rectangle,) = bar.size_bar.get_children()
    length = (
        rectangle.get_window_extent(canvas.get_renderer()).width / axes.get_window_extent().width * 128 * pixel_size_A
    )
    assert bar.txt_label.get_text() == label
    number, unit = label.split()
    assert length == pytest.approx(float(number) * {"Å": 1, "nm": 10}[unit], rel=1e-6)
    box = bar.get_window_extent(canvas.get_renderer())
    assert axes.get_window_extent().contains(box.x0, box.y0)
    assert box.x1 < axes.get_window_extent().x0 + axes.get_window_extent().width / 2
