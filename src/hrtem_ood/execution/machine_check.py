"""Result of one check of a machine."""

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "absent", "wrong"]


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes
    ----------
    name : str
    state : {"good", "absent", "wrong"}
        ``absent`` is no fault: without a GPU, the CPU computes.
    details : str
    fix : str
        What to do; empty where nothing is wrong.
    """

    name: str
    state: State
    details: str
    fix: str = ""
