"""The scores of an image's segmentation, by name: what they are called, their units, and which way is better.

How they are computed is told in :mod:`hrtem_ood.evaluation.scores`; this module is light to import.
"""

from typing import NamedTuple


class Score(NamedTuple):
    """What a score is.

    Attributes
    ----------
    long_name : str
    units : str
    better : {"less", "more", None}
        None where neither is better.
    """

    long_name: str
    units: str
    better: str | None


SCORES = {
    "cross_entropy": Score("cross-entropy", "nat", "less"),
    "f1": Score("F1", "1", "more"),
    "iou": Score("IoU", "1", "more"),
    "precision": Score("precision", "1", "more"),
    "recall": Score("recall", "1", "more"),
    "calibration_error": Score("expected calibration error", "1", "less"),
    "entropy": Score("predictive entropy", "nat", None),
    "confidence": Score("confidence", "1", None),
}
"""All scores, in the order in which they are stored."""
