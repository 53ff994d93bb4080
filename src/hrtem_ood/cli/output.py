"""Terminal output besides tables: lines of text and JSON, with control characters escaped."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hrtem_ood.errors import UNPRINTABLE, printable


def print_text(text: str | Path, *, err: bool = False, end: str = "\n") -> None:
    """Write text, with control characters as escapes: names and messages may come from untrusted files."""
    click.echo(printable(str(text)) + end, nl=False, err=err)


def print_json(content: Mapping[str, Any]) -> None:
    """Write one JSON object on a line, with control characters as JSON's escapes."""
    text = json.dumps(content, ensure_ascii=False)
    click.echo(re.sub(UNPRINTABLE, lambda match: f"\\u{ord(match[0]):04x}", text))
