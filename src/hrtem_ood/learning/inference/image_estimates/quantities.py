"""A quantity that an image tells, or the reason why it does not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number that an image tells.

    Attributes
    ----------
    value : float
    uncertainty : float
        One standard deviation, in the same unit.
    """

    value: float
    uncertainty: float


@dataclass(frozen=True)
class Unknown:
    """A quantity that an image does not tell.

    Attributes
    ----------
    reason : str
        Why, in words that go on after `cannot tell: `.
    """

    reason: str


Quantity = Estimate | Unknown


@dataclass(frozen=True)
class Spacing:
    """A lattice spacing, seen as a pair of peaks ±q in the power spectrum.

    Attributes
    ----------
    spacing_A : Estimate, [Å]
    azimuth_rad : float, [rad]
        Of q, the direction across the fringes: arctan2(q_y, q_x) in [0, π).
    signal_to_background : float, [1]
        Power of the peak over that of the ring around it.
    """

    spacing_A: Estimate
    azimuth_rad: float
    signal_to_background: float
