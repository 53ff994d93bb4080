"""Labelled micrographs of a campaign: read from their files as the verb `score` does, and brought to the networks' pixel."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.label_pairs import LabelPair
from hrtem_ood.campaign.specs import LabelledSetSpec
from hrtem_ood.config.test_suites import LabelledFile
from hrtem_ood.errors import ArtifactError, ConfigError, HrtemOodError
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.inference.resample import interpolate, resample, resampled_side, same_pixel
from hrtem_ood.learning.inference.score_micrographs import MicrographScores, labelled_micrographs
from hrtem_ood.learning.inference.segment_micrographs import size_problem
from hrtem_ood.learning.repair import repair_image
from hrtem_ood.user_files import FileKind, content_sha256


@dataclass(frozen=True)
class LabelledMicrograph:
    """A labelled micrograph, ready for networks of one pixel.

    Attributes
    ----------
    name : str
        Of the micrograph.
    image : float32 array, (y, x)
        What networks see.
    label : bool array, (y', x')
        True on particles, on the micrograph's own pixels.
    dead : bool array, (y', x')
        Pixels without information, where nothing is segmented.
    pixel_size_A : float, [Å]
        Of the micrograph.
    network_pixel_size_A : float, [Å]
        Of ``image``; the micrograph's own where the two count as the same.
    """

    name: str
    image: NDArray[np.float32]
    label: NDArray[np.bool_]
    dead: NDArray[np.bool_]
    pixel_size_A: float
    network_pixel_size_A: float

    def on_own_pixels(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a segmentation of ``image`` to the pixels of the label.

        Parameters
        ----------
        probability : float32 array, (y, x), [1]
            Of the particle class.

        Returns
        -------
        float32 array, (y', x'), [1]
            0 where pixels are dead.
        """
        if self.network_pixel_size_A != self.pixel_size_A:
            probability = interpolate(probability, self.network_pixel_size_A, self.pixel_size_A, self.label.shape)
        return np.where(self.dead, np.float32(0), probability)


def read_labelled_set(spec: LabelledSetSpec) -> Iterator[LabelledMicrograph]:
    """Read, repair and resample labelled micrographs.

    Parameters
    ----------
    spec : LabelledSetSpec

    Yields
    ------
    LabelledMicrograph

    Raises
    ------
    ArtifactError
        Where a file is another than when the campaign was loaded, cannot be read, or a label does not fit.
    """
    for file in spec.files:
        for micrograph, label in _labelled(file, spec):
            yield _prepared(micrograph, label, spec)


def _labelled(file: LabelledFile, spec: LabelledSetSpec) -> Iterator[tuple[Micrograph, NDArray[np.bool_]]]:
    """Yield the micrographs of a file, with their labels, of which all fit."""
    pair = LabelPair(Path(file.micrographs), Path(file.labels))
    _check_digest(pair.micrographs, file.micrographs_sha256, "micrograph")
    _check_digest(pair.labels, file.labels_sha256, "label")
    found = MicrographScores()
    for micrograph, label in labelled_micrographs(pair, spec.pixel_size_A, found):
        problem = size_problem(label.mask.shape, micrograph.pixel_size_A, spec.network_pixel_size_A)
        if problem:
            raise ArtifactError(f"{micrograph.path}: {micrograph.name} {problem}")
        yield micrograph, label.mask
    if found.problems:
        raise ArtifactError("\n".join(problem.reason for problem in found.problems))


def _check_digest(path: Path, expected: str, kind: FileKind) -> None:
    try:
        digest = content_sha256(path, kind)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}).") from None
    if digest != expected:
        raise ArtifactError(
            f"{path} has changed since the campaign was started. Run snakemake again, which tests on what it holds now; or "
            "restore it."
        )


def _prepared(micrograph: Micrograph, label: NDArray[np.bool_], spec: LabelledSetSpec) -> LabelledMicrograph:
    own, new = micrograph.pixel_size_A, spec.network_pixel_size_A
    repaired = repair_image(micrograph.image, zero=micrograph.zero) if spec.repair else None
    image = micrograph.image if repaired is None else repaired.image
    dead = np.zeros(label.shape, np.bool_) if repaired is None else repaired.dead
    if same_pixel(own, new):
        return LabelledMicrograph(micrograph.name, image, label, dead, own, own)
    return LabelledMicrograph(micrograph.name, resample(image, own, new), label, dead, own, new)


def check_micrographs(campaign: Campaign, except_for: set[str] | frozenset[str] = frozenset()) -> None:
    """Read all labelled micrographs that a campaign names, and check their labels and sizes.

    Parameters
    ----------
    campaign : Campaign
    except_for : set of str, optional
        Ids of labelled sets that need no check, as they exist.

    Raises
    ------
    ConfigError
        Lists every mistake with its key and file.
    """
    problems = [
        f"test_suites.{name}: {problem}"
        for name, spec in campaign.labelled_set_of.items()
        if spec.id not in except_for
        for problem in _problems(spec, _least_side(campaign))
    ]
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))


def _problems(spec: LabelledSetSpec, least: int) -> Iterator[str]:
    """Yield what keeps a set from being tested on; files are checked one by one, so that all mistakes are named."""
    has_particle = False
    for file in spec.files:
        try:
            for micrograph, label in _labelled(file, spec):
                has_particle |= bool(label.any())
                own, new = micrograph.pixel_size_A, spec.network_pixel_size_A
                sides = [side if same_pixel(own, new) else resampled_side(side, own, new) for side in label.shape]
                if min(sides) < least:
                    yield (
                        f"{file.micrographs}: {micrograph.name} has {' × '.join(map(str, sides))} px of the networks' "
                        f"{new:g} Å, fewer than the {least} px each way that a network of the campaign needs. Leave it out."
                    )
        except HrtemOodError as error:
            has_particle = True  # it is not known
            yield str(error)
    if not has_particle:
        yield f"no label has a particle, as {spec.files[0].labels}: no F1 is defined. Add labels with particles."


def _least_side(campaign: Campaign) -> int:
    """Fewest pixels each way that all networks take, as far as their strides are known without their code."""
    strides = [network.hyperparameters.architecture.stride or 1 for network in campaign.networks.values()]
    return 2 * max(strides)
