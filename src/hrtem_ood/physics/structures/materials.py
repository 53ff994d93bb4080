"""Crystals that a configuration may name: cells and their sources."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # space group 186, P6₃mc; u = 1/4 + a²/3c², which makes both bond lengths equal
    "ZnS": {"formula": "ZnS", "structure": "wurtzite", "a_A": 3.8227, "c_A": 6.2607},
    "CdSe": {"formula": "CdSe", "structure": "wurtzite", "a_A": 4.2985, "c_A": 7.0152},
    "Cu": {"formula": "Cu", "structure": "fcc", "a_A": 3.6157},
    "Ag": {"formula": "Ag", "structure": "fcc", "a_A": 4.0782},
    "C": {"formula": "C", "structure": "diamond", "a_A": 3.5673},
    "Si": {"formula": "Si", "structure": "diamond", "a_A": 5.430},
    "Fe": {"formula": "Fe", "structure": "bcc", "a_A": 2.866},
    # space group 227, Fd-3m; u of magnetite: Fleet, Acta Cryst. B 37 (1981) 917
    "Fe3O4": {"formula": "Fe3O4", "structure": "spinel", "a_A": 8.394, "u": 0.2549},
    # u: Smith & Hobson, Acta Cryst. B 29 (1973) 362; bonds Co–O of 1.93 Å (tetrahedral) and 1.92 Å (octahedral)
    "Co3O4": {"formula": "Co3O4", "structure": "spinel", "a_A": 8.065, "u": 0.2631},
}
"""Fields of :class:`hrtem_ood.config.campaign.Material` by preset. A preset and its fields written out are the same."""
