"""For ever, a few times or never: how often a refused job is submitted again."""

from hrtem_ood.execution import patience
from hrtem_ood.execution.patience import UNKNOWN_TRIES, NeverStarting, Patience
from hrtem_ood.execution.slurm_refusals import Refusal

TEMPORARY, PERMANENT, UNKNOWN = (Refusal(verdict, "words") for verdict in ("temporary", "permanent", "unknown"))


def test_pauses_double_up_to_the_longest_and_start_anew():
    each = Patience(first_s=10, longest_s=60)
    assert [each.pause_s(TEMPORARY) for _ in range(5)] == [10, 20, 40, 60, 60]
    assert [each.pause_s(TEMPORARY) for _ in range(2000)][-1] == 60, "a limit may last for days"
    each.reset()
    assert each.pause_s(TEMPORARY) == 10


def test_in_vain():
    assert Patience().pause_s(PERMANENT) is None
    each = Patience()
    pauses = [each.pause_s(UNKNOWN) for _ in range(UNKNOWN_TRIES)]
    assert None not in pauses[:-1]
    assert pauses[-1] is None


def test_a_job_never_starts_when_it_has_said_so_for_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    watch = NeverStarting(confirm_s=20)
    reasons = {"1": "PartitionTimeLimit", "2": "Resources", "3": "BadConstraints"}
    assert not watch.update(reasons)
    now[0] = 10.0
    assert not watch.update(reasons | {"3": "Priority"})
    now[0] = 25.0
    assert list(watch.update(reasons)) == ["1"], "3 starts to count anew"
