# Loads the campaign, and defines the functions that the rules use. Nothing here imports torch or abTEM, and parsing
# writes nothing.
#
# An artifact's id determines its content. An existing artifact is never created again, whatever its age and even if its
# inputs are missing; a missing artifact is created. So the inputs of a rule are those of hrtem_ood.campaign.dag, and none
# if the output exists. They are computed when the DAG is built, not when the workflow is parsed, because every job on a
# cluster parses it again.
import gc
import inspect
import json
import shlex
import sys
from functools import cache
from pathlib import Path

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.load import load_campaign, read_yaml
from hrtem_ood.campaign.report_files import CAPTION, figure_of_file
from hrtem_ood.campaign.stage_table import JOB_STAGES, STAGES
from hrtem_ood.execution.gpu_slots import can_use_gpu, slot_count
from hrtem_ood.execution.signals import SNAKEMAKE, forward_signals
from hrtem_ood.execution.slurm_client import slurm_available
from hrtem_ood.errors import HrtemOodError, printable
from hrtem_ood.artifacts.store import write_if_different
from snakemake.exceptions import WorkflowError

# All objects of Snakemake's graph of jobs are alive; frequent garbage collection costs a quarter of a dry run.
gc.set_threshold(1_000_000, 50, 100)

RESULTS = "results"
TASK_RULES = ("train", "evaluate")

try:
    for file in workflow.configfiles:
        read_yaml(Path(file))  # Snakemake has merged them, but does not detect duplicate keys
    campaign = load_campaign(config)
    exists = dag.existence_check(Path(RESULTS), campaign)
except HrtemOodError as error:
    print(f"hrtem-ood: {printable(str(error))}", file=sys.stderr)
    sys.exit(2)

CONFIG = f"{RESULTS}/{STAGES['configs'].path(campaign.config_id)}"
# SIGUSR2 is a warning before the time limit; SIGTERM ends a job. Training has handlers for both. Other stages ignore the
# warning (trap). With exec, no shell runs between Snakemake and the stage, which a signal could kill.
# A job watches over Snakemake, the parent of its shell, because a killed one cannot end it.
# Braces in a path must not become wildcards. PYTHONUTF8 lets all packages read files as UTF-8 in any locale.
PYTHON = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")
CLI = f"trap '' USR1 USR2; export PYTHONUTF8=1 {SNAKEMAKE}=$PPID; exec {PYTHON} -m hrtem_ood stage"
WHERE = f"{{wildcards.id}} --config {CONFIG} --results {RESULTS} > {{log}} 2>&1"

if workflow.remote_exec:
    forward_signals()
elif "gpu" not in workflow.global_resources and slot_count(campaign.config.execution):
    # `--resources gpu=N` or a profile may set fewer. Without GPUs no job requests one, see gpu_of.
    workflow.register_resource("gpu", slot_count(campaign.config.execution))


onstart:
    # Jobs read this copy: command lines stay short, and editing a configuration during a run does not affect its jobs. A
    # file of that name with other content is replaced.
    write_if_different(Path(CONFIG), campaign.config_json)


def output_of(stage):
    """Output pattern of a stage."""
    return f"{RESULTS}/{STAGES[stage].path('{id}')}"


def log_of(stage):
    """Log of a job."""
    return f"{RESULTS}/logs/{stage}/{{id}}.log"


def benchmark_of(stage):
    """File with the time and memory of a job."""
    return f"{RESULTS}/benchmarks/{stage}/{{id}}.tsv"


def of_wildcards(function):
    """Tell Snakemake the parameters of a function, which it asks for at every call, without the cost of finding them out."""
    function.__signature__ = inspect.Signature([inspect.Parameter("wildcards", inspect.Parameter.POSITIONAL_OR_KEYWORD)])
    return function


def paths(artifacts, whole=False):
    """Paths of artifacts, as inputs whose age does not matter; of a report, all files only if it is `whole`."""
    if whole:
        return [ancient(f"{RESULTS}/{path}") for each in artifacts for path in dag.job_outputs(*each, campaign)]
    return [first_path(*each) for each in artifacts]


@cache
def first_path(stage, id_):
    """Path of the first file of an artifact, as an input whose age does not matter; many jobs read the same artifact."""
    return ancient(f"{RESULTS}/{dag.job_outputs(stage, id_, campaign)[0]}")


def forced():
    """Whether existing artifacts are created again (--forceall, --forcerun, --force), so that they need their inputs."""
    settings = workflow.dag_settings  # not set yet while the workflow is parsed
    return bool(settings.forceall or settings.forcerun or settings.forcetargets)


def inputs_of(stage):
    """Input function of a stage: what a job reads; nothing where its output exists."""

    @of_wildcards
    def of(wildcards):
        try:
            needed = dag.job_inputs(campaign, stage, wildcards.id)
        except KeyError:
            raise WorkflowError(
                f"{wildcards.id}: campaign {campaign.name} has no {stage} of that id; "
                "the newest file in results/indexes lists all ids."
            )
        return paths(needed) if forced() or not exists(stage, wildcards.id) else []

    return of


def captioned(path):
    """Output of a report; a figure is part of `snakemake --report`, with the caption that is beside it."""
    figure = figure_of_file(path)
    if figure is None:
        return path
    caption = Path(path.replace("{id}", campaign.report_id)).with_suffix(f".{CAPTION}").absolute()
    return report(path, caption=str(caption), category=figure.section, labels={"figure": figure.title})


HERE = workflow.local_exec and not workflow.remote_exec
# A job whose networks are processes of this machine has the machine for itself: several such jobs would each fill it.
TASKS_HERE = campaign.config.execution.network_jobs == "individual" and HERE and not slurm_available()


@cache
def gpus_of(rule):
    """Slots of GPUs that a job of a rule takes of this machine: 1 or, for its tasks, all; 0 where it cannot use any, or where
    SLURM gives it one (gres)."""
    if not HERE or not can_use_gpu(rule, campaign.config.execution.device):
        return 0
    return workflow.global_resources["gpu"].value if TASKS_HERE and rule in TASK_RULES else 1


def cores_of_tasks():
    """Cores of a job that trains or tests networks: 1 or, for its tasks, all."""
    return workflow.cores or 1 if TASKS_HERE else 1


def gpu_of(rule):
    """The same as a function of wildcards, called when the DAG is built, not when the workflow is parsed."""
    return of_wildcards(lambda wildcards: gpus_of(rule))


def resources_json(resources, threads):
    """Resources that a profile gives to a job, as JSON."""
    given = {name: value for name, value in resources.items() if isinstance(value, int | str)}
    return json.dumps(given | {"threads": threads}, sort_keys=True)


# Only tasks of single networks need the resources; to write them for every job takes a fifth of a dry run.
if campaign.config.execution.network_jobs == "individual":
    TASK_RESOURCES = lambda wildcards, resources, threads: resources_json(resources, threads)
else:
    TASK_RESOURCES = "{}"


def all_of(stage):
    """Input function of all artifacts of a stage."""
    return lambda wildcards: paths((stage, id_) for id_ in dag.artifact_ids(campaign, stage))


wildcard_constraints:
    id=r"[A-Za-z0-9._+-]+",
