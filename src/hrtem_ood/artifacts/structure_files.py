"""Shards of structures: extended XYZ with digests; a part of :mod:`hrtem_ood.artifacts.store`."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrtem_ood.artifacts.files import advice, atomic_replace, check_id, damaged, open_regular
from hrtem_ood.artifacts.integrity import checked_extxyz, checked_header, extxyz_with_digests
from hrtem_ood.errors import ArtifactError

if TYPE_CHECKING:
    from ase import Atoms


def write_structures(path: Path, structures: "list[Atoms]", attributes: Mapping[str, Any]) -> None:
    """Write structures as extended XYZ, one frame each; the attributes go with the first frame."""
    from ase.io.extxyz import write_extxyz

    first = structures[0]
    info, first.info = first.info, {**first.info, **{key: str(value) for key, value in attributes.items()}}
    first.info["frames"] = len(structures)
    text = io.StringIO()
    write_extxyz(text, structures)
    first.info = info
    with atomic_replace(path) as temporary:
        temporary.write_bytes(extxyz_with_digests(text.getvalue()))


def read_structures(path: Path) -> "list[Atoms]":
    """Read the structures of a shard, and check them against their digests."""
    from ase.io.extxyz import read_extxyz

    text = checked_extxyz(path)
    try:
        structures = list(read_extxyz(io.StringIO(text), slice(None)))
        frames = int(structures[0].info["frames"])
    except Exception as error:  # ASE's parser raises many kinds
        raise damaged(path, error) from error
    check_id(path, structures[0].info.get("id"))
    if len(structures) != frames or any(not np.isfinite(structure.positions).all() for structure in structures):
        raise ArtifactError(f"{path} holds {len(structures)} of {frames} structures without damage. {advice(path)}")
    return structures


def structures_attributes(path: Path) -> dict[str, Any]:
    """Read the attributes of a structure shard, without the atoms."""
    from ase.io.extxyz import key_val_str_to_dict

    with open_regular(path) as file:
        header, _ = checked_header(file, path)
    try:
        attributes: dict[str, Any] = key_val_str_to_dict(header.decode().partition("\n")[2])  # type: ignore[no-untyped-call]
    except Exception as error:  # ASE's parser raises many kinds
        raise damaged(path, error) from error
    check_id(path, attributes.get("id"))
    return attributes
