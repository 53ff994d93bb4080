"""What every benchmark ends with: a table for people, and one line of JSON for whoever collects them."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any, Literal
from unittest.mock import patch


@dataclass(frozen=True)
class Budget:
    """A limit that a figure is to keep.

    Attributes
    ----------
    name : str
        Of the figure.
    limit : float
    sense : {"max", "min"}
        Whether the figure is to stay below or above the limit.
    """

    name: str
    limit: float
    sense: Literal["max", "min"]

    def kept(self, value: float) -> bool:
        """Whether a value keeps the limit; NaN does not."""
        return value <= self.limit if self.sense == "max" else value >= self.limit


@contextmanager
def timed_calls(*functions: tuple[Any, str]) -> Iterator[list[float]]:
    """Collect the processor time of every call of some functions, which do not call each other.

    Parameters
    ----------
    *functions : tuple of (module or class, str)
        Where each stands, and its name.

    Yields
    ------
    list of float, [s]
    """
    seconds: list[float] = []

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            begin = process_time()
            try:
                return function(*arguments, **options)
            finally:
                seconds.append(process_time() - begin)

        return call

    patches = [patch.object(place, name, timed(getattr(place, name))) for place, name in functions]
    for each in patches:
        each.start()
    try:
        yield seconds
    finally:
        for each in patches:
            each.stop()


def report(benchmark: str, figures: Mapping[str, float], budgets: Sequence[Budget], notes: Sequence[str] = ()) -> None:
    """Print figures and budgets as a table, and as one line of JSON, the last.

    Parameters
    ----------
    benchmark : str
        Name of the benchmark.
    figures : mapping of str to float
        Each name ends in its unit, where it has one.
    budgets : sequence of Budget
        Of some of the figures.
    notes : sequence of str
        Lines below the table: what was measured against what.
    """
    by_name = {budget.name: budget for budget in budgets}
    width = max(map(len, figures))
    write = sys.stdout.write
    write(f"{benchmark}\n")
    for name, value in figures.items():
        line = f"  {name:<{width}}  {value:>12.4g}"
        if name in by_name:
            budget = by_name[name]
            limit = f"{'at most' if budget.sense == 'max' else 'at least'} {budget.limit:g}"
            line += f"   {limit}: {'kept' if budget.kept(value) else 'NOT KEPT'}"
        write(line + "\n")
    for note in notes:
        write(f"  {note}\n")
    judged = [
        {**asdict(budget), "value": figures[budget.name], "ok": budget.kept(figures[budget.name])} for budget in budgets
    ]
    ok = all(budget["ok"] for budget in judged)
    write(
        json.dumps({"benchmark": benchmark, "figures": dict(figures), "budgets": judged, "ok": ok}, ensure_ascii=False)
        + "\n"
    )


def alternate(
    works: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = perf_counter
) -> dict[str, list[float]]:
    """Time some works in turn, so that whatever else the machine does hits all of them alike.

    Parameters
    ----------
    works : mapping of str to callable
        The first round, which warms caches, does not count.
    repeats : int
        Rounds that count.
    clock : callable
        By default wall time; ``process_time`` counts this process's processor time.

    Returns
    -------
    dict of str to list of float, (repeats,), [s]
        Time of every round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for round_ in range(repeats + 1):
        for name, work in works.items():
            begin = clock()
            work()
            if round_:
                seconds[name].append(clock() - begin)
    return seconds


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Median over rounds of the ratio of two works' times: robust against slow spells of the machine."""
    return median(one / other for one, other in zip(over, under, strict=True))
