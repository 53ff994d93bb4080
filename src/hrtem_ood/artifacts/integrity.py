"""Digests that artifacts carry, and their checks. Every kind of file has its own place for one.

=============== ==================================================================================================
``.zarr.zip``   The comment at the end of the zip: sha256 of the zip's directory, which holds name, size, place and
                CRC-32 of every member. A member's CRC-32 is checked when it is read.
``.ckpt``       The comment at the end of the zip: sha256 of everything before it.
JSON            The key ``digest``: sha256 of the canonical JSON of the other keys.
``.extxyz``     The end of the second line: sha256 of the lines below, and sha256 of the two lines themselves.
``.csv``        The last row: id, and sha256 of everything before it.
=============== ==================================================================================================

A reader computes the digest of the content and compares it with the stored one. Digests reveal damage, and changes by
programs that do not update them. They do not protect against deliberate forgery.
"""

import hashlib
import json
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hrtem_ood.artifacts.files import check_id, damaged, open_regular, parse_json, without_digest
from hrtem_ood.artifacts.identity import plain_canonical_json
from hrtem_ood.errors import ArtifactError

BLOCK = 2**20
END_RECORD = b"PK\x05\x06"
END_RECORD_SIZE = 22
"""Bytes of the record that ends a zip without a comment; the last two are the length of the comment."""

_SEAL = re.compile(rb"(hrtem-ood sha256 ([0-9a-f]{16}) )([0-9a-f]{64})\n")
SEAL_SIZE = 17 + 16 + 1 + 64 + 1
"""Bytes of the comment: words, where the digested part begins, digest."""


def sha256_text(content: bytes) -> str:
    """Sha256 of bytes as ``sha256:`` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# --- zip files -------------------------------------------------------------------------------


def seal_zip(path: Path, start: int) -> None:
    """Append the seal to a zip file without a comment.

    Parameters
    ----------
    path : Path
    start : int, [B]
        Where the digested part begins: at the directory, or at 0.
    """
    with path.open("rb+") as file:
        end = file.seek(-END_RECORD_SIZE, os.SEEK_END)
        if file.read(4) != END_RECORD:
            raise ValueError(f"{path} does not end as a zip file without a comment does")
        file.seek(end + END_RECORD_SIZE - 2)
        file.write(struct.pack("<H", SEAL_SIZE))
        head = b"hrtem-ood sha256 %016x " % start
        digest = _digest(file, start, end + END_RECORD_SIZE, head)
        file.seek(0, os.SEEK_END)
        file.write(head + digest + b"\n")


def check_seal(file: BinaryIO, path: Path, *, whole: bool = False, most: int | None = None) -> int:
    """Check the seal of a zip file.

    Parameters
    ----------
    file : file
        Opened for reading.
    path : Path
        Its name, for messages.
    whole : bool
        Whether the seal must be one of the whole file.
    most : int, [B], optional
        Largest digested part.

    Returns
    -------
    int, [B]
        Where the digested part begins.

    Raises
    ------
    ArtifactError
    """
    size = file.seek(0, os.SEEK_END)
    end = size - SEAL_SIZE
    if end < END_RECORD_SIZE:
        raise without_digest(path)
    file.seek(end)
    seal = _SEAL.fullmatch(file.read(SEAL_SIZE))
    if seal is None:
        raise without_digest(path)
    start = int(seal[2], 16)
    if most is not None and end - start > most:
        raise damaged(path, f"its digest is of {end - start:,} bytes; such a file has at most {most:,} of them")
    if start > end or (whole and start) or _digest(file, start, end, seal[1]) != seal[3]:
        raise damaged(path, "its content does not have the digest that it carries")
    return start


def _digest(file: BinaryIO, start: int, end: int, head: bytes) -> bytes:
    """Sha256 of a part of a file and of the words before the digest, as hex digits."""
    digest = hashlib.sha256()
    file.seek(start)
    while start < end:
        block = file.read(min(BLOCK, end - start))
        if not block:
            break
        digest.update(block)
        start += len(block)
    digest.update(head)
    return digest.hexdigest().encode()


# --- JSON ------------------------------------------------------------------------------------


def json_with_digest(content: Mapping[str, Any]) -> str:
    """Write a JSON object, readably, with its digest as the last key."""
    rest = {key: value for key, value in content.items() if key != "digest"}
    return json.dumps(rest | {"digest": _json_digest(rest)}, indent=1, ensure_ascii=False) + "\n"


def checked_json(path: Path, text: bytes) -> dict[str, Any]:
    """Parse a JSON object, check its digest, and return it without the digest.

    Raises
    ------
    ArtifactError
    """
    content = parse_json(path, text)
    if not isinstance(content, dict):
        raise damaged(path, "it holds no JSON object")
    digest = content.pop("digest", None)
    if digest is None:
        raise without_digest(path)
    try:
        right = digest == _json_digest(content)
    except RecursionError:
        raise damaged(path, "its JSON is nested too deeply") from None
    if not right:
        raise damaged(path, "its content does not have the digest that it carries")
    return content


def _json_digest(content: Mapping[str, Any]) -> str:
    return sha256_text(plain_canonical_json(content).encode("utf-8", "surrogatepass"))


# --- structures ------------------------------------------------------------------------------

_HEADER = re.compile(rb"(.*) digest_of_header=(sha256:[0-9a-f]{64})", re.DOTALL)
_BODY = re.compile(rb" digest_of_atoms=(sha256:[0-9a-f]{64})\Z")
HEADER_LIMIT = 2**24
"""Longest line of attributes [B]."""

STRUCTURES_LIMIT = 2**32
"""Largest file of structures [B]: some 40 million atoms."""


def extxyz_with_digests(text: str) -> bytes:
    """Add digests to the second line of an extended-XYZ file: of the lines below it, then of the two lines."""
    count, attributes, body = text.encode().split(b"\n", 2)
    header = count + b"\n" + attributes + b" digest_of_atoms=" + sha256_text(body).encode()
    return header + b" digest_of_header=" + sha256_text(header).encode() + b"\n" + body


def checked_header(file: BinaryIO, path: Path) -> tuple[bytes, str]:
    """Read the first two lines of an extended-XYZ file, and check them.

    Returns
    -------
    bytes
        Both lines without digests.
    str
        The digest of the lines below.

    Raises
    ------
    ArtifactError
    """
    lines = file.readline(HEADER_LIMIT) + file.readline(HEADER_LIMIT)
    header = _HEADER.fullmatch(lines.removesuffix(b"\n"))
    if header is None:
        raise without_digest(path)
    body = _BODY.search(header[1])
    if sha256_text(header[1]).encode() != header[2] or body is None:
        raise damaged(path, "its first two lines do not have the digest that they carry")
    return header[1][: body.start()], body[1].decode()


def checked_extxyz(path: Path) -> str:
    """Read an extended-XYZ file, check its digests, and return its text without them.

    Raises
    ------
    ArtifactError
    """
    with open_regular(path) as file:
        header, digest = _checked_header_and_size(file, path)
        body = file.read(STRUCTURES_LIMIT)
    if sha256_text(body) != digest:
        raise _other_atoms(path)
    return (header + b"\n" + body).decode()


def check_extxyz(path: Path) -> None:
    """Check the digests of an extended-XYZ file, block by block.

    Raises
    ------
    ArtifactError
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        _, expected = _checked_header_and_size(file, path)
        while block := file.read(BLOCK):
            digest.update(block)
    if f"sha256:{digest.hexdigest()}" != expected:
        raise _other_atoms(path)


def _checked_header_and_size(file: BinaryIO, path: Path) -> tuple[bytes, str]:
    size = os.fstat(file.fileno()).st_size
    if size > STRUCTURES_LIMIT:
        raise damaged(path, f"it has {size:,} bytes; a file of structures has at most {STRUCTURES_LIMIT:,}")
    return checked_header(file, path)


def _other_atoms(path: Path) -> ArtifactError:
    return damaged(path, "its atoms do not have the digest that it carries")


# --- tables ----------------------------------------------------------------------------------


def csv_with_digest(text: str, id_: str) -> str:
    """Add a last row to a table of three columns or more: ``digest``, id, and sha256 of all rows and the id."""
    columns = text.partition("\n")[0].count(",") + 1
    return f"{text}digest,{id_},{sha256_text(f'{text}digest,{id_},'.encode())}{',' * (columns - 3)}\n"


def checked_csv(path: Path, content: bytes) -> str:
    """Check the last row of a table, and return the table without it.

    Raises
    ------
    ArtifactError
    """
    table, _, last = content.removesuffix(b"\n").rpartition(b"\n")
    table += b"\n"
    row = re.fullmatch(rb"(digest,([^,]*),)(sha256:[0-9a-f]{64}),*", last)
    if row is None or not content.endswith(b"\n"):
        raise without_digest(path)
    if sha256_text(table + row[1]).encode() != row[3]:
        raise damaged(path, "its rows do not have the digest that it carries")
    check_id(path, row[2].decode())
    return table.decode()
