"""Numbers that tell, without labels, how good the segmentations of an image are likely to be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from hrtem_ood.array_module import Device
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.inference.particles import threshold
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork, own_pixel_probability
from hrtem_ood.learning.inference.selection.consensus import agreement, weighted_consensus
from hrtem_ood.learning.inference.selection.domain_match import ImageCondition, defocus_gap, dose_gap
from hrtem_ood.learning.inference.selection.perturbations import PERTURBATIONS
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A

Floats = NDArray[np.float32]

CONSISTENCY = tuple(PERTURBATIONS)
"""Evidence from changes of the image: agreement of the masks before and after each."""

MATCH = ("shift", "dose_gap", "defocus_gap", "log_cnr")
"""Evidence from what the image tells of its condition, and from that of training."""

EVIDENCE = (
    *CONSISTENCY, "consensus", "peers", "twins", "self_dice", "particle_sure", "background_sure", "covered", *MATCH,
)  # fmt: skip
"""Evidence on a network and an image, in the order of tables, see :func:`image_evidence`."""


@dataclass(frozen=True)
class View:
    """What a network makes of an image.

    Attributes
    ----------
    probability : float32 array, (pixel,), [1]
        Of particle.
    consistency : dict of str to float, [1]
        Agreement of the masks of the image and of each changed image, see :data:`CONSISTENCY`.
    match : dict of str to float
        :data:`MATCH`.
    """

    probability: Floats
    consistency: dict[str, float]
    match: dict[str, float]


class NormShift:
    """How far the statistics of an image, inside a network, lie from those of its training images.

    Batch norms keep mean μ and variance v of each channel over the training images. With μ′ and v′ over the pixels of an image,
    the shift is the mean over channels of (μ′ − μ)² / v + ln²(v′/v), and then the mean of its logarithm over layers. A shift of
    these statistics tells images that are not like those of training (S. Schneider et al., arXiv:2006.16971, who correct it).

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        Without batch norms, the shift is NaN.
    """

    def __init__(self, networks: Sequence[TrainedNetwork]) -> None:
        modules = (module for each in networks for module in each.network.modules())
        self._layers = [
            module for module in modules if isinstance(module, nn.BatchNorm2d) and module.running_var is not None
        ]
        self._shifts: list[float] = []
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "NormShift":
        self._handles = [layer.register_forward_pre_hook(self._record) for layer in self._layers]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _record(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        assert isinstance(layer, nn.BatchNorm2d)
        assert layer.running_mean is not None
        assert layer.running_var is not None
        usual, eps = layer.running_var, layer.eps
        shift = (mean - layer.running_mean) ** 2 / (usual + eps) + torch.log((variance + eps) / (usual + eps)) ** 2
        self._shifts.append(float(torch.log(shift.mean())))

    @property
    def value(self) -> float:
        """The shift; NaN where no layer was seen."""
        return float(np.mean(self._shifts)) if self._shifts else float("nan")


def recipe(network: TrainedNetwork) -> tuple[object, ...]:
    """Tell networks of one recipe, which differ in their seed only, from others."""
    domain = network.training_domain
    weights = sum(each.numel() for each in network.network.parameters())
    return (domain.conditions, domain.pixel_size_A, domain.side_px, type(network.network).__name__, weights)


def view(
    networks: Sequence[TrainedNetwork],
    micrograph: Micrograph,
    dead: NDArray[np.bool_] | None,
    condition: ImageCondition,
    *,
    device: Device,
) -> View:
    """Segment an image and its changes with a network, or with the mean probability of several.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
    micrograph : Micrograph
        Repaired, where it is to be.
    dead : bool array, (y, x), optional
        Pixels that are no particle.
    condition : ImageCondition
        Of the micrograph.
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    View
    """
    pixel_A, wavelength_A = micrograph.pixel_size_A, electron_wavelength_A(networks[0].training_domain.energy_eV)

    def mean(image: Floats) -> Floats:
        probabilities = [own_pixel_probability(each, image, pixel_A, device=device)[0] for each in networks]
        average: Floats = np.mean(probabilities, axis=0, dtype=np.float32)
        return average

    def flat(probability: Floats) -> Floats:
        return np.ascontiguousarray(probability if dead is None else np.where(dead, 0, probability), np.float32).ravel()

    with NormShift(networks) as shift:
        probability = flat(mean(micrograph.image))
    mask = _mask(probability)
    consistency = {
        name: float(agreement(mask, _mask(flat(each.undo(mean(each.change(micrograph.image, pixel_A, wavelength_A)))))))
        for name, each in PERTURBATIONS.items()
    }
    domains = [each.training_domain for each in networks]
    match = {
        "shift": shift.value,
        "dose_gap": min(dose_gap(condition, domain) for domain in domains),
        "defocus_gap": min(defocus_gap(condition, domain) for domain in domains),
        "log_cnr": condition.log_cnr,
    }
    return View(probability, consistency, match)


def _mask(probability: Floats) -> Floats:
    return threshold(probability).astype(np.float32)


def gather_evidence(views: Sequence[View], recipes: Sequence[object]) -> pd.DataFrame:
    """Compute the evidence on each of some networks for one image.

    Parameters
    ----------
    views : sequence of View
        Of each network, of the same image.
    recipes : sequence
        Of each network, what equals for those that differ in their seed only.

    Returns
    -------
    pandas.DataFrame
        One row per network in their order, with :data:`EVIDENCE`, all [1]. Agreement is the lower Dice coefficient of particles
        and of background, see :func:`hrtem_ood.learning.inference.selection.consensus.agreement`:

        - one column per change of the image, see
          :data:`hrtem_ood.learning.inference.selection.perturbations.PERTURBATIONS`: agreement of the masks before and after.
          That segmentations which change little are good ones is the idea of J. Talks et al., arXiv:2503.00450.
        - ``consensus``: agreement with the weighted consensus of all networks, see
          :func:`hrtem_ood.learning.inference.selection.consensus.weighted_consensus`.
        - ``peers``: mean agreement with the third of the other networks that agree most with it; NaN without others.
        - ``twins``: mean agreement with networks that differ in the seed only; NaN without any.
        - ``self_dice``: agreement of its own probability and mask, the Dice to expect if the probability is calibrated (cf. Z. Li
          et al., arXiv:2207.09957, who calibrate per class; here the fit of the estimator does, with the next two).
        - ``particle_sure``, ``background_sure``: mean probability of the class that was chosen, over the pixels of each class;
          NaN where there are none.
        - ``covered``: share of the mask.
        - ``shift``: see :class:`NormShift`.
        - ``dose_gap`` and ``defocus_gap`` [Å]: distance of the dose and of the film's |Δf|, as the image tells them, from the
          nearest training condition; ``log_cnr``: how well particles stand out. See
          :class:`hrtem_ood.learning.inference.selection.domain_match.ImageCondition`; NaN where the image does not tell.
    """
    probability = np.stack([each.probability for each in views])
    mask = _mask(probability)
    table = pd.DataFrame([each.consistency for each in views])
    pairs = pairwise_agreement(mask)
    area, outside = mask.sum(axis=1), (1 - mask).sum(axis=1)
    with np.errstate(invalid="ignore"):  # no pixels of a class
        table["particle_sure"] = (probability * mask).sum(axis=1) / area
        table["background_sure"] = ((1 - probability) * (1 - mask)).sum(axis=1) / outside
    table["consensus"] = weighted_consensus(mask, probability)[1] if len(views) > 1 else np.nan
    table["peers"] = [_peers(np.delete(row, place)) for place, row in enumerate(pairs)]
    table["twins"] = [_twins(row, recipes, place) for place, row in enumerate(pairs)]
    table["self_dice"] = agreement(mask, probability)
    table["covered"] = mask.mean(axis=1)
    for name in MATCH:
        table[name] = [each.match[name] for each in views]
    return table[list(EVIDENCE)].astype(np.float64)


def pairwise_agreement(masks: Floats) -> Floats:
    """Return the agreement of all pairs of masks, (network, network), see :func:`agreement`."""
    return np.stack([agreement(each[None], masks) for each in masks])


def _peers(others: Floats) -> float:
    return float(np.sort(others)[-max(1, len(others) // 3) :].mean()) if len(others) else float("nan")


def _twins(row: Floats, recipes: Sequence[object], place: int) -> float:
    same = [float(value) for other, value in enumerate(row) if other != place and recipes[other] == recipes[place]]
    return float(np.mean(same)) if same else float("nan")
