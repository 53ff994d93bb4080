"""Trust in a network on an image of unknown condition: what the image rules out, and what is told where it tells nothing."""

import numpy as np
import pandas as pd
import pytest
from tests.unit.learning.inference.test_image_estimates import estimates

from hrtem_ood.cli.render.image_estimates import trust_lines
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference.image_estimates.quantities import Estimate
from hrtem_ood.learning.inference.image_trust import assess_image
from hrtem_ood.learning.inference.measured_f1 import MeasuredPerformance
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.parameters import Transfer

SINGLE = TrainingDomain(((Condition(defocus_A=0, dose_e_per_A2=400), 10),), 300e3, 0.4, 64)
DEFOCI_A, DOSES = np.array([-200.0, 0, 200, 0]), np.array([400.0, 400, 400, 50])
F1 = np.array([0.3, 0.93, 0.4, 0.2])


def measured(**more):
    table = pd.DataFrame({"label": [f"c{n}" for n in range(4)], "structure_set": "s", "sigma": 0.5, "f1": F1,
                          "in_domain": F1 > 0.9, "defocus_A": DEFOCI_A, "dose_e_per_A2": DOSES})  # fmt: skip
    return MeasuredPerformance("study", None, Transfer(), table, **more)


def lines(seen, performance):
    return "\n".join(trust_lines(assess_image(seen, SINGLE, performance)))


@pytest.mark.parametrize(
    ("seen", "possible"),
    [
        ({}, [0, 1, 2, 3]),
        ({"dose_e_per_A2": Estimate(390.0, 10.0)}, [0, 1, 2]),
        ({"dose_e_per_A2": Estimate(100.0, 1.0)}, [3]),
        ({"dose_e_per_A2": Estimate(141.0, 100.0)}, [0, 1, 2, 3]),
        # of the film, which lies below the particles: within 75 Å; the sign is not told
        ({"defocus_A": Estimate(150.0, 5.0)}, [0, 2]),
        ({"defocus_A": Estimate(40.0, 5.0), "dose_e_per_A2": Estimate(390.0, 10.0)}, [1]),
        ({"defocus_A": Estimate(600.0, 5.0)}, []),
    ],
)
def test_what_an_image_rules_out_does_not_count(seen, possible):
    found = assess_image(estimates(**seen), SINGLE, measured())
    assert list(found.possible.label) == [f"c{n}" for n in possible]


def test_a_single_defocus_network_is_not_told_its_best_score():
    """The image tells no defocus: then the range covers all foci that were measured."""
    text = lines(estimates(dose_e_per_A2=Estimate(390.0, 10.0)), measured())
    assert (
        "expected F1: 0.40, range 0.30 to 0.93: measured with this network on simulated images, median of the 3 of"
        in text
    )
    assert "|Δf|: cannot tell whether it is as in training (0 Å)" in text
    assert "dose 390 ± 10 e/Å², as in training (400 e/Å²)" in text


def test_an_image_that_tells_nothing_gets_the_range_of_all():
    text = lines(estimates(), measured())
    assert "expected F1: 0.35, range 0.20 to 0.93: measured with this network" in text
    assert "median of all 4 measured conditions, as the image tells neither" in text


def test_an_image_unlike_the_training_is_told():
    text = lines(estimates(dose_e_per_A2=Estimate(50.0, 1.0), defocus_A=Estimate(600.0, 5.0)), measured())
    assert text.count("not as in training") == 2
    assert text.count("never saw such images") == 2
    assert "expected F1: unknown, as the image rules out all 4 measured conditions" in text


def test_without_a_campaign_nothing_is_expected():
    assert "expected F1: unknown, as no campaign" in lines(estimates(), None)


def test_scores_on_labelled_micrographs_are_told():
    text = lines(estimates(), measured(micrographs={"mine": 0.72}))
    assert "F1 on labelled micrographs, mine of campaign study: 0.72" in text
