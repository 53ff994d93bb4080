"""Short names of conditions for axes: only the parameters that vary within the campaign."""

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from hrtem_ood.physics.optics.condition import PARAMETER_SYMBOLS, Condition, parameter_unit

SELF_EXPLAINING = ("dose_e_per_A2",)
"""Parameters that their unit identifies, so that their symbol is left out."""

FEWEST_NAMED = 2
"""Parameters that :meth:`ConditionLabels.brief` names at least: Δf and the dose, as a rule."""


class ConditionLabels:
    """Names conditions by the parameters that distinguish them from the others of a campaign.

    A parameter that has one value in more than half of the conditions is named only where it has another one;
    :attr:`default_note` has that value. The leading parameter, usually the defocus, is always named.

    Parameters
    ----------
    conditions : iterable of Condition
        All conditions among which names must be unique.

    Examples
    --------
    >>> conditions = [Condition(defocus_A=value, dose_e_per_A2=400) for value in (-100, 0, 100)]
    >>> labels = ConditionLabels(conditions)
    >>> labels.short_label(conditions[0]), labels.axis_label
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
        """Title of an axis whose ticks are :meth:`tick_label`."""
        names = " · ".join(f"{PARAMETER_SYMBOLS[name]} [{parameter_unit(name)}]" for name in self.varying)
        if len(self.varying) == 1:
            return names
        return f"condition: {names}" if self.varies_jointly else "condition"

    @property
    def default_note(self) -> str:
        """Values of parameters that a short name omits; empty where there are none."""
        return ", ".join(_text(name, value, named=True) for name, value in self.common_values.items())

    def short_label(self, condition: Condition) -> str:
        """Name of a condition: a bare number where one parameter varies, else values with units."""
        if not self.varying:
            return condition.label
        if len(self.varying) == 1:
            return number(getattr(condition, self.varying[0]), signed=self.varying[0] == "defocus_A")
        names = [
            name
            for name in self.varying
            if name not in self.common_values or getattr(condition, name) != self.common_values[name]
        ]
        return ", ".join(_text(name, getattr(condition, name), named=name not in SELF_EXPLAINING) for name in names)

    def tick_label(self, condition: Condition) -> str:
        """Name of a condition on an axis: bare numbers where parameters vary jointly, else :meth:`short_label`."""
        if not self.varies_jointly:
            return self.short_label(condition)
        return " · ".join(number(getattr(condition, name), signed=name == "defocus_A") for name in self.varying)

    def title(self, condition: Condition) -> str:
        """Name of a condition that stands alone, always with symbol and unit."""
        if len(self.varying) == 1:
            return _text(self.varying[0], getattr(condition, self.varying[0]), named=True)
        return self.short_label(condition)

    def brief(self, condition: Condition) -> str:
        """Name of a condition in a sentence: where parameters vary jointly, as many of the first as tell it from all others."""
        if not self.varies_jointly:
            return self.title(condition)
        values = [getattr(condition, name) for name in self.varying]
        for count in range(FEWEST_NAMED, len(self.varying)):
            same = [c for c in self.conditions if [getattr(c, name) for name in self.varying[:count]] == values[:count]]
            if len(same) == 1:
                texts = [
                    _text(name, value, named=name not in SELF_EXPLAINING)
                    for name, value in zip(self.varying[:count], values[:count], strict=True)
                ]
                return ", ".join([*texts, "…"])
        return self.title(condition)

    def group(self, condition: Condition) -> str:
        """Name the parameters with uncommon values, an azimuth as its aberration; the leading parameter if there are none.

        Where parameters vary jointly, all conditions are one group.
        """
        if self.varies_jointly:
            return "all conditions"
        uncommon = self._uncommon(condition) or list(self.varying[:1])
        return ", ".join(PARAMETER_SYMBOLS[name] for name in uncommon)

    def _uncommon(self, condition: Condition) -> list[str]:
        names = [name for name, value in self.common_values.items() if getattr(condition, name) != value]
        return list(dict.fromkeys(name.replace("phi", "C") for name in names))

    def sort_key(self, condition: Condition) -> tuple[float, ...]:
        """Order of conditions: those with common values first, then by group, and in it the leading parameter fastest.

        Where parameters vary jointly, the leading one counts first.
        """
        values = {name: getattr(condition, name) for name in self.varying}
        numbers = {name: float("inf") if value is None else value for name, value in values.items()}
        if self.varies_jointly:
            return tuple(numbers.values())
        axes = dict.fromkeys(name.replace("phi", "C") for name in self.common_values)
        names = self._uncommon(condition)
        uncommon = [float(name in names) for name in axes]
        return (sum(uncommon), *uncommon, *(numbers[name] for name in self.varying[1:]), *list(numbers.values())[:1])


def number(value: float | None, *, signed: bool = False) -> str:
    """Write a number with a true minus sign; ``signed`` adds a plus sign to positive ones, None is ``none``."""
    if value is None:
        return "none"
    return (f"{value:+g}" if signed and value else f"{value:g}").replace("-", "−")


def _text(name: str, value: float | None, *, named: bool) -> str:
    symbol, unit = PARAMETER_SYMBOLS[name], parameter_unit(name)
    text = number(value, signed=name == "defocus_A")
    if value is None:
        return f"no {symbol}"
    return f"{symbol} {text} {unit}" if named else f"{text} {unit}"
