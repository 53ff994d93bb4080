"""Descriptors of many mixtures at once: of choices of candidate training conditions, for conditions of use."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.errors import ArgumentError
from hrtem_ood.transfer.forecast.descriptors import NAMES, describe_pair, summarise
from hrtem_ood.transfer.predictors.inputs import Dataset

Floats = NDArray[np.float64]
Choices = NDArray[np.integer]


@dataclass(frozen=True)
class CandidateTable:
    """What the descriptors of mixtures are made of.

    Attributes
    ----------
    candidates : float64 array, (candidate, 4)
        ln CNR, texture accuracy in-domain, film to noise, and spectral centroid of each candidate; see
        :func:`hrtem_ood.transfer.forecast.descriptors.summarise`.
    targets : float64 array, (target, 4)
        Likewise.
    accuracy, divergence, snr_sigma, signed_sigma : float64 array, (candidate, target)
        Of each pair.
    """

    candidates: Floats
    targets: Floats
    accuracy: Floats
    divergence: Floats
    snr_sigma: Floats
    signed_sigma: Floats

    @classmethod
    def of(cls, candidates: Sequence[Dataset], targets: Sequence[Dataset]) -> "CandidateTable":
        """Compute the table of datasets."""
        pairs = np.array([[describe_pair(one, other) for other in targets] for one in candidates], float)
        ends = (np.array([summarise(each) for each in some]) for some in (candidates, targets))
        return cls(*ends, *np.moveaxis(pairs, 2, 0))

    def describe(self, choices: Choices, n_images: int) -> Floats:
        """Describe choices of candidates, each as a mixture in equal shares, under every target.

        Parameters
        ----------
        choices : int array, (choice, k)
            Candidates of each, each at most once: a condition that is named twice makes no mixture.
        n_images : int
            Of every mixture, in all.

        Returns
        -------
        float64 array, (choice, target, descriptor), [1]
            As :func:`hrtem_ood.transfer.forecast.descriptors.describe_all`.

        Raises
        ------
        ArgumentError
            Where a choice names a candidate twice.
        """
        number, size = choices.shape
        ordered = np.sort(choices, axis=1)
        if (twice := (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)).any():
            raise ArgumentError(
                f"choices: {tuple(choices[twice][0].tolist())} names a candidate twice; name each at most once."
            )
        own = self.targets[None]
        members = self.candidates[choices]  # (choice, member, 4)
        hull = np.clip(own, members.min(axis=1)[:, None], members.max(axis=1)[:, None])
        shape = (number, len(self.targets))
        change = np.broadcast_to(own[..., 0], shape) - hull[..., 0]
        values = {
            "train_log_cnr": hull[..., 0],
            "test_log_cnr": own[..., 0],
            "log_cnr_change": change,
            "log_cnr_distance": np.abs(change),
            "mixture_entropy": np.log(size),
            "log_n_images": np.log(n_images),
            "texture_accuracy": self.accuracy[choices].max(axis=1),
            "train_texture_accuracy": members[..., 1].mean(axis=1)[:, None],
            "test_texture_accuracy": own[..., 1],
            "train_film_to_noise": hull[..., 2],
            "test_film_to_noise": own[..., 2],
            "train_centroid": hull[..., 3],
            "test_centroid": own[..., 3],
            "texture_divergence": np.log1p(self.divergence[choices].min(axis=1)),
            "snr_sigma": self.snr_sigma[choices].max(axis=1),
            "signed_sigma": self.signed_sigma[choices].max(axis=1),
        }
        return np.stack([np.broadcast_to(values[name], shape) for name in NAMES], axis=-1)
