"""What an image alone tells, as text."""

import math
from collections.abc import Iterator

from hrtem_ood.learning.inference.image_estimates.estimates import ImageEstimates, find_contradictions
from hrtem_ood.learning.inference.image_estimates.pixel_size import PixelSuspicion
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity, Spacing, Unknown
from hrtem_ood.learning.inference.image_trust import Domain, ImageTrust
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
            f"{format_estimate(each.estimate)} {unit}: {each.deviations:.2g} standard deviations apart."
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


def pixel_lines(suspicion: PixelSuspicion | None, pixel_size_A: float, images: int = 1) -> Iterator[str]:
    """Yield a note where the lattice spacings of images make their pixel size doubtful.

    Parameters
    ----------
    suspicion : PixelSuspicion or None
    pixel_size_A : float, [Å]
        As the files, or the user, state it.
    images : int
        How many show these spacings, all together.
    """
    if suspicion is not None:
        percent = 100 * (suspicion.factor - 1)
        whose = "The lattice spacings" if images == 1 else f"Together, the lattice spacings of {images} images"
        yield (
            f"  note: is the pixel of {pixel_size_A:.4g} Å right? {whose} would be those of {suspicion.material} with a pixel of "
            f"about {suspicion.factor * pixel_size_A:.2g} Å ({percent:+.0f} %), and fit none of the crystals that are known "
            "here as it is. Particles of another material would explain it, too. State the pixel with --pixel-size-A."
        )


def trust_lines(trust: ImageTrust) -> Iterator[str]:
    """Yield how far a network can be trusted on an image, from what the image alone tells.

    Parameters
    ----------
    trust : ImageTrust
    """
    yield "  trust in this network on this image, whose condition nobody stated:"
    yield f"    {_domain_text('dose', trust.dose, ' e/Å²')}"
    yield f"    {_domain_text('|Δf|', trust.defocus, ' Å')}"
    if trust.measured is None or trust.possible is None:
        yield (
            "    expected F1: unknown, as no campaign in the results folder has tested this network, and a forecast needs the "
            "condition, and a forecaster"
        )
        return
    number, points = len(trust.measured.points), trust.possible
    if not len(points):
        yield f"    expected F1: unknown, as the image rules out all {number} measured conditions"
    else:
        of = (
            f"the {len(points)} of {number} measured conditions that the image does not rule out"
            if trust.narrows
            else f"all {number} measured conditions, as the image tells neither dose nor defocus"
        )
        span = f"range {points.f1.min():.2f} to {points.f1.max():.2f}" if len(points) > 1 else "no range"
        yield (
            f"    expected F1: {points.f1.median():.2f}, {span}: measured with this network on simulated images, median of {of}"
        )
    for suite, f1 in trust.measured.micrographs.items():
        yield f"    F1 on labelled micrographs, {suite} of campaign {trust.measured.campaign}: {f1:.2f}"


def _domain_text(name: str, domain: Domain, unit: str) -> str:
    low, high = domain.trained
    trained = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    if domain.is_inside is None:
        return f"{name}: cannot tell whether it is as in training ({trained}{unit})"
    found = format_estimate(domain.quantity) if isinstance(domain.quantity, Estimate) else ""
    where = "not as in training"
    if domain.is_inside:
        where = "as in training" if _within(domain.quantity, low, high) else "near that of training"
    warning = "" if domain.is_inside else ": the network never saw such images"
    return f"{name} {found}{unit}, {where} ({trained}{unit}){warning}"


def _within(quantity: Estimate | Unknown, low: float, high: float) -> bool:
    """Whether an estimate is within a range, to twice its uncertainty."""
    if not isinstance(quantity, Estimate):
        return True
    beyond = max(low - quantity.value, quantity.value - high)
    return beyond <= 2 * quantity.uncertainty
