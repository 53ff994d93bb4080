"""A campaign on a SLURM cluster: what jobs ask for and get, tasks of their own, and the end by hand."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
import yaml
from tests import warm
from tests.cluster.campaign import ENVIRONMENT, OFTEN, PROFILE, Campaign, slurm, wait
from tests.cluster.conftest import ARRAY, Row

from hrtem_ood.execution.slurm_queue import cancel_campaign, prefix


def gpus_of(network: str, folder: Path) -> set[str]:
    """CUDA_VISIBLE_DEVICES of the processes that train on the cluster, in one campaign's folder: others train it too."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
            environment = dict(
                word.split("=", 1) for word in (process / "environ").read_text().split("\0") if "=" in word
            )
            here = (process / "cwd").readlink()
        except OSError:
            continue
        if here == folder and network in words and "hrtem_ood" in words and "SLURM_JOB_ID" in environment:
            found.add(environment.get("CUDA_VISIBLE_DEVICES", "none"))
    return found


def gpus(campaign: Campaign) -> None:
    """The profile as it is: who works on a GPU is pinned to the one that it was given, and nobody else asks for one."""
    campaign.change({"execution": {"networks_per_job": 1}})
    packs, metrics = list(campaign.project.campaign().packs), campaign.project.campaign().metrics_id
    command = [warm.python(), "-m", "snakemake", f"results/metrics/{metrics}.zarr.zip"]
    command += ["--workflow-profile", str(PROFILE), *OFTEN]
    with (campaign.folder / "head.txt").open("w") as out:
        head = subprocess.Popen(command, cwd=campaign.folder, stdout=out, stderr=out, env=ENVIRONMENT)
    campaign.heads.append(head)
    given = [wait(lambda pack=pack: gpus_of(pack, campaign.folder), "a training") for pack in packs]
    assert sorted(map(sorted, given)) == [["0"], ["1"]], "two jobs on one node have a GPU each"
    campaign.end(head)
    lines = slurm("sacct", "--allocations", "--noheader", "--parsable2", "--format=JobID,AllocTRES").splitlines()
    resources = dict(line.split("|", 1) for line in lines)
    for line in campaign.out().splitlines():
        if "has been submitted with SLURM jobid" in line:
            rule = line.split("/rule_")[1].split("/")[0]
            job = line.split("SLURM jobid ")[1].split()[0]
            assert ("gres/gpu=1" in resources[job]) == (rule in ("train", "evaluate")), line
    campaign.check(resumed=False)


def shards(campaign: Campaign) -> None:
    """Where a site shares GPUs by shards, the profile's line for it gives every job one GPU, and part of its memory."""
    campaign.profile = profile_with(campaign, gres="'shard:1'")
    campaign.change({"execution": {"networks_per_job": 1, "jobs_per_gpu": 4}})
    packs = list(campaign.project.campaign().packs)
    head = campaign.submit()
    given = [wait(lambda pack=pack: gpus_of(pack, campaign.folder), "a training") for pack in packs]
    assert all(len(devices) == 1 and devices < {"0", "1", "2", "3"} for devices in given), given
    campaign.over(head)
    campaign.check(resumed=False)


def tasks(campaign: Campaign, id_: str) -> Counter[str]:
    """Tasks that a job was divided into, by the array's number."""
    paths = campaign.folder.glob(f"results/logs/tasks/{id_}/*_0_log.out")
    return Counter(path.name.split("_")[0] for path in paths)


def tasks_of_their_own(campaign: Campaign) -> None:
    """An array of single networks to train, of which one task is killed and started again, and one to score them."""
    campaign.change({"execution": {"network_jobs": "individual"}})
    head = campaign.start("train:runtime=10", "train:mem_mb=500", "evaluate:mem_mb=500", target="evaluations")
    networks = campaign.folder / "results/networks"
    wait(lambda: len(list(networks.glob("*.resume"))) == 2, "both networks in training")
    there = slurm("squeue", "--noheader", "--array", "--format=%i|%Z").splitlines()
    mine = sorted(task.split("|")[0] for task in there if Path(task.split("|")[1]) == campaign.folder)
    assert [task.partition("_")[2] for task in mine] == ["0", "1"], "an array, and no job that waits for it"
    slurm("scancel", mine[0])
    campaign.end(head)
    (evaluation,) = campaign.project.campaign().evaluations
    assert list(tasks(campaign, evaluation).values()) == [2]
    assert [path.name for path in (campaign.folder / "results/evaluations").iterdir()] == [f"{evaluation}.zarr.zip"]
    campaign.check()


def more_tasks_than_slurm_takes(campaign: Campaign) -> None:
    """Arrays are cut to MaxArraySize, and to what MaxSubmitJobs leaves."""
    slurm("sacctmgr", "--immediate", "add", "account", "few", "cluster=test")
    slurm("sacctmgr", "--immediate", "add", "user", "root", "account=few", "maxsubmitjobs=5")
    with pytest.raises(subprocess.CalledProcessError):
        slurm("sbatch", f"--array=0-{ARRAY}", "--output=/dev/null", "--wrap=true")
    short = {"unet": {"seed": list(range(8)), "epochs": 4}}
    campaign.change({"networks": short, "execution": {"network_jobs": "individual", "networks_per_job": 8}})
    (pack,) = campaign.project.campaign().packs
    head = campaign.start("train:runtime=10", "train:mem_mb=500", "train:slurm_account=few")
    campaign.end(head)
    campaign.trained_once()
    assert "SLURM accepts no more tasks" not in campaign.log(), "none is refused"
    found = tasks(campaign, pack)
    assert found.total() == 8, "none is started twice"
    assert max(found.values()) == ARRAY


def cancel(campaign: Campaign) -> None:
    head = campaign.submit()
    job = campaign.training()
    (told,) = (each for each in json.loads(campaign.hrtem_ood("status", "--json"))["jobs"] if each["stage"] == "head")
    assert told["state"] == "running"
    assert f"SLURM job {head}" in told["where"]
    assert (campaign.folder / told["log"]).exists()
    assert campaign.hrtem_ood("cancel") == "cancelled: 1 head, 1 jobs\n"
    for each in (head, job):
        campaign.over(each)
    campaign.no_jobs()
    assert "No job is running" in campaign.hrtem_ood("status")
    assert list((campaign.folder / "results/networks").glob("*.resume")), "what was reached is kept"


def profile_with(campaign: Campaign, **resources: str | int) -> Path:
    """Write a profile that asks for other resources for training."""
    profile = campaign.folder / "site"
    profile.mkdir(exist_ok=True)
    content = yaml.safe_load((PROFILE / "config.yaml").read_text())
    content["set-resources"]["train"] |= {"gres": "''"} | resources
    (profile / "config.yaml").write_text(yaml.safe_dump(content))
    return profile


def refused_for_good(campaign: Campaign) -> None:
    """What SLURM never takes ends at once, with its words and the key of the profile."""
    with pytest.raises(AssertionError, match=r"(?s)Invalid partition name.*--partition nosuch"):
        campaign.submit(partition="nosuch")
    words: dict[str, tuple[str | int, str]] = {
        "slurm_partition": ("nosuch", "Invalid partition name specified"),
        "mem_mb": (999000, "Memory specification can not be satisfied"),
        "slurm_account": ("nosuch", "account nosuch appears to be invalid"),
    }
    for key, (value, text) in words.items():
        campaign.profile = profile_with(campaign, **{key: value})
        head = campaign.submit()
        campaign.over(head)
        out = (campaign.folder / f"results/logs/head/{head}_0_log.out").read_text()
        assert f"set-resources.train.{key}: {value}" in out
        assert text in out
        assert "hrtem-ood: SLURM refuses jobs of this campaign" in out
        assert "Traceback" not in out.split("hrtem-ood: SLURM refuses")[1]
        campaign.no_jobs()


def never_starts(campaign: Campaign) -> None:
    """A job that SLURM takes but never starts is cancelled, and `status` tells of it before."""
    campaign.profile = profile_with(campaign, runtime=9999)
    head = campaign.submit()
    wait(lambda: "PartitionTimeLimit" in campaign.hrtem_ood("status"), "the reason in the status")
    campaign.over(head)
    out = (campaign.folder / f"results/logs/head/{head}_0_log.out").read_text()
    assert "set-resources.train.runtime: 9999" in out
    campaign.no_jobs()


def neighbours(campaign: Campaign) -> None:
    """Jobs of other campaigns in the same folder are left alone, however alike their names."""
    sleep = ("--parsable", "--output=/dev/null", "--wrap=sleep 300", f"--chdir={campaign.folder}")
    names = ["tiny", "tiny_b", "tiny.1", "tiny-1"]
    uuid = "123e4567-e89b-42d3-a456-426614174000"
    jobs = {
        name: slurm("sbatch", *sleep, f"--job-name={prefix(name, campaign.folder)}_{uuid}").strip() for name in names
    }
    elsewhere = slurm("sbatch", *sleep, f"--job-name={prefix('tiny', campaign.folder.parent)}_{uuid}").strip()
    assert len({slurm("squeue", "-h", "-j", job, "-o", "%j") for job in jobs.values()}) == len(names)
    cancel_campaign("tiny", campaign.folder)
    campaign.over(jobs.pop("tiny"))
    left = slurm("squeue", "--noheader", "--format=%A").split()
    assert {*jobs.values(), elsewhere} <= set(left)
    slurm("scancel", *jobs.values(), elsewhere)


SIDE_BY_SIDE: list[Row] = [
    gpus,
    shards,
    tasks_of_their_own,
    more_tasks_than_slurm_takes,
    cancel,
    refused_for_good,
    never_starts,
    neighbours,
]


@pytest.mark.parametrize("row", SIDE_BY_SIDE, ids=lambda row: row.__name__)
def test_side_by_side(running: dict[str, Future[None]], row: Row) -> None:
    running[row.__name__].result(900)


def test_no_accounting(new_campaign: Callable[[str], Campaign], without_accounting: None) -> None:  # noqa: ARG001
    """The same profile on a cluster that keeps no accounts, head included."""
    campaign = new_campaign("no-accounts")
    campaign.change({"networks": {"unet": {"seed": [0]}}})
    assert slurm("scontrol", "show", "config").count("accounting_storage/none") == 1
    head = campaign.submit()
    campaign.over(head)
    assert "1 of 2 steps" in campaign.out()
    campaign.check(resumed=False)
