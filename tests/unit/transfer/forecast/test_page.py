"""The page of the forecast lists what there is."""

import re
from pathlib import Path

from hrtem_ood.transfer.forecast.cells import FOLDS
from hrtem_ood.transfer.forecast.descriptors import NAMES, ROWS
from hrtem_ood.transfer.forecast.ridge import MODELS

PAGE = (Path(__file__).parents[4] / "docs/forecast.md").read_text()


def test_the_page_lists_all_descriptors_in_their_order() -> None:
    rows = [
        [cell.replace("\\|", "|") for cell in re.split(r" (?<!\\)\| ", line.strip("| "))] for line in PAGE.splitlines()
    ]
    listed = [row for row in rows if len(row) == 3 and row[0].strip("`") in NAMES]
    assert listed == [[f"`{each.name}`", each.symbol, each.meaning] for each in ROWS]


def test_the_page_states_the_models_and_folds() -> None:
    for name, features in MODELS.items():
        assert re.search(rf"^\| `{name}` \| .*: {features.n_terms} terms \|$", PAGE, re.MULTILINE)
    assert f"{FOLDS} × {FOLDS} crossed folds" in PAGE
