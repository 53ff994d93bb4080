"""What verbs write to the terminal besides tables: plain lines and JSON, in which foreign text can do nothing."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hrtem_ood.errors import UNPRINTABLE, printable


def say(text: str | Path, *, err: bool = False, end: str = "\n") -> None:
    """Write text, with its control characters as escapes: names and messages come from files of others."""
    click.echo(printable(str(text)) + end, nl=False, err=err)


def say_json(content: Mapping[str, Any]) -> None:
    """Write one JSON object on a line; characters that a terminal would obey are written as JSON's escapes."""
    text = json.dumps(content, ensure_ascii=False)
    click.echo(re.sub(UNPRINTABLE, lambda match: f"\\u{ord(match[0]):04x}", text))
