"""The network that comes with the package, for micrographs whose users have trained none."""

from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError

FOLDER = Path(__file__).with_name("shipped")
"""Holds one network, ``<id>.ckpt``, and what is said of it, ``<id>.json``."""

MOST_BYTES = 4_000_000
"""Largest file of a network that is shipped."""

MODEL_CARD = "docs/model_card.md"
"""Page of the repository about it."""


def shipped_network(folder: Path = FOLDER) -> Path:
    """Return the path of the network that comes with the package.

    Raises
    ------
    ArtifactError
        Where the package holds none, or several.
    """
    paths = sorted(folder.glob("*.ckpt"))
    if not paths:
        raise ArtifactError(
            "this installation comes with no network. Name one: results/networks/ID.ckpt, of a campaign that you have run."
        )
    if len(paths) > 1:
        raise ArtifactError(f"{folder} holds {len(paths)} networks; it must hold one. Name a network.")
    return paths[0]


def shipped_scores(network: Path) -> dict[str, Any]:
    """Return what is said of a shipped network: its domain, scores and configuration; see :func:`ship`.

    Parameters
    ----------
    network : Path
        From :func:`shipped_network`.
    """
    return store.read_json(network.with_suffix(".json"))


def ship(network: Path, about: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Copy a network into the package, in the place of the one that is there.

    Parameters
    ----------
    network : Path
        ``networks/<id>.ckpt``.
    about : dict
        JSON-like; with ``id``, the network's.
    folder : Path, optional

    Returns
    -------
    Path
        Of the copy, which is the same byte for byte.

    Raises
    ------
    ArtifactError
        Where it is larger than :data:`MOST_BYTES`.
    """
    content = network.read_bytes()
    if len(content) > MOST_BYTES:
        raise ArtifactError(
            f"{network} has {len(content):,} bytes; at most {MOST_BYTES:,} are shipped. Train with `stored_dtype: bfloat16`, or "
            "a smaller architecture."
        )
    target = folder / network.name
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(target.with_suffix(".json"), about)
    store.write_bytes(target, content)
    for other in folder.iterdir():
        if other.suffix in (".ckpt", ".json") and other.stem != target.stem:
            other.unlink()
    return target
