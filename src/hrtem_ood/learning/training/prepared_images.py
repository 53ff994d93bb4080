"""Images that the networks of a pack share ready for their first layer."""

import torch

from hrtem_ood.learning.batches import Images, StandardisedImages

LARGEST = 2**27
"""Largest memory of standardised images that is kept for a pack [B]."""


class PreparedImages:
    """Keeps standardised images as long as the networks of a pack train; weights are the same, bit for bit, without."""

    def __init__(self) -> None:
        self._kept: list[tuple[Images, StandardisedImages]] = []

    def of(self, images: Images, device: torch.device) -> StandardisedImages | None:
        """Return standardised images, the same for the same images.

        Parameters
        ----------
        images : Images
        device : torch.device
            Of the training.

        Returns
        -------
        StandardisedImages or None
            None on a GPU, which standardises in passing, and where they would take too much memory, see :data:`LARGEST`.
        """
        for kept, standardised in self._kept:
            if kept is images:
                return standardised
        taken = sum(StandardisedImages.size_of(kept) for kept, _ in self._kept)
        if device.type != "cpu" or taken + StandardisedImages.size_of(images) > LARGEST:
            return None
        self._kept.append((images, StandardisedImages(images)))
        return self._kept[-1][1]
