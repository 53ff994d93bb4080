"""Training sets side by side: by hand, and resamples written out."""

import numpy as np
import pytest

from hrtem_ood.analysis.training_set_comparison import TrainingSetScores, compare_table, network_table
from hrtem_ood.artifacts.identity import seed_sequence


def one(name: str, score: list[list[float]], sign: int = 1) -> TrainingSetScores:
    networks = [f"{name}-{index}" for index in range(len(score))]
    conditions = ["under", "focus", "over"]
    seeds = list(range(len(score)))
    return TrainingSetScores(
        name, networks, seeds, 0, conditions, conditions, np.array(score).reshape(len(score), 3), sign
    )


def test_the_worst_score_is_the_largest_where_smaller_is_better() -> None:
    f1, entropy = one("f1", [[0.2, 0.5, 0.9]]), one("entropy", [[0.2, 0.5, 0.9]], sign=-1)
    assert (f1.worst[0], f1.worst_condition) == (0.2, ["under"])
    assert (entropy.worst[0], entropy.worst_condition) == (0.9, ["over"])
    table = network_table([f1, entropy])
    assert list(table.worst) == [0.2, 0.9]
    np.testing.assert_allclose(table["mean"], 1.6 / 3)


@pytest.mark.parametrize("sign", [1, -1])
def test_intervals_are_those_of_resamples_written_out(sign: int) -> None:
    rng = np.random.default_rng(1)
    first, other = (one(name, rng.uniform(size=(4, 3)).tolist(), sign) for name in ("first", "other"))
    found = compare_table([first, other], resamples=50, level=0.8).set_index("training_set").loc["other"]
    rng = np.random.default_rng(seed_sequence("comparison of other with first"))
    worst = np.min if sign == 1 else np.max
    drawn = []
    for _ in range(50):
        columns = np.repeat(np.arange(3), rng.multinomial(3, np.full(3, 1 / 3)))
        ends = []
        for each in (other, first):
            rows = np.repeat(np.arange(4), rng.multinomial(4, np.full(4, 1 / 4)))
            score = each.score[rows][:, columns]
            ends.append([score.mean(), np.mean([worst(row) for row in score])])
        drawn.append(np.subtract(*ends))
    expected = np.quantile(drawn, [0.1, 0.9], axis=0)
    np.testing.assert_allclose([found.mean_low, found.mean_high], expected[:, 0], atol=1e-12)
    np.testing.assert_allclose([found.worst_low, found.worst_high], expected[:, 1], atol=1e-12)
    assert found.mean_difference == pytest.approx(other.score.mean() - first.score.mean())


def test_a_training_set_whose_networks_all_diverged_has_no_scores() -> None:
    table = compare_table([one("lost", []), one("other", [[0.1, 0.2, 0.3]])], resamples=100, level=0.95)
    assert list(table.networks) == [0, 1]
    assert np.isnan(table["mean"][0])
    assert table["mean"][1] == pytest.approx(0.2)
    assert table.filter(regex="difference|low|high").isna().all(axis=None)
