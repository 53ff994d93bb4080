"""The graph of a campaign's stages."""

import re

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.mermaid import mermaid_graph
from hrtem_ood.campaign.stage_table import JOB_STAGES, stages_of


def test_numbers_on_nodes_and_arrows(raw):
    campaign = load_campaign(raw)
    text = mermaid_graph(campaign)
    assert text.startswith("flowchart LR\n")
    assert "labelled_sets" not in text
    for stage in stages_of(campaign):
        (count,) = re.findall(rf'^    {stage}\["<b>{JOB_STAGES[stage].rule}</b><br/>([\d,]+) ', text, re.MULTILINE)
        assert int(count) == len(dag.artifact_ids(campaign, stage))
    assert "8 networks" in text  # 4 training sets, 2 seeds
    # 6 test structures under 4 conditions, 8 networks
    assert f"{6 * 4 * 8} images scored" in text
    arrows = {(one, other): int(count) for one, count, other in re.findall(r"(\w+) -->\|(\d+)\| (\w+)", text)}
    # 3 shards of the training set and 1 of the test set, under 4 conditions each
    assert arrows["exit_waves", "datasets"] == 4 * 3 + 4 * 1
    # three training sets of one condition, and one of all four
    assert arrows["datasets", "packs"] == 3 + 4
    assert ("datasets", "metrics") not in arrows
