"""Sobol samples of conditions: they fill the space of several parameters evenly, and no two parameters correlate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from scipy.stats import qmc

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.suggestions import valid_names


@dataclass(frozen=True)
class Range:
    """Range of one parameter of a condition.

    Attributes
    ----------
    name : str
        Parameter of a condition.
    low, high : float
        Equal where the parameter does not vary.
    logarithmic : bool
        Whether the logarithm is sampled evenly.
    """

    name: str
    low: float
    high: float
    logarithmic: bool

    def at(self, share: float) -> float:
        """Return the value at a share in [0, 1] of the range, to three significant digits."""
        linear = self.low + share * (self.high - self.low)
        return float(f"{self.low * (self.high / self.low) ** share if self.logarithmic else linear:.3g}")


def parse_range(text: str) -> Range:
    """Read ``name=low:high``, ``name=low:high:log`` or ``name=value``.

    Raises
    ------
    ConfigError
        If the text is not such a range, or the name not that of a parameter of conditions.
    """
    name, equals, written = text.partition("=")
    parts = written.split(":")
    if name not in Condition.model_fields:
        raise ConfigError(f"{text}: conditions have no key `{name}`; {valid_names(name, Condition.model_fields)}")
    try:
        numbers = [float(part) for part in parts[:2]]
    except ValueError:
        numbers = []
    ends = "log" if len(parts) == 3 else ""
    if not equals or not numbers or not all(map(math.isfinite, numbers)) or parts[2:] != [ends][: len(parts[2:])]:
        raise ConfigError(f"{text}: write {name}=low:high, {name}=low:high:log or {name}=value, with numbers.")
    low, high = numbers[0], numbers[-1]
    if low > high:
        raise ConfigError(f"{text}: a range goes from the smaller to the larger value; try {name}={high:g}:{low:g}.")
    if ends and low <= 0:
        raise ConfigError(f"{text}: a logarithmic range lies above 0, which {low:g} does not.")
    return Range(name, low, high, bool(ends))


def sample(ranges: Sequence[Range], number: int, seed: int) -> list[Condition]:
    """Sample conditions by a scrambled Sobol sequence (Matoušek, J. Complexity 14 (1998) 527).

    Its points fill every pair of axes more evenly than random ones. Powers of two are balanced best.

    Parameters
    ----------
    ranges : sequence of Range
    number : int
    seed : int
        Of the scrambling.

    Returns
    -------
    list of Condition
        In the order of the sequence; values to three significant digits.

    Raises
    ------
    ConfigError
        If a parameter is given twice, or values are not valid for a condition.
    """
    repeated = sorted({each.name for each in ranges if [other.name for other in ranges].count(each.name) > 1})
    if repeated:
        raise ConfigError(f"{repeated[0]}: is given twice; keep one.")
    power = math.ceil(math.log2(number))
    points = qmc.Sobol(len(ranges), scramble=True, rng=seed).random_base2(power)[:number]
    conditions = []
    for point in points:
        values = {each.name: each.at(share) for each, share in zip(ranges, point, strict=True)}
        try:
            conditions.append(Condition(**values))
        except ValidationError as error:
            details = error.errors()[0]
            where = f"{details['loc'][0]}: " if details["loc"] else ""
            raise ConfigError(f"{where}{details['msg'].removeprefix('Value error, ')}.") from None
    return conditions
