"""Whole answers of a real SLURM (22.05.8, with and without EnforcePartLimits and accounting), and what they mean."""

import pytest
import yaml

from hrtem_ood.execution.slurm_refusals import classify_message, classify_reason, explain

FAILED = "sbatch: error: Batch job submission failed: "
POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
BUSY = "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n"
NODES = f"{FAILED}Requested node configuration is not available"

ANSWERS = [
    # what was asked for, all that sbatch said, what it means, the likeliest key
    (
        "-p nosuch",
        f"sbatch: error: invalid partition specified: nosuch\n{FAILED}Invalid partition name specified",
        "permanent",
        "slurm_partition",
    ),
    (
        "-A nosuch",
        f"{FAILED}Invalid account or account/partition combination specified",
        "permanent",
        "slurm_account",
    ),
    ("--mem=300000", f"sbatch: error: Memory specification can not be satisfied\n{NODES}", "permanent", "mem_mb"),
    ("-p memcap --mem=2000", f"{FAILED}Memory required by task is not available", "permanent", "mem_mb"),
    ("-c 1000", f"{FAILED}More processors requested than permitted", "permanent", "threads"),
    ("-c abc", 'sbatch: error: Invalid numeric value "abc" for --cpus-per-task.', "permanent", "threads"),
    ("-N 40", f"{FAILED}Node count specification invalid", "permanent", "nodes"),
    ("--gres=gpu:9", NODES, "permanent", "gres"),
    ("--gres=tpu:1", "sbatch: error: Invalid generic resource (gres) specification", "permanent", "gres"),
    (
        "-t 99-0",
        f"{FAILED}Requested time limit is invalid (missing or exceeds some limit)",
        "permanent",
        "runtime",
    ),
    ("-t abc", "sbatch: error: Invalid --time specification", "permanent", "runtime"),
    ("--mem=abc", "sbatch: error: Invalid --mem specification", "permanent", "mem_mb"),
    ("-C a100", f"{FAILED}Invalid feature specification", "permanent", "constraint"),
    ("--qos=nosuch", f"{FAILED}Invalid qos specification", "permanent", "qos"),
    ("--reservation=nosuch", f"{FAILED}Requested reservation is invalid", "permanent", "slurm-reservation"),
    ("-w nosuch", f"{FAILED}Invalid node name specified", "permanent", "slurm_extra"),
    (
        "--nosuchoption",
        "sbatch: unrecognized option '--nosuchoption'\nTry \"sbatch --help\" for more information",
        "permanent",
        "slurm_extra",
    ),
    ("--licenses=foo:3", f"{FAILED}Invalid license specification", "permanent", "slurm_extra"),
    (
        "--qos=special -t 30",
        f"sbatch: error: QOSMaxWallDurationPerJobLimit\n{FAILED}{POLICY}",
        "permanent",
        "runtime",
    ),
    ("-A few, twice", f"sbatch: error: AssocMaxSubmitJobLimit\n{FAILED}{POLICY}", "temporary", None),
    ("--qos=submit1, twice", f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{FAILED}{POLICY}", "temporary", None),
    ("beyond MaxJobCount", f"{BUSY}{FAILED}Resource temporarily unavailable", "temporary", None),
    ("-p drain", f"{FAILED}Required partition not available (inactive or drain)", "temporary", None),
    ("no slurmctld", f"{FAILED}Unable to contact slurm controller (connect failure)", "temporary", None),
    ("a busy slurmctld", f"{FAILED}Socket timed out on send/recv operation", "temporary", None),
    ("a policy without a name", f"{FAILED}{POLICY}", "unknown", None),
    ("a plugin of the site", "sbatch: error: lua: please ask for a project\n", "unknown", None),
]


@pytest.mark.parametrize(("asked", "answer", "verdict", "key"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers_of_sbatch(asked, answer, verdict, key):
    refusal = classify_message(answer)
    assert (refusal.verdict, next(iter(refusal.keys), None)) == (verdict, key), asked
    assert "\n" not in refusal.words
    assert "sbatch:" not in refusal.words


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("Priority", None),
        ("Resources", None),
        ("Dependency", None),
        ("None", None),
        ("JobArrayTaskLimit", None),
        ("PartitionTimeLimit", "permanent"),
        ("PartitionNodeLimit", "permanent"),
        ("PartitionConfig", "permanent"),
        ("BadConstraints", "permanent"),
        ("InvalidQOS", "permanent"),
        ("QOSMaxWallDurationPerJobLimit", "permanent"),
        ("QOSMaxCpuPerUserLimit", "temporary"),
        ("AssocGrpCpuLimit", "temporary"),
        ("AssocMaxJobsLimit", "temporary"),
        ("PartitionDown", "temporary"),
        ("ReqNodeNotAvail, UnavailableNodes:n[1-2]", "temporary"),
    ],
)
def test_reasons_of_squeue(reason, verdict):
    refusal = classify_reason(reason)
    assert (refusal and refusal.verdict) == verdict


def test_the_key_that_counts_is_named_with_its_place(tmp_path):
    profile = {
        "default-resources": {"slurm_partition": "old", "mem_mb": "4000 * attempt"},
        "set-resources": {"train": {"gres": "'gpu:a100:9'", "mem_mb": 999000}},
        "set-threads": {"simulate": 900},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    refusal = classify_message(NODES)
    text = explain(refusal, tmp_path, "train")
    assert "SLURM's message: Requested node configuration is not available." in text
    assert "set-resources.train.gres: gpu:a100:9, set-resources.train.mem_mb: 999000" in text
    assert "default-resources.mem_mb: 4000 * attempt" in explain(refusal, tmp_path, "image")
    assert "set-threads.simulate: 900" in explain(refusal, tmp_path, "simulate")
    assert "Set runtime in" in explain(classify_message("Invalid --time specification"), tmp_path, "train")
    assert "gres: gpu:9" in explain(refusal, None, "train", {"gres": "gpu:9"})
