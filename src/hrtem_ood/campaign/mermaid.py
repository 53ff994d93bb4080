"""A campaign drawn as a graph of its stages: how many artifacts each creates, and how many each reads."""

from collections import Counter

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.stage_table import JOB_STAGES, Stage, stages_of


def mermaid_graph(campaign: Campaign) -> str:
    """Draw a campaign as a Mermaid flow chart.

    Parameters
    ----------
    campaign : Campaign

    Returns
    -------
    str
        One node per stage: the rule, how many artifacts it creates in as many jobs, and how much they hold. On every
        arrow, how many artifacts of one stage the jobs of the other read in all.
    """
    names = stages_of(campaign)
    nodes = [f'    {name}["{_label(JOB_STAGES[name], campaign)}"]' for name in names]
    reads = Counter(
        (artifact.stage, name)
        for name, stage in JOB_STAGES.items()
        for id_ in stage.ids(campaign)
        for artifact in dag.job_inputs(campaign, name, id_)
    )
    arrows = [f"    {source} -->|{count:,}| {reader}" for (source, reader), count in reads.items()]
    return "\n".join(["flowchart LR", *nodes, *arrows]) + "\n"


def _label(stage: Stage, campaign: Campaign) -> str:
    count = len(stage.ids(campaign))
    label = f"<b>{stage.rule}</b><br/>{count:,} {stage.singular if count == 1 else stage.plural}"
    if stage.contents is None:
        return label
    return f"{label}<br/>{stage.contents.count(campaign):,} {stage.contents.noun}"
