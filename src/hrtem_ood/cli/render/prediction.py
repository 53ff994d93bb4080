"""What the command line says about predictions."""

from collections.abc import Iterator

import pandas as pd

from hrtem_ood.learning.inference.condition_option import EXAMPLE
from hrtem_ood.learning.inference.domain_distance import ConditionAssessment, DomainDistance
from hrtem_ood.learning.inference.measured_f1 import FEWEST, ExpectedF1
from hrtem_ood.learning.inference.segment_micrographs import SegmentationResult, TrainedNetwork

LISTED = 10
"""Particles that are listed on the terminal; the table has all."""


def network_lines(user: TrainedNetwork) -> Iterator[str]:
    """Tell what a network was trained on."""
    known = user.training_domain
    yield f"network {user.id}"
    yield (
        f"  trained at {known.energy_eV / 1000:g} keV, {known.pixel_size_A:g} Å pixels, {known.side_px} × {known.side_px} px, on"
    )
    for condition, images in known.conditions[:LISTED]:
        yield f"    {condition.label}: {images} images"
    if len(known.conditions) > LISTED:
        yield f"    and {len(known.conditions) - LISTED} conditions more"


def segmentation_lines(made: SegmentationResult, user: TrainedNetwork) -> Iterator[str]:
    """Tell what was found in an image."""
    source, found = made.micrograph, made.particles
    height, width = made.shape
    yield f"{source.name} ({source.path})"
    if made.shape == source.image.shape and made.pixel_size_A == source.pixel_size_A:
        yield f"  {height} × {width} px of {source.pixel_size_A:.4g} Å, as it is"
    else:
        old = " × ".join(map(str, source.image.shape))
        yield f"  {old} px of {source.pixel_size_A:.4g} Å, resampled to {height} × {width} px of {made.pixel_size_A:g} Å"
    if made.tiles is not None:
        yield f"  in tiles of {made.tiles.side} px" + ("" if made.tiles.exact else ", see the note")
    yield f"  particles cover {found.covered:.1%} of the image; connected: {len(found.particles)}"
    yield from _sizes(found.particles)
    yield (
        f"  mean predictive entropy {found.entropy:.4f} nat per pixel "
        f"(loss in validation: {user.validation_loss:.4f}); low is no proof of trust"
    )
    yield from (f"  note: {note}" for note in notes(made))
    yield f"  wrote {', '.join(str(path) for path in made.outputs)}"


def _sizes(particles: pd.DataFrame) -> Iterator[str]:
    if len(particles) > 1:
        diameter = particles.diameter_A
        yield f"  equivalent diameters: median {diameter.median():.1f} Å, {diameter.min():.1f} to {diameter.max():.1f} Å"
    for index, one in enumerate(particles.head(LISTED).itertuples()):
        at_edge = ", at the edge" if one.at_edge else ""
        yield f"    {index}: {one.area_A2:.0f} Å², diameter {one.diameter_A:.1f} Å, at ({one.y_A:.0f}, {one.x_A:.0f}) Å{at_edge}"
    if len(particles) > LISTED:
        yield f"    and {len(particles) - LISTED} smaller ones, see the table"


def notes(made: SegmentationResult) -> Iterator[str]:
    """Point out what asks for a closer look, without any label."""
    source, found = made.micrograph, made.particles
    if not 0 < found.covered < 1:
        yield f"{'nothing' if found.covered == 0 else 'everything'} is particle: so it is where a network sees nothing it knows."
    if source.pixel_size_A > made.pixel_size_A:
        yield (
            f"the image ends at {0.5 / source.pixel_size_A:.2f} 1/Å, the network's band at {0.5 / made.pixel_size_A:.2f} 1/Å: "
            "it was never trained on such smooth noise."
        )
    if made.tiles is not None and not made.tiles.exact:
        yield (
            "an output pixel of this network depends on the whole image, hence the result on the tiles, which are as "
            "large as the training images."
        )


def assessment_lines(judged: ConditionAssessment, user: TrainedNetwork) -> Iterator[str]:
    """Tell how far a condition lies from training, and what to expect."""
    far = judged.distance
    yield f"condition {far.condition.label}"
    yield from _distances(far, user)
    if judged.measured is None or judged.expected is None:
        yield "  F1 to expect: unknown, as no campaign in the results folder has measured this network"
        yield from (f"  note: {note}" for note in _dose(far))
        return
    measured, expected = judged.measured, judged.expected
    which = "this one among them:" if expected.measured else "nearest in σ:"
    yield f"  measured in campaign {measured.campaign} at {len(measured.points)} test conditions; {which}"
    several = measured.points.structure_set.nunique() > 1
    for one in expected.points.itertuples():
        where = f" [{one.structure_set}]" if several else ""
        domain = ", in-domain" if one.in_domain else ""
        yield f"    σ {one.sigma:.3f}  F1 {one.f1:.3f}  {one.label}{where}{domain}"
    yield (
        f"  F1 to expect: {expected.median:.2f} (median of these {len(expected.points)}), "
        f"range {expected.low:.2f} to {expected.high:.2f}"
    )
    yield from (f"  note: {note}" for note in warnings(expected, measured.points, far))


def _distances(far: DomainDistance, user: TrainedNetwork) -> Iterator[str]:
    low, high = far.trained_epsilon
    if far.in_domain:
        yield "  it is one of the training conditions"
    yield f"  shared transfer σ with training: {far.sigma:.3f} (largest over {len(user.training_domain.conditions)} conditions)"
    yield f"    nearest: {far.nearest.label}"
    trained = f"{low:.3f}" if high - low < 5e-4 else f"{low:.3f} to {high:.3f}"
    yield f"  transfer ε: {far.epsilon:.3f} (training: {trained})"
    yield f"  smallest |Δ defocus|: {far.defocus_A:g} Å; dose: {far.dose_ratio:.3g} times that of the nearest in dose"


def warnings(expected: ExpectedF1, points: pd.DataFrame, far: DomainDistance) -> Iterator[str]:
    """Say where the F1 to expect is not to be relied on."""
    if expected.measured:
        yield "this is what simulated images gave under that very condition."
        return
    if not expected.inside:
        yield (
            f"σ = {far.sigma:.3f} lies outside the measured {points.sigma.min():.3f} to {points.sigma.max():.3f}: "
            "nothing was measured there, and F1 may be anything."
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
    yield from _dose(far)


def _dose(far: DomainDistance) -> Iterator[str]:
    if not 0.5 <= far.dose_ratio <= 2:
        yield "σ does not know the dose, which differs from training by more than a factor of 2."


def how_to_state() -> str:
    """Say how to have a condition judged."""
    return f"How far are these images from the training conditions? State theirs: --condition '{EXAMPLE}'"
