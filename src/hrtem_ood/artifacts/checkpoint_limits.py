"""Limits on the size of a checkpoint, checked before PyTorch reads it."""

import os
import zipfile
from pathlib import Path
from typing import BinaryIO

from hrtem_ood.artifacts.files import damaged
from hrtem_ood.errors import ArtifactError

LARGEST_CHECKPOINT = 8 * 2**30
"""Largest file [B]: a network of a billion weights with the state of its optimiser."""

LARGEST_PICKLE = 64 * 2**20
"""Largest pickle of names, shapes and plain values [B]; tensors are stored beside it."""


def check_checkpoint_size(file: BinaryIO, path: Path) -> None:
    """Refuse a checkpoint that is too large, or would grow when it is unpacked.

    ``torch.save`` stores without compression, so it writes no entry that is larger than the file.

    Parameters
    ----------
    file : binary file
        Open at any place, which is not kept.
    path : Path
        For messages.

    Raises
    ------
    ArtifactError
    """
    size = os.fstat(file.fileno()).st_size
    if size > LARGEST_CHECKPOINT:
        raise ArtifactError(f"{path} has {size:,} bytes; checkpoints of up to {LARGEST_CHECKPOINT:,} are read.")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
    ) as error:  # what zipfile raises for damaged files
        raise damaged(path, error) from error
    if sum(entry.file_size for entry in entries) > size:
        raise ArtifactError(
            f"{path} would be larger unpacked than it is; hrtem-ood did not write it, so it is not read."
        )
    if any(entry.file_size > LARGEST_PICKLE for entry in entries if entry.filename.endswith(".pkl")):
        raise ArtifactError(f"{path} describes more than {LARGEST_PICKLE:,} bytes of names and values; it is not read.")
