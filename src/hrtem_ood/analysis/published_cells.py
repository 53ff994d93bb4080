"""The cells of a finished campaign as one table, so that anyone can try another model of the scores."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.analysis.campaign_forecast import CampaignForecast, read_predictors
from hrtem_ood.analysis.design_draws import DrawScores, draw_scores, draw_table
from hrtem_ood.analysis.ranking.forecast_comparison import number_conditions
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.artifacts.store import write_bytes
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.errors import ArtifactError
from hrtem_ood.quoting import shortened
from hrtem_ood.transfer.forecast.cells import Cells
from hrtem_ood.transfer.forecast.cross_validation import metric_bounds
from hrtem_ood.transfer.forecast.descriptors import NAMES

DIGITS = (5, 4, 3)
"""Significant digits of numbers: the most with which the file is small enough."""

LARGEST_BYTES = 5 * 10**6
"""Most bytes of a file of cells."""

MOST_CONDITIONS = 10_000
"""Of a table of cells that is read."""

TEXTS = ("training_set", "train_structures", "test_structures", "shift")
"""Columns of names."""

NUMBERED = f"conditions are numbered from 0, up to {MOST_CONDITIONS - 1}"


def cell_table(campaign: Campaign, folder: Path, results: CampaignResults) -> pd.DataFrame:
    """List every cell that has a score.

    Parameters
    ----------
    campaign : Campaign
        A finished one.
    folder : Path
        The results folder, whose store of predictors is read.
    results : CampaignResults
        Of the campaign.

    Returns
    -------
    pandas.DataFrame
        ``training_set`` (name), ``trained`` (numbers of its conditions, with spaces between), ``tested`` (number of the test
        condition), ``train_structures`` and ``test_structures``, ``shift``, ``group``; the campaign's score, by its name, with
        its own sign; ``gap`` and ``regret``, larger is better; ``forecast``, ``low``, ``high`` of the forecaster, out of fold;
        all descriptors, and all predictors, with ``predictor_`` before the name where a descriptor has it. Conditions are
        numbered as in :func:`condition_table`.
    """
    outcomes, stored, metric = results.outcomes, read_predictors(campaign, folder), campaign.config.analysis.metric
    number, members, tests = number_conditions(campaign, outcomes)
    row, column = np.nonzero(np.isfinite(outcomes.score.values))
    names = {each.id: name for name, sets in campaign.training_sets.items() for each in sets}
    ids = outcomes.training_set.values.astype(str)
    first = [campaign.training_set_by_id[id_].datasets[0] for id_ in ids]
    tested = outcomes.condition.values.astype(str)
    columns: dict[str, object] = {
        "training_set": [names[id_] for id_ in ids[row]],
        "trained": [" ".join(str(number[each]) for each in members[place]) for place in row],
        "tested": [number[tests[place]] for place in column],
        "train_structures": [campaign.structure_set_of_dataset[first[place]] for place in row],
        "test_structures": [campaign.structure_set_of_dataset[id_] for id_ in tested[column]],
        "shift": outcomes["shift"].values[row, column],
        "group": outcomes["group"].values[row, column],
        metric: BETTER[metric] * outcomes.score.values[row, column],
        "gap": outcomes.gap.values[row, column],
        "regret": outcomes.regret.values[row, column],
        **_forecasts(results.fitted, row, column),
    }
    described = stored.descriptors[row, column]
    columns |= {name: described[:, place] for place, name in enumerate(NAMES)}
    for name in sorted(map(str, stored.predictors.data_vars)):  # a store lists them in any order
        columns[f"predictor_{name}" if name in NAMES else name] = stored.predictors[name].values[row, column]
    return pd.DataFrame(columns)


def condition_table(campaign: Campaign, results: CampaignResults) -> pd.DataFrame:
    """List the conditions by the numbers that cells have; parameters at their defaults are left out where all are."""
    number, _, _ = number_conditions(campaign, results.outcomes)
    table = pd.DataFrame([each.non_default() for each in number])
    table.insert(0, "number", list(number.values()))
    return table


def design_table(campaign: Campaign, results: CampaignResults) -> pd.DataFrame:
    """List the training sets of ``analysis.design_draws``; see :func:`hrtem_ood.analysis.design_draws.draw_table`.

    Mean and worst are those of each network, averaged over networks. The cells of :func:`cell_table` are medians over networks,
    whose worst is another number.
    """
    return draw_table(campaign_draws(campaign, results), BETTER[campaign.config.analysis.metric])


def campaign_draws(campaign: Campaign, results: CampaignResults) -> list[DrawScores]:
    """Return the scores of ``analysis.design_draws``, with the forecasts out of fold where there is a forecaster."""
    predicted = None
    if results.fitted is not None:
        predicted = results.outcomes.score.copy(data=results.fitted.forecasts().predicted)
    return draw_scores(campaign, results.metrics, predicted)


def write_cells(campaign: Campaign, folder: Path, results: CampaignResults, data: Path) -> list[Path]:
    """Write the cells of a campaign, ``<campaign>_cells.csv.gz``, and its conditions, ``<campaign>_conditions.csv``.

    Where it has designed training sets, they are written, too, ``<campaign>_designs.csv``, with all digits: the differences on
    the page are means of these.

    Parameters
    ----------
    campaign, folder, results
        As in :func:`cell_table`.
    data : Path
        Folder; the files are overwritten.

    Returns
    -------
    list of Path

    Raises
    ------
    ArtifactError
        Where the file would have more than :data:`LARGEST_BYTES` even with the fewest digits and without the predictors that
        no claim names.
    """
    cells, conditions = data / f"{campaign.name}_cells.csv.gz", data / f"{campaign.name}_conditions.csv"
    content = _small_enough(cell_table(campaign, folder, results), campaign.config.analysis)
    if len(content) > LARGEST_BYTES:
        raise ArtifactError(f"{cells}: would have {len(content):,} bytes; at most {LARGEST_BYTES:,} are published.")
    write_bytes(cells, content)
    write_bytes(conditions, condition_table(campaign, results).to_csv(index=False).encode())
    if not campaign.config.analysis.design_draws:
        return [cells, conditions]
    designs = data / f"{campaign.name}_designs.csv"
    write_bytes(designs, design_table(campaign, results).to_csv(index=False).encode())
    return [cells, conditions, designs]


def _small_enough(table: pd.DataFrame, analysis: Analysis) -> bytes:
    """Write a table of cells with all columns and as many digits as there is room for, else without unclaimed predictors."""
    claimed = {name for claim in analysis.claims for name in (claim.predictor, *claim.better_than)}
    of_predictors = table.columns[list(table.columns).index(NAMES[-1]) + 1 :]
    content = b""
    for columns in (table.columns, table.columns.drop([name for name in of_predictors if name not in claimed])):
        for digits in DIGITS:
            text = table[columns].to_csv(index=False, float_format=f"%.{digits}g")
            content = gzip.compress(text.encode(), 9, mtime=0)  # the same bytes for the same cells
            if len(content) <= LARGEST_BYTES:
                return content
    return content


def read_published(path: Path, metric: str = "f1") -> Cells:
    """Read published cells as those that a forecaster is fitted to: without a structure shift.

    Parameters
    ----------
    path : Path
        ``<campaign>_cells.csv.gz``.
    metric : str
        The score.

    Returns
    -------
    Cells

    Raises
    ------
    ArtifactError
        When the file is missing or damaged, or lacks a column; it says which.

    Examples
    --------
    Another model than the forecaster's, on cells that share no condition with those that it is fitted to:

    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from hrtem_ood.transfer.forecast.cells import crossed_blocks
    >>> cells = read_published(Path("docs/data/transfer_cells.csv.gz"))
    >>> predicted = np.full(len(cells), np.nan)
    >>> for block in list(crossed_blocks(cells))[:6]:
    ...     model = HistGradientBoostingRegressor(max_iter=40, random_state=0)
    ...     fitted = model.fit(cells.descriptors[block.others], cells.score[block.others])
    ...     predicted[block.inside] = fitted.predict(cells.descriptors[block.inside])
    >>> some = np.isfinite(predicted)
    >>> bool(np.corrcoef(predicted[some], cells.score[some])[0, 1] > 0.5)
    True
    """
    with readable(path):
        table = _table(path)
        if "shift" in table:
            table = table[~table["shift"].str.startswith("structure")]
        table = table[np.isfinite(table[[metric, *NAMES]].to_numpy(float)).all(axis=1)]
        members = [_conditions(text) for text in table["trained"]]
        tested = table["tested"].to_numpy(int)
    trained = np.zeros((len(table), 1 + max([*tested, *(max(some) for some in members)], default=0)), np.bool_)
    for place, some in enumerate(members):
        trained[place, some] = True
    return Cells(table[metric].to_numpy(float), table[list(NAMES)].to_numpy(float), trained, tested)


def read_cell_table(path: Path, metric: str) -> pd.DataFrame:
    """Read published cells as the columns that tell training sets apart, and what came of them.

    Parameters
    ----------
    path : Path
        ``<campaign>_cells.csv.gz``.
    metric : str
        The score.

    Returns
    -------
    pandas.DataFrame
        ``training_set``, ``trained`` (tuple of int), ``train_structures``, ``test_structures``, ``tested``, ``shift``,
        ``mixture_entropy``, ``log_n_images``, ``regret``, and ``score``, larger is better.

    Raises
    ------
    ArtifactError
        When the file is missing or damaged, or lacks a column; it says which.
    """
    with readable(path):
        read = _table(path)
        table = read[[*TEXTS, "tested"]].join(read[["mixture_entropy", "log_n_images", "regret"]].astype(float))
        table["trained"] = [tuple(_conditions(text)) for text in read["trained"]]
        table["score"] = BETTER[metric] * read[metric].astype(float)
        _check_numbers(table, metric)
    return table


def _check_numbers(table: pd.DataFrame, metric: str) -> None:
    """Refuse what would leave cells out, or count as a score that none can be; regrets may be missing."""
    for name in ("mixture_entropy", "log_n_images", "score"):
        if not np.isfinite(table[name]).all():
            raise ValueError(f"{metric if name == 'score' else name} is no finite number in every row")
    low, high = metric_bounds(metric)
    scores = BETTER[metric] * table.score
    if (low is not None and scores.min() < low) or (high is not None and scores.max() > high):
        raise ValueError(f"{metric} is at least {low}" + ("" if high is None else f" and at most {high}"))


def _table(path: Path) -> pd.DataFrame:
    compression: Any = "gzip" if path.suffix == ".gz" else None
    texts = ("trained", *TEXTS)
    numbers = [name for name in pd.read_csv(path, nrows=0, compression=compression).columns if name not in texts]
    table: pd.DataFrame = pd.read_csv(
        path,
        compression=compression,
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values={name: ["", "nan"] for name in numbers},  # a name can be NA, which pandas takes for a missing number
    )
    tested = table["tested"].to_numpy(float)
    if not ((tested == np.floor(tested)) & (tested >= 0) & (tested < MOST_CONDITIONS)).all():
        raise ValueError(NUMBERED)
    return table.assign(tested=tested.astype(int))


def _conditions(text: str) -> list[int]:
    numbers = [int(each) for each in text.split()]
    if not numbers or not all(0 <= each < MOST_CONDITIONS for each in numbers):
        raise ValueError(NUMBERED)
    return numbers


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a table of cells into an ``ArtifactError`` that names the file.

    Parameters
    ----------
    path : Path
        The file.
    """
    try:
        yield
    except KeyError as error:
        raise ArtifactError(f"{path}: is not a table of cells: {shortened(str(error).strip(chr(34)))}.") from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError, OverflowError, zlib.error) as error:
        raise ArtifactError(f"{path}: is no table of cells that can be read: {shortened(str(error), 200)}") from None


def _forecasts(
    fitted: CampaignForecast | None, row: NDArray[np.integer], column: NDArray[np.integer]
) -> dict[str, object]:
    if fitted is None:
        return {}
    made = fitted.forecasts()
    return {
        "forecast": made.predicted[row, column],
        "low": made.low[row, column],
        "high": made.high[row, column],
    }
