"""The forecaster: a fitted model of the score, with its intervals and its domain, that can be kept as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.errors import ArgumentError, ArtifactError
from hrtem_ood.quoting import quoted
from hrtem_ood.transfer.forecast.cells import FOLDS, Cells
from hrtem_ood.transfer.forecast.conformal import ErrorSize, fewest_errors
from hrtem_ood.transfer.forecast.cross_validation import (
    LEVEL,
    Bounds,
    Forecasts,
    OutOfFold,
    clipped,
    cross_validate,
    enough_errors,
    fewest_cells,
    interval_model,
)
from hrtem_ood.transfer.forecast.descriptors import NAMES
from hrtem_ood.transfer.forecast.domain import Domain, domain_names
from hrtem_ood.transfer.forecast.performance import Performance, forecast_bins
from hrtem_ood.transfer.forecast.reference_objects import ReferenceObjects
from hrtem_ood.transfer.forecast.ridge import CONTRAST, Features, Quadratic, fit_quadratic
from hrtem_ood.transfer.forecast.stored import VERSION, from_document, to_document

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DomainForecasts(Forecasts):
    """Forecasts, and what lies outside the domain of the forecaster.

    Attributes
    ----------
    outside : tuple of tuple of str, (cell,)
        Names of the descriptors that lie outside, of each cell: there, :meth:`Forecaster.forecast` has none, and that of
        :meth:`Forecaster.at_edge` is of the domain's edge.
    """

    outside: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Forecaster:
    """A forecaster of scores of networks of a training set on a test dataset.

    Its domain is a box: every descriptor of the model, and the number of training images, lies within the range of the cells
    that the forecaster was fitted to. Beyond it nothing is forecast but what holds at its edge, and that only by name.

    Attributes
    ----------
    score : Quadratic
    error_size : ErrorSize
    factor : dict of float to float, [1]
        By level, the reach of intervals over the size of errors.
    domain : Domain
    metric : str
        Name of the score.
    bounds : (float or None, float or None)
        What the score can be at least and at most.
    pixel_size_A : float, [Å]
        Pixel of the images.
    performance : Performance
    origin : dict of str to str
        Where it comes from: campaign, versions.
    objects : ReferenceObjects, optional
        Those of most of its training sets, with which descriptors of other conditions can be computed.

    Examples
    --------
    >>> from hrtem_ood.transfer.forecast.descriptors import PLACE
    >>> rng = np.random.default_rng(0)
    >>> conditions, log_cnr = np.arange(12), rng.uniform(-1, 2, 12)
    >>> train, test = (each.ravel() for each in np.meshgrid(conditions, conditions))
    >>> table = np.zeros((144, len(NAMES)))
    >>> table[:, PLACE["train_log_cnr"]], table[:, PLACE["test_log_cnr"]] = log_cnr[train], log_cnr[test]
    >>> table[:, PLACE["log_cnr_distance"]] = abs(log_cnr[train] - log_cnr[test])
    >>> score = 0.8 - 0.2 * table[:, PLACE["log_cnr_distance"]] + 0.02 * rng.standard_normal(144)
    >>> cells = Cells(score, table, conditions == train[:, None], test)
    >>> forecaster = Forecaster.fit(cells, metric="f1", bounds=(0, 1), pixel_size_A=0.4)
    >>> forecasts = forecaster.forecast(table, pixel_size_A=0.4)
    >>> bool(abs(forecasts.predicted - 0.8 + 0.2 * table[:, PLACE["log_cnr_distance"]]).max() < 0.05)
    True
    """

    score: Quadratic
    error_size: ErrorSize
    factor: dict[float, float]
    domain: Domain
    metric: str
    bounds: Bounds
    pixel_size_A: float
    performance: Performance
    origin: dict[str, str] = field(default_factory=dict)
    objects: ReferenceObjects | None = None

    @classmethod
    def fit(
        cls,
        cells: Cells,
        *,
        metric: str,
        bounds: Bounds,
        pixel_size_A: float,
        features: Features = CONTRAST,
        folds: int = FOLDS,
        origin: Mapping[str, str] | None = None,
        out_of_fold: OutOfFold | None = None,
        objects: ReferenceObjects | None = None,
        counted: NDArray[np.bool_] | None = None,
    ) -> "Forecaster":
        """Fit a forecaster.

        Parameters
        ----------
        cells : Cells
        metric, bounds, pixel_size_A, origin, objects
            See the attributes.
        features : Features
            The model.
        folds : int
            Of conditions, from whose errors the intervals come; see :func:`cross_validate`.
        out_of_fold : OutOfFold, optional
            Its result, where it was computed before.
        counted : bool array, (cell,), optional
            Cells that count in :attr:`performance`; by default all. All have a part in the fit and in the intervals.

        Returns
        -------
        Forecaster

        Raises
        ------
        ArgumentError
            When there are too few cells or conditions; states how many there must be.
        """
        check_enough(cells, features)
        out_of_fold = cross_validate(cells, features, folds=folds) if out_of_fold is None else out_of_fold
        finite = np.isfinite(out_of_fold.predicted)
        error = np.abs(cells.score - out_of_fold.predicted)[finite]
        size, factor = interval_model(cells.descriptors[finite], error, int(cells.touched[finite].any(axis=0).sum()))
        tested = int(np.isfinite(out_of_fold.at(LEVEL).low).sum())
        if size is None or LEVEL not in factor or tested < _fewest_errors():
            raise ArgumentError(_too_few_apart(cells, features, tested))
        return cls(
            score=fit_quadratic(features, cells.descriptors, cells.score),
            error_size=size,
            factor=factor,
            domain=Domain.of(features, cells.descriptors),
            metric=metric,
            bounds=bounds,
            pixel_size_A=pixel_size_A,
            performance=_performance(cells, out_of_fold, bounds, counted),
            origin=dict(origin or {}),
            objects=objects,
        )

    def forecast(self, descriptors: Floats, *, pixel_size_A: float, level: float = LEVEL) -> DomainForecasts:
        """Forecast scores.

        Parameters
        ----------
        descriptors : float64 array, (cell, descriptor)
            From :mod:`hrtem_ood.transfer.forecast.descriptors`.
        pixel_size_A : float, [Å]
            Pixel of the images that the descriptors are about.
        level : float, [1]
            Of the intervals: one of :attr:`factor`.

        Returns
        -------
        DomainForecasts
            Nothing is forecast for cells outside the domain: they are NaN, and ``outside`` says why.

        Raises
        ------
        ArtifactError
            For images of another pixel.
        ArgumentError
            For another level, or descriptors of another number.
        """
        self.check_pixel(pixel_size_A)
        if level not in self.factor:
            levels = ", ".join(f"{each:g}" for each in sorted(self.factor))
            raise ArgumentError(f"level: this forecaster has no intervals of {quoted(level)}; valid: {levels}.")
        if descriptors.ndim != 2 or descriptors.shape[1] != len(NAMES):
            raise ArgumentError(f"descriptors: need the shape (cell, {len(NAMES)}), not {descriptors.shape}.")
        inside = np.asarray(~self.domain.outside(descriptors).any(axis=1))
        predicted, reach = np.full(len(inside), np.nan), np.full(len(inside), np.nan)
        predicted[inside] = self.score(descriptors[inside])
        reach[inside] = self.factor[level] * self.error_size(descriptors[inside])
        return self._named(clipped(predicted, reach, self.bounds), descriptors)

    def at_edge(self, descriptors: Floats, level: float = LEVEL) -> DomainForecasts:
        """Forecast scores as if what lies outside the domain were at its edge.

        Intervals are those of the edge: nothing is known of the step beyond. Whoever shows such a forecast says what lies
        outside, in the words of :mod:`hrtem_ood.transfer.forecast.domain_text`.

        Parameters
        ----------
        descriptors : float64 array, (cell, descriptor)
        level : float, [1]
            Of the intervals: one of :attr:`factor`.

        Returns
        -------
        DomainForecasts
        """
        moved = self.domain.clip(descriptors)
        forecasts = clipped(self.score(moved), self.factor[level] * self.error_size(moved), self.bounds)
        return self._named(forecasts, descriptors)

    def _named(self, forecasts: Forecasts, descriptors: Floats) -> DomainForecasts:
        names = np.array(self.domain.names)
        outside = tuple(tuple(names[row].tolist()) for row in self.domain.outside(descriptors))
        return DomainForecasts(forecasts.predicted, forecasts.low, forecasts.high, outside)

    def check_pixel(self, pixel_size_A: float) -> None:
        """Check that images have the forecaster's pixel.

        Raises
        ------
        ArtifactError
            When they have another one.
        """
        if not np.isclose(pixel_size_A, self.pixel_size_A, rtol=1e-6, atol=0):
            raise ArtifactError(
                f"This forecaster is for pixels of {self.pixel_size_A:g} Å, not {pixel_size_A:g} Å: descriptors are "
                "integrals up to the Nyquist frequency. Use a forecaster fitted on a campaign of the same pixel."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the forecaster as plain data: numbers, text, lists and dictionaries, for JSON."""
        return to_document(self)

    @classmethod
    def from_dict(cls, document: object, name: str = "forecaster") -> "Forecaster":
        """Make a forecaster of what :meth:`to_dict` returned.

        Parameters
        ----------
        document : JSON values
            Maybe damaged, or by another version.
        name : str
            Of the file, for messages.

        Returns
        -------
        Forecaster

        Raises
        ------
        ArtifactError
            When it is damaged, or of another version.
        """
        stored = from_document(document, name)
        score, size = stored.score.function(), ErrorSize(stored.error_size.function(), stored.least, stored.most)
        names = domain_names(score.features)
        low, high = np.array([stored.domain[each] for each in names]).T
        return cls(
            score, size, dict(stored.factor), Domain(names, low, high), stored.metric, stored.bounds, stored.pixel_size_A,
            stored.performance.performance(), dict(stored.origin), stored.reference(),
        )  # fmt: skip


def check_enough(cells: Cells, features: Features) -> None:
    """Check that there are cells enough for a fit.

    Raises
    ------
    ArgumentError
        When there are not; states how many there must be.
    """
    needed = max(fewest_cells(features), _fewest_errors())
    if len(cells) < needed:
        raise ArgumentError(
            f"cells: a forecaster with the model `{features.name}` ({features.n_terms} terms) needs at least {needed} cells "
            f"of a training set and a test dataset, and there are {len(cells)}. Train or test under more conditions."
        )


def _fewest_errors() -> int:
    """Return how many errors of cells out of fold intervals need."""
    return max(fewest_cells(CONTRAST), fewest_errors(LEVEL))


def _too_few_apart(cells: Cells, features: Features, forecast: int) -> str:
    needed, conditions = fewest_cells(features), int(cells.touched.any(axis=0).sum())
    return (
        f"cells: a cell is forecast from at least {needed} others that share neither its training nor its test condition, "
        f"and {_fewest_errors()} cells must be forecast so, with intervals. Of the {len(cells)} cells "
        f"under {conditions} conditions, {forecast} can be. Train and test under more conditions: "
        f"{_conditions_needed(needed)} of both suffice."
    )


def _conditions_needed(cells: int) -> int:
    """Return how many conditions suffice where all train and all test.

    Two folds of them are left out of a fit.
    """
    number = 3
    while True:
        left = number - 2 * -(-number // min(FOLDS, number))
        if left >= 2 and left**2 >= max(cells, _fewest_errors()) and enough_errors(LEVEL, left**2, left):
            return number
        number += 1


def _performance(
    cells: Cells, out_of_fold: OutOfFold, bounds: Bounds, counted: NDArray[np.bool_] | None
) -> Performance:
    forecasts = out_of_fold.at(LEVEL, bounds)
    use = np.isfinite(forecasts.low)
    if counted is not None and (use & counted).any():
        use &= counted
    part = Forecasts(forecasts.predicted[use], forecasts.low[use], forecasts.high[use])
    score = cells.score[use]
    return Performance(
        n_cells=len(cells),
        n_conditions=int(cells.touched.any(axis=0).sum()),
        n_forecast=int(use.sum()),
        rmse=float(np.sqrt(np.mean((score - part.predicted) ** 2))),
        coverage=part.coverage(score),
        width=float(np.median(part.high - part.low)),
        bins=forecast_bins(part, score),
    )


__all__ = ["LEVEL", "VERSION", "DomainForecasts", "Forecaster", "Performance", "check_enough"]
