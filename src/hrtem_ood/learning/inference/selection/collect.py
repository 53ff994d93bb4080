"""Evidence on networks and images, collected image by image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.array_module import Device
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.inference.run_record import FailedFile
from hrtem_ood.learning.inference.score_micrographs import NetworkFile
from hrtem_ood.learning.inference.segment_micrographs import refusal
from hrtem_ood.learning.inference.selection.domain_match import ImageCondition, image_condition
from hrtem_ood.learning.inference.selection.evidence import EVIDENCE, View, gather_evidence, recipe, view
from hrtem_ood.learning.repair import repair_image

CROP_PX = 256
"""Side of the middle of an image that is used, on the coarser of its own and the networks' pixels."""

MEAN = "mean"
"""In the place of a network's id: the mean probability of several."""


@dataclass(frozen=True)
class Prepared:
    """The middle of a micrograph, repaired.

    Attributes
    ----------
    micrograph : Micrograph
    dead : bool array, (y, x), or None
        Pixels without information.
    condition : ImageCondition
    """

    micrograph: Micrograph
    dead: NDArray[np.bool_] | None
    condition: ImageCondition


def prepare(micrograph: Micrograph, networks: Sequence[NetworkFile], *, repair: bool = True) -> Prepared:
    """Repair a micrograph as a whole, and take its middle, see :data:`CROP_PX`.

    Parameters
    ----------
    micrograph : Micrograph
    networks : sequence of NetworkFile
    repair : bool, optional

    Returns
    -------
    Prepared
    """
    repaired = repair_image(micrograph.image, zero=micrograph.zero) if repair else None
    image = micrograph.image if repaired is None else repaired.image
    coarsest_A = max(micrograph.pixel_size_A, *(each.trained.training_domain.pixel_size_A for each in networks))
    side = math.ceil(CROP_PX * coarsest_A / micrograph.pixel_size_A)
    starts = [max(0, (length - side) // 2) for length in image.shape]
    middle = tuple(slice(start, start + side) for start in starts)
    dead = None if repaired is None else repaired.dead[middle]
    cut = replace(micrograph, image=np.ascontiguousarray(image[middle]))
    energy_eV = networks[0].trained.training_domain.energy_eV
    return Prepared(cut, dead, image_condition(cut, dead, energy_eV=energy_eV))


@dataclass
class _Image:
    """What is kept of an image for an ensemble.

    Attributes
    ----------
    prepared : Prepared
    networks : list of int
        Numbers of those that took it.
    probabilities : uint8 array, (network, pixel), [1/255]
    """

    prepared: Prepared
    networks: list[int]
    probabilities: NDArray[np.uint8]


@dataclass
class Collected:
    """Evidence on networks and images.

    Attributes
    ----------
    networks : sequence of NetworkFile
    device : {"auto", "cpu", "gpu"}
    rows : list of pandas.DataFrame
        Of each image, one row per network that takes it.
    problems : list of FailedFile
    """

    networks: Sequence[NetworkFile]
    device: Device
    rows: list[pd.DataFrame] = field(default_factory=list)
    problems: list[FailedFile] = field(default_factory=list)
    _images: list[_Image] = field(default_factory=list)

    def add(self, prepared: Prepared) -> None:
        """Gather the evidence of an image; networks that do not take it are noted."""
        micrograph = prepared.micrograph
        views: dict[int, View] = {}
        for number, (_, trained) in enumerate(self.networks):
            shape = (micrograph.image.shape[0], micrograph.image.shape[1])
            why = refusal(shape, micrograph.pixel_size_A, trained)
            if why is not None:
                self.problems.append(FailedFile(micrograph.path, f"network {trained.id}: {micrograph.name} {why}"))
                continue
            found = view([trained], micrograph, prepared.dead, prepared.condition, device=self.device)
            if not np.isfinite(found.probability).all():
                reason = f"network {trained.id} gives no number for pixels of {micrograph.name}."
                self.problems.append(FailedFile(micrograph.path, reason))
                continue
            views[number] = found
        if views:
            trained_networks = [self.networks[number].trained for number in views]
            evidence = gather_evidence(list(views.values()), [recipe(each) for each in trained_networks])
            evidence.insert(0, "network", [each.id for each in trained_networks])
            evidence.insert(1, "micrograph", micrograph.name)
            evidence.insert(2, "micrograph_file", str(micrograph.path))
            evidence.insert(3, "pool", len(self.rows))
            self.rows.append(evidence)
            kept = np.stack([np.rint(255 * each.probability).astype(np.uint8) for each in views.values()])
            self._images.append(_Image(prepared, list(views), kept))

    def of_mean(self, members: Sequence[str]) -> pd.DataFrame:
        """Gather the evidence on the mean probability of some networks, beside that of all networks that saw the image.

        Parameters
        ----------
        members : sequence of str
            Ids.

        Returns
        -------
        pandas.DataFrame
            As in ``rows``, and of each image that all members take a last row of the mean, whose ``network`` is
            :data:`MEAN`.
        """
        numbers = [number for number, each in enumerate(self.networks) if each.trained.id in members]
        trained = [self.networks[number].trained for number in numbers]
        tables = [pd.DataFrame(columns=["network", "pool", *EVIDENCE])]
        for row, image in zip(self.rows, self._images, strict=True):
            if set(numbers) <= set(image.networks):
                given = image.prepared
                mean = view(trained, given.micrograph, given.dead, given.condition, device=self.device)
                others = [View(each / np.float32(255), mean.consistency, mean.match) for each in image.probabilities]
                evidence = gather_evidence([*others, mean], [*map(str, image.networks), MEAN]).tail(1)
                tables += [row, evidence.assign(network=MEAN, pool=row.pool.iloc[0])]
        return pd.concat(tables[min(1, len(tables) - 1) :], ignore_index=True)
