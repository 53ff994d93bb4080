"""Predictions as text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from rich.table import Table

from hrtem_ood.cli.render.console import folded, make_table, numbers
from hrtem_ood.cli.render.quantities import format_count
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.inference.condition_forecast import ConditionForecast
from hrtem_ood.learning.inference.condition_option import EXAMPLE
from hrtem_ood.learning.inference.domain_distance import ConditionAssessment, DomainDistance
from hrtem_ood.learning.inference.measured_f1 import (
    FEWEST,
    FEWEST_NEAR,
    NEAR_DEFOCUS_A,
    NEAR_DOSE,
    ExpectedF1,
    MeasuredPerformance,
)
from hrtem_ood.learning.inference.predict_micrographs import SegmentationResult
from hrtem_ood.learning.inference.run_record import FailedFile, ImageRecord, RunRecord
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork
from hrtem_ood.learning.inference.shipped_network import shipped_scores
from hrtem_ood.learning.repair import RepairedImage
from hrtem_ood.transfer.forecast.wording import AT_EDGE, performance_text, weakness_texts

MAX_LINES = 10
"""Particles, training conditions or failed files that are listed; the others are counted."""

MOST_IN_FULL = 5
"""Of more files, each image has one line."""

MOST_ROWS = 200
"""Images in the table of a run; the page has all."""


def network_lines(network: TrainedNetwork) -> Iterator[str]:
    """Yield what a network was trained on."""
    domain = network.training_domain
    yield f"network {network.id}"
    yield (
        f"  trained at {domain.energy_eV / 1000:g} keV, {domain.pixel_size_A:g} Å pixels, "
        f"{domain.side_px} × {domain.side_px} px, on"
    )
    for condition, images in domain.conditions[:MAX_LINES]:
        yield f"    {condition.label}: {images} images"
    if len(domain.conditions) > MAX_LINES:
        yield f"    and {len(domain.conditions) - MAX_LINES} more conditions"


def shipped_lines(path: Path) -> Iterator[str]:
    """Yield what is said of the network that comes with the package."""
    about = shipped_scores(path)
    yield f"network {about['id']} comes with hrtem-ood, as none is named (docs/model_card.md)"
    rows = [row for row in about["scores"] if row["structure_set"] == "all"]
    median, low = (_span([row[key] for row in rows]) for key in ("median", "low"))
    images = sum(row["images"] for row in rows)
    yield f"  F1 on {images:,} simulated images, by test suite: median {median}, one in ten below {low}"


def _span(values: Sequence[float]) -> str:
    least, most = f"{min(values):.2f}", f"{max(values):.2f}"
    return least if least == most else f"{least} to {most}"


def result_lines(result: SegmentationResult | FailedFile, network: TrainedNetwork, *, brief: bool) -> Iterator[str]:
    """Yield what a file or an image gave; on one line, with its notes, if many follow."""
    if isinstance(result, FailedFile):
        yield f"not segmented: {result.message}"
    elif brief:
        one = result.record
        yield f"{one.name}: {format_count(len(one.diameters_A), 'particle')}, {one.covered:.1%} covered{_median(one)}"
        yield from (f"  note: {note}" for note in one.notes)
    else:
        yield from segmentation_lines(result, network)


def segmentation_lines(result: SegmentationResult, network: TrainedNetwork) -> Iterator[str]:
    """Yield the particles of an image, and notes on them."""
    source, segmentation, record = result.micrograph, result.segmentation, result.record
    particles = segmentation.measurements
    yield f"{source.name} ({source.path})"
    size = f"  {' × '.join(map(str, record.shape))} px of {source.pixel_size_A:.4g} Å"
    if segmentation.network_shape == record.shape and segmentation.network_pixel_size_A == source.pixel_size_A:
        yield f"{size}, not resampled"
    else:
        resampled = f"{' × '.join(map(str, segmentation.network_shape))} px of {segmentation.network_pixel_size_A:g} Å"
        yield f"{size}, resampled to {resampled} for the network"
    if segmentation.repaired is not None:
        yield from _repairs(segmentation.repaired)
    if segmentation.tiles is not None:
        yield f"  in tiles of {segmentation.tiles.side} px" + (
            "" if segmentation.tiles.exact else ", see the note below"
        )
    yield f"  particles cover {particles.covered:.1%} of the image; connected: {len(particles.particles)}"
    yield from _sizes(particles.particles)
    yield (
        f"  mean predictive entropy {particles.entropy:.4f} nat per pixel "
        f"(validation loss: {network.validation_loss:.4f}); a low value does not prove that the masks are right"
    )
    yield from (f"  note: {note}" for note in record.notes)
    yield f"  wrote {', '.join(str(path) for path in record.outputs.values())}"


def run_table(record: RunRecord) -> Table:
    """Return the table of a run: a row per image, and per file that failed."""
    table = make_table(
        f"{format_count(len(record.images), 'image')} segmented, {format_count(len(record.failed), 'file')} not",
        folded("image"),
        *numbers("particles", "covered", "median diameter [Å]", "confidence", "notes"),
        folded("file"),
    )
    for image in record.images[:MOST_ROWS]:
        size = f"{image.median_diameter_A:.1f}" if len(image.diameters_A) else ""
        sure = f"{image.confidence:.2f}" if len(image.diameters_A) else ""
        notes = str(len(image.notes) or "")
        table.add_row(
            image.name, str(len(image.diameters_A)), f"{image.covered:.1%}", size, sure, notes, str(image.path)
        )
    if len(record.images) > MOST_ROWS:
        table.add_row(f"and {len(record.images) - MOST_ROWS} more", "", "", "", "", "", "")
    for one in record.failed:
        table.add_row("not segmented", "", "", "", "", "", str(one.path))
    return table


def failure_message(record: RunRecord, files: int) -> str:
    """Return the message of a run with files that failed."""
    reasons = [one.message for one in record.failed]
    if files == 1:
        return reasons[0]
    more = f"\n  and {len(reasons) - MAX_LINES} more" if len(reasons) > MAX_LINES else ""
    lines = "".join(f"\n  {reason}" for reason in reasons[:MAX_LINES])
    return f"{len(reasons)} of {files} files could not be segmented:{lines}{more}"


def _median(one: ImageRecord) -> str:
    return f", median diameter {one.median_diameter_A:.1f} Å" if len(one.diameters_A) else ""


def _repairs(repaired: RepairedImage) -> Iterator[str]:
    repairs = []
    if repaired.spikes:
        repairs.append(f"{format_count(repaired.spikes, 'spike')} replaced")
    if repaired.slope:
        repairs.append(f"background divided out (varies by {repaired.slope:.0%})")
    if repaired.bright:
        repairs.append(f"{repaired.bright:.1%} of the image, brighter than the film, scaled to it")
    if repaired.dead.any():
        repairs.append(f"{repaired.dead.mean():.1%} of the pixels are dead, and count as no particle")
    if repairs:
        yield f"  repaired: {'; '.join(repairs)} (--no-repair leaves the image as it is)"


def _sizes(particles: pd.DataFrame) -> Iterator[str]:
    if len(particles) > 1:
        diameter = particles.diameter_A
        yield f"  equivalent diameters: median {diameter.median():.1f} Å, {diameter.min():.1f} to {diameter.max():.1f} Å"
    for one in particles.head(MAX_LINES).itertuples():
        at_edge = ", at the edge" if one.at_edge else ""
        place = f"at ({one.y_A:.0f}, {one.x_A:.0f}) Å{at_edge}"
        yield f"    {one.Index}: {one.area_A2:.0f} Å², diameter {one.diameter_A:.1f} Å, {place}"
    if len(particles) > MAX_LINES:
        yield f"    and {len(particles) - MAX_LINES} smaller ones, see the table"


def assessment_lines(assessment: ConditionAssessment, network: TrainedNetwork) -> Iterator[str]:
    """Yield the F1 to expect under a condition, then what it is from: distance to training, forecast, measured F1."""
    distance = assessment.distance
    yield f"condition {distance.condition.label}"
    yield from expectation_lines(assessment)
    yield from _distances(distance, network)
    yield from forecast_lines(assessment.forecast, network)
    if assessment.measured is None or assessment.expected is None:
        yield "  measured F1: unknown, as no campaign in the results folder has tested this network"
        if assessment.expectation.source == "none":
            yield from (f"  note: {note}" for note in _dose(distance))
        return
    measured, expected = assessment.measured, assessment.expected
    which = (
        f"those within {NEAR_DEFOCUS_A:g} Å and a factor of {NEAR_DOSE:g} in dose:"
        if expected.near
        else "those nearest in σ:"
    )
    if expected.at_exactly_this:
        which = f"this one, and {which}"
    yield f"  measured in campaign {measured.campaign} at {len(measured.points)} test conditions; {which}"
    several = measured.points.structure_set.nunique() > 1
    for one in expected.points.itertuples():
        where = f" [{one.structure_set}]" if several else ""
        domain = ", in-domain" if one.in_domain else ""
        yield f"    σ {one.sigma:.3f}  F1 {one.f1:.3f}  {one.label}{where}{domain}"
    yield from micrograph_lines(measured)
    if assessment.expectation.source != "forecast":
        yield from (f"  note: {note}" for note in expectation_notes(expected, measured.points, distance))


def expectation_lines(assessment: ConditionAssessment) -> Iterator[str]:
    """Yield the F1 to expect, where it comes from, and why that counts more than what else there is."""
    expectation, measured, forecast = assessment.expectation, assessment.expected, assessment.forecast
    value = f"  expected F1: {expectation.value:.2f}"
    within = f"{expectation.low:.2f} to {expectation.high:.2f}"
    if expectation.source == "measured":
        if expectation.has_range:
            assert measured is not None
            here = (
                f"this condition ({measured.at_condition:.2f}) and those" if measured.at_exactly_this else "conditions"
            )
            yield f"{value}, range {within}: measured with this network on simulated images under {here} near it; their median"
        else:
            yield (
                f"{value}, measured with this network on simulated images under exactly this condition; how far it varies is "
                "unknown, as nothing was measured beside it, and no image has exactly this condition"
            )
        if forecast is not None and not forecast.low <= expectation.value <= forecast.high:
            yield (
                f"    the forecast below differs: {forecast.predicted:.2f} ({forecast.low:.2f} to {forecast.high:.2f}). What was "
                "measured counts more: it is of this very network; the forecast knows the training set only."
            )
    elif expectation.source == "forecast":
        assert forecast is not None
        other = (
            "has tested this network"
            if assessment.measured is None
            else f"has tested this network under {FEWEST_NEAR} conditions near this one"
        )
        star = " *" if forecast.outside else ""
        yield (
            f"{value}, {100 * forecast.level:g} % interval {within}{star}: the forecast below, as no campaign in the results "
            f"folder {other}"
        )
    elif expectation.source == "nearest in σ":
        yield (
            f"{value}, range {within}: measured with this network under the conditions nearest in σ, which says little of this "
            "one; their median, as there is no forecast"
        )
    else:
        yield "  expected F1: unknown, as no campaign has tested this network, and there is no forecast"


def micrograph_lines(measured: MeasuredPerformance) -> Iterator[str]:
    """Yield the F1 of a network on labelled micrographs."""
    for suite, f1 in measured.micrographs.items():
        yield f"  F1 on labelled micrographs, {suite} of campaign {measured.campaign}: {f1:.2f} (mean over images)"


def forecast_lines(forecast: ConditionForecast | None, network: TrainedNetwork) -> Iterator[str]:
    """Yield the forecast score under a condition and what is known of its error, or why there is none."""
    if forecast is None:
        domain = network.training_domain
        yield (
            "  forecast F1: none, as no forecaster, in the results folder or of the package, is for this network's pixel of "
            f"{domain.pixel_size_A:g} Å and {domain.energy_eV / 1e3:g} keV"
        )
        return
    star = " *" if forecast.outside else ""
    yield (
        f"  forecast {METRICS[forecast.metric].long_name}: {forecast.predicted:.2f}, {100 * forecast.level:g} % interval "
        f"{forecast.low:.2f} to {forecast.high:.2f}{star}, from information transfer alone"
    )
    if forecast.outside:
        yield f"    * outside the domain of the forecaster: {'; '.join(forecast.outside)}; {AT_EDGE}"
    yield f"    by the forecaster {forecast.path.stem} of the campaign {forecast.campaign}, for particles and films like its own:"
    yield f"    {performance_text(forecast.performance)}"
    yield from (f"    {text}" for text in weakness_texts(forecast.performance, [forecast.predicted]))


def _distances(distance: DomainDistance, network: TrainedNetwork) -> Iterator[str]:
    low, high = distance.trained_epsilon
    count = len(network.training_domain.conditions)
    if distance.in_domain:
        yield "  it is one of the training conditions"
    yield f"  shared transfer σ with training: {distance.sigma:.3f} (largest over {count} conditions)"
    yield f"    nearest: {distance.nearest.label}"
    trained = f"{low:.3f}" if high - low < 5e-4 else f"{low:.3f} to {high:.3f}"
    yield f"  transfer ε: {distance.epsilon:.3f} (training: {trained})"
    yield f"  smallest |Δ defocus|: {distance.defocus_A:g} Å; dose: {distance.dose_ratio:.3g} times that of the nearest in dose"


def expectation_notes(expected: ExpectedF1, points: pd.DataFrame, distance: DomainDistance) -> Iterator[str]:
    """Yield reasons not to rely on an F1 that was measured under near conditions, or under those nearest in σ."""
    if expected.near:
        if expected.points.label.nunique() > 1:
            yield "a stated defocus counts from minimum contrast, and is seldom known better than to 50 Å: take the range."
        return
    if not expected.inside:
        yield (
            f"σ = {distance.sigma:.3f} lies outside the measured {points.sigma.min():.3f} to {points.sigma.max():.3f}: "
            "no F1 was measured there, so any value is possible."
        )
    if len(points) < FEWEST:
        yield f"{len(points)} measured conditions do not show whether F1 follows σ."
    elif not expected.orders:
        rho = "is undefined" if expected.rho != expected.rho else f"is {expected.rho:.2f}"
        yield (
            f"Spearman's ρ of σ and F1 over these {len(points)} conditions {rho}: for this network, σ does not order F1. "
            "Take the range of all measured conditions, "
            f"{points.f1.min():.2f} to {points.f1.max():.2f}, rather than the nearest."
        )
    yield from _dose(distance)


def _dose(distance: DomainDistance) -> Iterator[str]:
    if not 0.5 <= distance.dose_ratio <= 2:
        yield "σ does not include the dose, which differs from training by more than a factor of 2."


def hints(*, with_estimates: bool, with_condition: bool) -> Iterator[str]:
    """Yield what a user may do to learn more of the images."""
    if not with_estimates:
        yield "Dose, defocus and lattice spacings were not estimated, nor how far they let trust the network: --estimates."
    if not with_condition:
        yield (
            "If you know the condition of these images, state it to compare it with the training, and for a forecast where there "
            f"is a forecaster: --condition '{EXAMPLE}'"
        )
