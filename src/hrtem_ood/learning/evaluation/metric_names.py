"""The scores of an image's segmentation: names, units, and direction.

:mod:`hrtem_ood.learning.evaluation.metrics` computes them; this module is quick to import.
"""

from typing import NamedTuple


class Metric(NamedTuple):
    """Description of a score.

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


METRICS = {
    "cross_entropy": Metric("cross-entropy", "nat", "less"),
    "f1": Metric("F1", "1", "more"),
    "iou": Metric("IoU", "1", "more"),
    "precision": Metric("precision", "1", "more"),
    "recall": Metric("recall", "1", "more"),
    "calibration_error": Metric("expected calibration error", "1", "less"),
    "entropy": Metric("predictive entropy", "nat", None),
    "confidence": Metric("confidence", "1", None),
}
"""All scores, in the order in which they are stored."""
