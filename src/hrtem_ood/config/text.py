"""Parsers of configurations in YAML and JSON: bounded work, and no silent conversion of values."""

import json
import math
from typing import Any

import yaml

from hrtem_ood.config.plain_values import DEEPEST
from hrtem_ood.quoting import quoted, shortened

MOST_YAML_VALUES = 100_000
"""Largest number of values of a file, aliases expanded; 100,000 take about a second. Shipped files have at most 1,300."""

# libyaml's parser is about ten times faster than the one in Python
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc, valid-type]  # chosen at import
    """Refuses text that YAML silently reads as another value: duplicate keys, 1:30 (90), 010 (8)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        # a node with the tag of a mapping may be of another kind
        for key, _ in node.value if node.id == "mapping" else ():
            if not isinstance(key, yaml.ScalarNode):
                raise _mistake("a key must be plain text", key)
            if key.value in keys and key.tag != "tag:yaml.org,2002:merge":
                raise _mistake(f"the key `{shortened(key.value)}` occurs twice; keep one", key)
            keys.add(key.value)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]

    def construct_scalar_strictly(self, node: yaml.ScalarNode) -> Any:
        """Read a number, a truth value, a date or bytes; an error gives the place of any other text."""
        text = str(node.value)
        if node.tag in _NUMBERS and ":" in text:
            raise _mistake(f"{quoted(text)} is read as base 60 by YAML; write the number, or quotes around text", node)
        digits = text.lstrip("+-").replace("_", "")
        if node.tag == _INTEGER and len(digits) > 1 and digits.isdigit() and digits.startswith("0"):
            raise _mistake(f"{quoted(text)} is read as octal by YAML; write it without the 0 in front", node)
        construct = yaml.SafeLoader.yaml_constructors[node.tag]
        try:
            value = construct(self, node)
        except yaml.YAMLError:
            raise
        except (ValueError, KeyError, IndexError, AttributeError, OverflowError):
            raise _mistake(f"{quoted(text)} cannot be read as {node.tag.rpartition(':')[2]}", node) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise _mistake(f"{quoted(text)} is not a finite number", node)
        return value


_INTEGER = "tag:yaml.org,2002:int"
_NUMBERS = (_INTEGER, "tag:yaml.org,2002:float")

for _kind in ("int", "float", "bool", "timestamp", "binary"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_scalar_strictly)


def _mistake(problem: str, at: Any) -> yaml.YAMLError:
    error: yaml.YAMLError = yaml.constructor.ConstructorError(None, None, problem, at.start_mark)
    return error


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML file.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict, list, str, int, float, bool, None and other types of YAML, nested

    Raises
    ------
    yaml.YAMLError
        Where the text is not YAML, nests deeper than :data:`DEEPEST`, contains itself, or has more than
        :data:`MOST_YAML_VALUES` values with aliases expanded: a few lines of nested aliases can expand to 10⁹ values.
    """
    try:
        _check_size(text)
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.reader.ReaderError as error:  # has no line number
        raise _character_mistake(text, error) from None


def _character_mistake(text: str, error: yaml.reader.ReaderError) -> yaml.YAMLError:
    before = text[: error.position]
    line, column = before.count("\n"), error.position - (before.rfind("\n") + 1)
    mark = yaml.Mark("", error.position, line, column, None, 0)
    problem = f"the character {text[error.position : error.position + 1]!a} is not allowed in YAML"
    mistake: yaml.YAMLError = yaml.scanner.ScannerError(None, None, problem, mark)
    return mistake


def _check_size(text: str) -> None:
    """Check the number of values of a file, aliases expanded, before any value is constructed."""
    total = 0
    sizes: dict[str, int] = {}
    within: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            anchor = str(event.anchor)
            if any(name == anchor for name, _ in within):
                raise _mistake(f"`*{shortened(anchor)}` is inside the value that it refers to", event)
            total += sizes.get(anchor, 1)  # the loader reports an undefined one
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                within.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = within.pop()
            if name is not None:
                sizes[name] = total - before + 1
        if len(within) > DEEPEST:
            raise _mistake(f"nests more than {DEEPEST} levels deep", event)
        if total > MOST_YAML_VALUES:
            raise _mistake(
                f"has more than {MOST_YAML_VALUES:,} values with aliases expanded; write grids as lists, or use JSON",
                event,
            )


def parse_json(text: str) -> Any:
    """Return the content of a JSON file.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict, list, str, int, float, bool or None, nested

    Raises
    ------
    ValueError
        Where the text is not JSON, has a duplicate key, or nests too deep.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_int=_integer)
    except RecursionError:
        raise ValueError(f"nests more than {DEEPEST} levels deep") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key `{shortened(key)}` occurs twice; keep one")
        content[key] = value
    return content


def _integer(text: str) -> int | float:
    # Python limits the digits of an integer to some thousands; plain_value_errors refuses infinity with its key, like NaN
    return int(text) if len(text) < 1000 else math.inf
