"""Refusals in what Snakemake prints, with the executor plugin for SLURM 2.8."""

from hrtem_ood.execution.snakemake_output import SubmissionLog

ACCEPTED = "Job 4 has been submitted with SLURM jobid 12 (log: /data/results/logs/slurm/rule_{rule}/id-1/12.log)."
REFUSED = """[Fri Nov 27 17:35:25 2026]
Error in rule {rule}:
    message: SLURM sbatch failed. The error message was 'sbatch: error: {first}
sbatch: error: Batch job submission failed: {second}'.
    sbatch call:
        sbatch --parsable --job-name tiny-03b9c7344c_43bf3987 --export=ALL --comment rule_{rule}{id} -p nosuch --wrap="..."
For further error details see the cluster/cloud log and the log files of the involved rule(s).
    jobid: 1
    shell:
        trap '' USR1 USR2; exec python -m hrtem_ood stage {rule}
Trying to restart job 1."""
ACCOUNT = """[Fri Nov 27 17:35:25 2026]
Error in rule train:
    message: Job submission failed with exception: The given account nosuch appears to be invalid. Available accounts:
tests
"""
FULL = {"first": "QOSMaxSubmitJobPerUserLimit", "second": "Job violates accounting/QOS policy (job submit limit, …)"}
LARGE = {
    "first": "Memory specification can not be satisfied",
    "second": "Requested node configuration is not available",
}


def read(log: SubmissionLog, text: str):
    return [each for line in text.splitlines() if (each := log.read(line)) is not None]


def test_a_refusal_with_its_rule():
    log = SubmissionLog()
    ((rule, refusal),) = read(log, REFUSED.format(rule="train", id="_wildcards_pack-1", **LARGE))
    assert (rule, refusal.verdict, refusal.keys) == ("train", "permanent", ("mem_mb",))
    assert refusal.words == f"{LARGE['first']}; {LARGE['second']}"
    assert log.refusals == [(rule, refusal)]
    assert not log.accepted


def test_rules_with_and_without_wildcards():
    for id_ in ("_wildcards_a_b-1", ""):
        ((rule, _),) = read(SubmissionLog(), REFUSED.format(rule="exit_waves", id=id_, **LARGE))
        assert rule == "exit_waves"


def test_what_is_accepted():
    log = SubmissionLog()
    assert not read(log, ACCEPTED.format(rule="exit_waves"))
    assert log.accepted == {"exit_waves"}


def test_an_account_that_the_plugin_does_not_find():
    ((rule, refusal),) = read(SubmissionLog(), ACCOUNT)
    assert (rule, refusal.verdict, refusal.keys) == ("train", "permanent", ("slurm_account",))


def test_a_job_that_waited_is_not_refused_for_good():
    """Each attempt asks for more: what is refused after a limit was met says nothing about the first request."""
    log = SubmissionLog()
    for words in (FULL, FULL, LARGE):
        read(log, REFUSED.format(rule="train", id="_wildcards_pack-1", **words))
    assert [refusal.verdict for _, refusal in log.refusals] == ["temporary"]
    read(log, REFUSED.format(rule="train", id="_wildcards_pack-2", **LARGE))
    assert [refusal.verdict for _, refusal in log.refusals] == ["temporary", "permanent"]
