"""What a selection among networks finds."""

from dataclasses import dataclass, field

import pandas as pd

from hrtem_ood.learning.inference.run_record import FailedFile


@dataclass(frozen=True)
class Ensemble:
    """The mean probability of a few networks.

    Attributes
    ----------
    networks : tuple of str
        Ids.
    f1, low, high : float, [1]
        Estimated F1 and its interval.
    """

    networks: tuple[str, ...]
    f1: float
    low: float
    high: float


@dataclass(frozen=True)
class Selection:
    """Networks, ranked for some images without labels.

    Attributes
    ----------
    networks : pandas.DataFrame
        One row per network, the best first; its index is the id. ``network_file``; ``trained_on`` (labels of the training
        conditions); ``images`` (their number); ``f1``, ``low``, ``high`` (estimated F1 over the images, and its interval);
        ``consistency`` (mean Dice under changes of the images); and the means of the evidence, see
        :data:`hrtem_ood.learning.inference.selection.evidence.EVIDENCE`.
    images : pandas.DataFrame
        One row per network and image: ``network``, ``micrograph``, ``micrograph_file``, ``f1`` (estimated) and the evidence.
    ensemble : Ensemble or None
        Where it is estimated to be better than the best network.
    least_f1 : float, [1]
        Estimated F1 from which a network will do.
    level : float, [1]
        Of the intervals.
    calibration : str
        What F1 was estimated from.
    problems : list of FailedFile
        What could not be used.
    notes : list of str
        What to know of the estimates.
    outside : list of str
        Evidence of the best network that lies outside of the calibration's, so that its F1 cannot be told.
    """

    networks: pd.DataFrame
    images: pd.DataFrame
    ensemble: Ensemble | None
    least_f1: float
    level: float
    calibration: str
    problems: list[FailedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    @property
    def best(self) -> str:
        """Id of the network of the highest estimated F1."""
        return str(self.networks.index[0])

    @property
    def will_do(self) -> bool | None:
        """Whether the best network, or the ensemble, has an estimated F1 of ``least_f1`` or more; None: cannot tell."""
        estimates = [float(self.networks.f1.iloc[0])] + ([] if self.ensemble is None else [self.ensemble.f1])
        if max(estimates) < self.least_f1:
            return False
        return None if self.outside else True
