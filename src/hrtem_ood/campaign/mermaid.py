"""A campaign drawn as a graph of its stages: how many artifacts each makes, and how many each reads."""

from collections import Counter

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign

WORDS = {
    "structures": ("structure shard", "structure shards"),
    "exit_waves": ("exit-wave shard", "exit-wave shards"),
    "datasets": ("dataset", "datasets"),
    "packs": ("pack", "packs"),
    "suites": ("suite", "suites"),
    "evaluations": ("evaluation", "evaluations"),
    "transfer": ("transfer store", "transfer stores"),
    "predictors": ("predictors store", "predictors stores"),
    "metrics": ("metrics store", "metrics stores"),
    "reports": ("report", "reports"),
    "indexes": ("list of artifacts", "lists of artifacts"),
}


def mermaid_graph(campaign: Campaign) -> str:
    """Draw a campaign as a Mermaid flow chart.

    Parameters
    ----------
    campaign : Campaign

    Returns
    -------
    str
        One node per stage: the rule, how many artifacts it makes in as many jobs, and how much is in them. On every
        arrow, how many artifacts of the one stage the jobs of the other read in all.
    """
    config = campaign.config
    structures = sum(config.structure_sets[name].n_structures for name in campaign.used_structure_sets)
    images = sum(dataset.n_structures for dataset in campaign.datasets.values())
    scores = sum(len(job.networks) * _images(campaign, job.suite.datasets) for job in campaign.evaluations.values())
    inside = {
        "structures": f"{structures:,} structures",
        "exit_waves": f"{structures * config.simulation.n_frozen_phonons:,} exit waves",
        "datasets": f"{images:,} images",
        "packs": f"{len(campaign.networks):,} networks",
        "evaluations": f"{scores:,} images scored",
        "transfer": f"{len(campaign.transfer.conditions):,} conditions",
    }
    lines = ["flowchart LR"]
    for stage, (one, many) in WORDS.items():
        count = len(dag.artifact_ids(campaign, stage))
        text = f"<b>{dag.RULES[stage]}</b><br/>{count:,} {one if count == 1 else many}"
        lines.append(f'    {stage}["{text}{"<br/>" + inside[stage] if stage in inside else ""}"]')
    reads = Counter(
        (other, stage)
        for stage in dag.STAGES
        for id_ in dag.artifact_ids(campaign, stage)
        for other, _ in dag.job_inputs(campaign, stage, id_)
    )
    lines += [f"    {one} -->|{count:,}| {other}" for (one, other), count in reads.items()]
    return "\n".join(lines) + "\n"


def _images(campaign: Campaign, datasets: tuple[str, ...]) -> int:
    return sum(campaign.datasets[id_].n_structures for id_ in datasets)
