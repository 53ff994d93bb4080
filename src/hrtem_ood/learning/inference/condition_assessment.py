"""How far a network can be trusted under a stated condition, told and drawn."""

from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.learning.inference.condition_forecast import forecast_condition
from hrtem_ood.learning.inference.domain_distance import ConditionAssessment, assess_distance
from hrtem_ood.learning.inference.figures import draw_assessment
from hrtem_ood.learning.inference.measured_f1 import expected_f1, find_measured
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.parameters import Transfer

ASSESSMENT_FILE = "trust.png"
"""The picture of a stated condition."""


def assess_condition(
    network: TrainedNetwork, condition: Condition, results: Path, output: Path
) -> tuple[ConditionAssessment, Path]:
    """Tell how far a condition lies from training and what was measured there, and draw it.

    Parameters
    ----------
    network : TrainedNetwork
    condition : Condition
    results : Path
        The results folder, where campaigns' metrics are looked for.
    output : Path
        Folder.

    Returns
    -------
    ConditionAssessment
    Path
        Its picture, ``trust.png``.
    """
    measured = find_measured(results, network.id, network.sha256_of_weights)
    distance = assess_distance(condition, network.training_domain, measured.transfer if measured else Transfer())
    result = ConditionAssessment(
        distance,
        measured,
        expected_f1(measured.points, distance.sigma, condition) if measured else None,
        forecast_condition(condition, network.training_domain, results),
    )
    path = output / ASSESSMENT_FILE
    store.write_bytes(path, draw_assessment(result, network.id))
    return result, path
