# Loads the campaign and gives the rules their words. Nothing here writes, and nothing here imports torch or abTEM.
#
# An artefact's name says what is in it, so its age says nothing: inputs are ancient(), and of the rerun triggers only
# "params" counts, for the few outputs whose names stay the same (see profiles/default). A parameter function that takes
# `input` or `output` is not tracked by Snakemake; such ones carry what a job needs but what does not change its output.
import shlex
import sys
from pathlib import Path

from hrtem_ood.campaign.campaign import SUFFIX, artefact
from hrtem_ood.campaign.load import load_campaign, read_yaml
from hrtem_ood.errors import ConfigError
from snakemake.exceptions import WorkflowError

RESULTS = "results"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
CLI = f"{shlex.quote(sys.executable)} -m hrtem_ood"

try:
    for file in workflow.configfiles:
        read_yaml(Path(file))  # Snakemake has merged them already, but does not see a key that is there twice
    campaign = load_campaign(config)
except ConfigError as error:
    print(f"hrtem-ood: {error}", file=sys.stderr)
    sys.exit(2)

DEVICE = campaign.config.execution.device


def path(stage, spec_id):
    """Path of an artefact."""
    return f"{RESULTS}/{artefact(stage, spec_id)}"


def paths(stage, spec_ids):
    """Paths of artefacts, whose age does not matter."""
    return [ancient(path(stage, spec_id)) for spec_id in spec_ids]


def pattern(stage):
    """Output pattern of a stage."""
    return f"{RESULTS}/{stage}/{{id}}{SUFFIX[stage]}"


def wanted(table, spec_id):
    """Look an id up among what the campaign asks for."""
    try:
        return table[spec_id]
    except KeyError:
        raise WorkflowError(
            f"{spec_id}: campaign {campaign.name} asks for no such artefact; see index.csv for those it asks for."
        )


wildcard_constraints:
    id=r"[A-Za-z0-9._+-]+",
