"""What an image alone tells, as text."""

import math
from collections.abc import Iterator

from hrtem_ood.learning.inference.image_estimates.estimates import ImageEstimates, find_contradictions
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity, Spacing, Unknown
from hrtem_ood.physics.optics.condition import PARAMETER_SYMBOLS, Condition, parameter_unit

MOST_SPACINGS = 6


def estimate_lines(estimates: ImageEstimates, stated: Condition | None = None) -> Iterator[str]:
    """Yield what an image tells of its imaging condition, and where a stated one contradicts it.

    Parameters
    ----------
    estimates : ImageEstimates
    stated : Condition, optional
    """
    yield "  from the image alone (± one standard deviation):"
    rows: tuple[tuple[str, Quantity | tuple[Spacing, ...], str], ...] = (
        ("dose", estimates.dose_e_per_A2, " e/Å²"),
        ("ln CNR", estimates.log_cnr, ""),
        ("|Δf| of the film", estimates.defocus_A, " Å"),
        ("C12", estimates.C12_A, " Å"),
        ("lattice spacings", estimates.spacings, " Å"),
    )
    together: dict[str, list[str]] = {}
    for name, quantity, unit in rows:
        text = f"cannot tell: {quantity.reason}" if isinstance(quantity, Unknown) else _value(quantity, unit)
        together.setdefault(text if isinstance(quantity, Unknown) else f"{name} {text}", []).append(name)
    for text, names in together.items():
        yield f"    {', '.join(names)}: {text}" if text.startswith("cannot tell") else f"    {text}"
    for each in find_contradictions(estimates, stated) if stated is not None else ():
        symbol, unit = PARAMETER_SYMBOLS[each.parameter], parameter_unit(each.parameter) or "Å"
        modulus = f"|{symbol}|" if each.parameter == "defocus_A" else symbol
        yield (
            f"  note: the stated {modulus} of {each.stated:.4g} {unit} contradicts the image, which tells "
            f"{format_estimate(each.estimate)} {unit}."
        )


def _value(quantity: Estimate | tuple[Spacing, ...], unit: str) -> str:
    if isinstance(quantity, Estimate):
        return format_estimate(quantity) + unit
    shown = [
        f"{format_estimate(each.spacing_A)}{unit} at {math.degrees(each.azimuth_rad):.0f}°"
        for each in quantity[:MOST_SPACINGS]
    ]
    more = len(quantity) - MOST_SPACINGS
    return ", ".join(shown) + (f", and {more} more" if more > 0 else "")


def format_estimate(estimate: Estimate) -> str:
    """Write a value and its uncertainty, to two figures of the uncertainty, e.g. ``398 ± 12``."""
    if not estimate.uncertainty > 0:
        return f"{estimate.value:.4g}"
    digits = 1 - math.floor(math.log10(estimate.uncertainty))
    places = max(digits, 0)
    return f"{round(estimate.value, digits):.{places}f} ± {round(estimate.uncertainty, digits):.{places}f}"
