"""Short names of conditions for axes: only what varies within the campaign."""

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from hrtem_ood.physics.optics.condition import ABERRATIONS, JITTER_FIELDS, Condition

SYMBOLS = {
    "defocus_A": ("Δf", "Å"),
    "dose_e_per_A2": ("dose", "e/Å²"),
    "focal_spread_A": ("focal spread", "Å"),
    "angular_spread_mrad": ("angular spread", "mrad"),
    "aperture_mrad": ("aperture", "mrad"),
} | {name: (name, "rad" if name.startswith("phi") else "Å") for name in ABERRATIONS}
SYMBOLS |= {deviation: (f"s.d. of {SYMBOLS[name][0]}", SYMBOLS[name][1]) for name, deviation in JITTER_FIELDS.items()}
"""Symbol and unit of every parameter of a condition."""

SELF_EXPLAINING = ("dose_e_per_A2",)
"""Parameters whose unit tells what they are, so that their symbol is left out."""


class ConditionLabels:
    """Names conditions by what tells them apart from the others of a campaign.

    A parameter that has one value in more than half of the conditions is named only where it has another one;
    :attr:`note` tells that value. The leading parameter, usually the defocus, is always named.

    Parameters
    ----------
    conditions : iterable of Condition
        All conditions among which names must be clear.

    Examples
    --------
    >>> conditions = [Condition(defocus_A=value, dose_e_per_A2=400) for value in (-100, 0, 100)]
    >>> labels = ConditionLabels(conditions)
    >>> labels.short(conditions[0]), labels.axis
    ('−100', 'Δf [Å]')
    """

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = tuple(dict.fromkeys(conditions))

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """Names of the parameters that vary, in the order of :class:`Condition`."""
        return tuple(name for name in Condition.model_fields if len({getattr(c, name) for c in self.conditions}) > 1)

    @cached_property
    def common_values(self) -> dict[str, float | None]:
        """Values that more than half of the conditions have, by parameter; not of the leading parameter."""
        result = {}
        for name in self.varying[1:]:
            value, count = Counter(getattr(c, name) for c in self.conditions).most_common(1)[0]
            if count > len(self.conditions) / 2:
                result[name] = value
        return result

    @cached_property
    def varies_jointly(self) -> bool:
        """Whether parameters vary together, as where conditions are drawn at random: few share all but the leading one."""
        others = Counter(tuple(getattr(c, name) for name in self.varying[1:]) for c in self.conditions)
        alone = sum(count == 1 for count in others.values())
        return len(self.varying) > 1 and not self.common_values and alone > len(self.conditions) / 2

    @property
    def axis_label(self) -> str:
        """Title of an axis whose ticks are :meth:`tick`."""
        names = " · ".join("{} [{}]".format(*SYMBOLS[name]) for name in self.varying)
        if len(self.varying) == 1:
            return names
        return f"condition: {names}" if self.varies_jointly else "condition"

    @property
    def default_note(self) -> str:
        """What holds unless a short name says otherwise; empty where nothing needs saying."""
        return ", ".join(_text(name, value, named=True) for name, value in self.common_values.items())

    def short_label(self, condition: Condition) -> str:
        """Name of a condition: a bare number where one parameter varies, else values with units."""
        if not self.varying:
            return condition.label
        if len(self.varying) == 1:
            return number(getattr(condition, self.varying[0]), signed=self.varying[0] == "defocus_A")
        shown = [
            name
            for name in self.varying
            if name not in self.common_values or getattr(condition, name) != self.common_values[name]
        ]
        return ", ".join(_text(name, getattr(condition, name), named=name not in SELF_EXPLAINING) for name in shown)

    def tick_label(self, condition: Condition) -> str:
        """Name of a condition on an axis: bare numbers where parameters vary jointly, else :meth:`short`."""
        if not self.varies_jointly:
            return self.short_label(condition)
        return " · ".join(number(getattr(condition, name), signed=name == "defocus_A") for name in self.varying)

    def title(self, condition: Condition) -> str:
        """Name of a condition that stands alone, always with symbol and unit."""
        if len(self.varying) == 1:
            return _text(self.varying[0], getattr(condition, self.varying[0]), named=True)
        return self.short_label(condition)

    def group(self, condition: Condition) -> str:
        """Tell what is unusual about a condition, an azimuth being its aberration's; the leading parameter if nothing is.

        Where parameters vary jointly, all conditions are one group.
        """
        if self.varies_jointly:
            return "all conditions"
        unusual = self._unusual(condition) or list(self.varying[:1])
        return ", ".join(SYMBOLS[name][0] for name in unusual)

    def _unusual(self, condition: Condition) -> list[str]:
        names = [name for name, value in self.common_values.items() if getattr(condition, name) != value]
        return list(dict.fromkeys(name.replace("phi", "C") for name in names))

    def sort_key(self, condition: Condition) -> tuple[float, ...]:
        """Order of conditions: usual ones first, then by group and what varies in it, the leading parameter fastest.

        Where parameters vary jointly, the leading one counts first.
        """
        values = {name: getattr(condition, name) for name in self.varying}
        numbers = {name: float("inf") if value is None else value for name, value in values.items()}
        if self.varies_jointly:
            return tuple(numbers.values())
        axes, found = dict.fromkeys(name.replace("phi", "C") for name in self.common_values), self._unusual(condition)
        unusual = [float(name in found) for name in axes]
        return (sum(unusual), *unusual, *(numbers[name] for name in self.varying[1:]), *list(numbers.values())[:1])


def number(value: float | None, *, signed: bool = False) -> str:
    """Write a number with a true minus sign; ``signed`` adds a plus sign to positive ones, None is ``none``."""
    if value is None:
        return "none"
    return (f"{value:+g}" if signed and value else f"{value:g}").replace("-", "−")


def _text(name: str, value: float | None, *, named: bool) -> str:
    symbol, unit = SYMBOLS[name]
    text = number(value, signed=name == "defocus_A")
    return (
        f"{symbol} {text} {unit}"
        if named and value is not None
        else f"no {symbol}"
        if value is None
        else f"{text} {unit}"
    )
