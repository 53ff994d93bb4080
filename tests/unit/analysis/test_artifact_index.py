"""The table of all artifacts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from hrtem_ood.stages.index import index as run_index


def test_index_lists_every_artifact_once(make: Callable[..., Any], config: dict[str, Any]) -> None:
    made = make(config)
    run_index(made.campaign, made.results)
    campaign = made.campaign
    table = pd.read_csv(made.path("indexes", campaign.index_id), keep_default_na=False)
    assert (table.stage.iloc[-1], table.id.iloc[-1]) == ("digest", campaign.index_id)
    table = table[:-1]
    expected = [
        *campaign.structures, *campaign.exit_waves, *campaign.datasets, *campaign.training_set_by_id,
        *campaign.networks, *campaign.packs, *campaign.suites, *campaign.evaluations, campaign.transfer.id,
    ]  # fmt: skip
    assert sorted(table.id) == sorted(expected)
    files = table[table.path != ""]
    assert set(table.stage) - set(files.stage) == {"training_sets"}
    assert all(Path(row.path).name.startswith(row.id) for row in files.itertuples())
    written = files[files.stage.isin(["packs", "evaluations", "transfer"])]
    assert all((made.results / path).exists() for path in written.path)
    names = dict(zip(table.id, table.names, strict=True))
    mixed = campaign.training_sets["mixed"][0]
    assert names[mixed.id] == "mixed: 2 conditions"
    evaluation = next(job for job in campaign.evaluations.values() if job.networks[0].training_set == mixed.id)
    assert names[evaluation.spec.id] == "mixed: 2 conditions on test"
