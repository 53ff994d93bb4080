"""Reading the members of a sealed zip file; see :mod:`hrtem_ood.artifacts.integrity`."""

import os
import struct
import weakref
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hrtem_ood.artifacts.files import damaged, open_regular, parse_json
from hrtem_ood.artifacts.integrity import check_seal

ATTRIBUTES_LIMIT = 2**28
"""Most bytes of metadata in one file: all members named ``zarr.json`` together."""

LARGEST_DIRECTORY = 2**26
"""Largest directory of a zip file [B]; a member takes some 80 of them."""

MOST_MEMBERS = 2**19
"""Most members: one per chunk, hence one or two per structure or image of a file."""

LOCAL_HEADER = 30
"""Bytes before the name in a zip file's local header; the last four of them are the lengths of name and extra field."""

UNREADABLE = (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, struct.error, ValueError)
"""What the zipfile module raises for damaged members."""


class SealedZip:
    """A zip file whose seal is checked when it is opened, and each member when it is read.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    archive : zipfile.ZipFile
    members : dict of str to zipfile.ZipInfo

    Raises
    ------
    ArtifactError
        Where it is no regular file, or not what was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._metadata: dict[str, bytes] = {}
        self._file = open_regular(path)
        weakref.finalize(self, self._file.close)  # for datasets that are opened interactively and never closed
        try:
            self._directory = check_seal(self._file, path, most=LARGEST_DIRECTORY)
            self.archive = zipfile.ZipFile(self._file)
            self.members = {member.filename: member for member in self.archive.infolist()}
        except UNREADABLE as error:
            self._file.close()
            raise damaged(path, error) from error
        except BaseException:
            self._file.close()
            raise
        try:
            self._check_members(os.fstat(self._file.fileno()).st_size)
        except BaseException:
            self.close()
            raise

    def _check_members(self, size: int) -> None:
        """Check that the members are stored as they are, fit into the file, and are not too many."""
        members = self.archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise damaged(self.path, "its members are compressed")
        if sum(member.file_size for member in members) > size:
            raise damaged(self.path, "its members are larger than it is")
        if len(members) > MOST_MEMBERS:
            raise damaged(self.path, f"it has {len(members):,} members; such a file has at most {MOST_MEMBERS:,}")
        metadata = sum(member.file_size for member in members if member.filename.endswith("zarr.json"))
        if metadata > ATTRIBUTES_LIMIT:
            raise damaged(
                self.path, f"it has {metadata:,} bytes of metadata; such a file has at most {ATTRIBUTES_LIMIT:,}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.archive.close()
        self._file.close()

    def read(self, name: str) -> bytes | None:
        """Return a member, checked; None where there is none of that name. Metadata is kept, as it is needed again."""
        if name in self._metadata:
            return self._metadata[name]
        member = self.members.get(name)
        if member is None:
            return None
        try:
            content = self.archive.read(member)
        except UNREADABLE as error:
            raise damaged(self.path, error) from error
        if name.endswith("zarr.json"):
            self._metadata[name] = content
        return content

    def read_json(self, name: str) -> Any:
        """Return a member that is JSON."""
        content = self.read(name)
        if content is None:
            raise damaged(self.path, f"it has no {name}")
        return parse_json(self.path, content)

    def offset(self, member: zipfile.ZipInfo) -> int:
        """Return where the content of a member begins [B]."""
        self._file.seek(member.header_offset)
        header = self._file.read(LOCAL_HEADER)
        offset: int = member.header_offset + LOCAL_HEADER + sum(struct.unpack("<HH", header[-4:]))
        if offset + member.file_size > self._directory:
            raise damaged(self.path, f"the header of its {member.filename} is damaged")
        return offset

    def check_all(self) -> None:
        """Check every member."""
        for member in self.archive.infolist():
            try:
                with self.archive.open(member) as file:
                    while file.read(2**20):
                        pass
            except UNREADABLE as error:
                raise damaged(self.path, error) from error


def root_attributes(archive: SealedZip) -> dict[str, Any]:
    """Return the root attributes of a ``.zarr.zip``.

    Raises
    ------
    ArtifactError
        Where it has none, or is not of Zarr's format 3.
    """
    metadata = archive.read_json("zarr.json")
    attributes = metadata.get("attributes") if isinstance(metadata, dict) else None
    if not isinstance(attributes, dict):
        raise damaged(archive.path, "it has no attributes")
    if metadata.get("zarr_format") != 3:  # in format 2, which Zarr would read, codecs may be pickles
        raise damaged(archive.path, "it is not of Zarr's format 3")
    return attributes
