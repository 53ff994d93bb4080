"""The domain of a fit: the ranges of its cells, outside of which nothing is forecast."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.forecast.descriptors import PLACE
from hrtem_ood.transfer.forecast.ridge import Features

Floats = NDArray[np.float64]

SLACK = 1e-6
"""Share of a descriptor's range by which its domain is widened, against rounding."""


def domain_names(features: Features) -> tuple[str, ...]:
    """Return the descriptors that a model has a domain of: its own, and the number of images."""
    return (*features.names, "log_n_images")


@dataclass(frozen=True)
class Domain:
    """A box of descriptors.

    Attributes
    ----------
    names : tuple of str
    low, high : float64 array, (domain descriptor,)
        Ends of the ranges.
    """

    names: tuple[str, ...]
    low: Floats
    high: Floats

    @classmethod
    def of(cls, features: Features, descriptors: Floats) -> "Domain":
        """Return the domain of a fit to cells with descriptors (cell, descriptor)."""
        names = domain_names(features)
        values = descriptors[:, [PLACE[name] for name in names]]
        return cls(names, values.min(axis=0), values.max(axis=0))

    def outside(self, descriptors: Floats) -> NDArray[np.bool_]:
        """Return which descriptors lie outside, (cell, domain descriptor), of (cell, descriptor)."""
        values = descriptors[:, [PLACE[name] for name in self.names]]
        slack = SLACK * np.maximum(self.high - self.low, np.maximum(abs(self.low), abs(self.high)) * SLACK)
        return ~((values >= self.low - slack) & (values <= self.high + slack))  # NaN is outside, too

    def clip(self, descriptors: Floats) -> Floats:
        """Return descriptors (cell, descriptor), those of the domain moved to its edge; the distance follows from both ends."""
        clipped, places = descriptors.copy(), [PLACE[name] for name in self.names]
        clipped[:, places] = np.clip(clipped[:, places], self.low, self.high)
        change = clipped[:, PLACE["test_log_cnr"]] - clipped[:, PLACE["train_log_cnr"]]
        clipped[:, PLACE["log_cnr_change"]], clipped[:, PLACE["log_cnr_distance"]] = change, np.abs(change)
        return clipped
