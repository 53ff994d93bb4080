"""Text of a configuration, YAML or JSON, to plain values, with bounded work and nothing read as something else."""

import json
import math
from typing import Any

import yaml

from hrtem_ood.config.plain_values import DEEPEST
from hrtem_ood.quoting import quoted, shortened

MOST_YAML_VALUES = 100_000
"""Of a file, all aliases written out; it is read at some 100,000 a second. The largest shipped one has 1,300."""

# libyaml's parser is some ten times faster than that in Python
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc, valid-type]  # chosen at import
    """Refuses what YAML takes silently for something else: keys given twice, 1:30 for 90, 010 for 8."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        # by its tag it is a mapping, which it need not be
        for key, _ in node.value if node.id == "mapping" else ():
            if not isinstance(key, yaml.ScalarNode):
                raise _mistake("a key must be plain text", key)
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise _mistake(f"the key `{shortened(key.value)}` is there twice; keep one", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]

    def construct_scalar_strictly(self, node: yaml.ScalarNode) -> Any:
        """Read a number, a truth value, a date or bytes, or say where there is none."""
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
    dict, list, str, int, float, bool, None and what else YAML has, nested

    Raises
    ------
    yaml.YAMLError
        Where it is none; nests deeper than :data:`DEEPEST`; holds itself; or stands, its aliases written out, for more
        than :data:`MOST_YAML_VALUES` values, as a few lines of aliases of aliases can for 10⁹.
    """
    try:
        _check_size(text)
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except yaml.reader.ReaderError as error:  # tells no line
        raise _character_mistake(text, error) from None


def _character_mistake(text: str, error: yaml.reader.ReaderError) -> yaml.YAMLError:
    before = text[: error.position]
    line, column = before.count("\n"), error.position - (before.rfind("\n") + 1)
    mark = yaml.Mark("", error.position, line, column, None, 0)
    problem = f"the character {text[error.position : error.position + 1]!a} has no place in YAML"
    mistake: yaml.YAMLError = yaml.scanner.ScannerError(None, None, problem, mark)
    return mistake


def _check_size(text: str) -> None:
    """Count the values of a file, with all aliases written out, before any is made."""
    total = 0
    sizes: dict[str, int] = {}
    within: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            anchor = str(event.anchor)
            if any(name == anchor for name, _ in within):
                raise _mistake(f"`*{shortened(anchor)}` is inside of what it stands for, which has no end", event)
            total += sizes.get(anchor, 1)  # one that is not there is told of later
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                within.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = within.pop()
            if name is not None:
                sizes[name] = total - before + 1
        if len(within) > DEEPEST:
            raise _mistake(f"nests more than {DEEPEST} levels deep, which no configuration does", event)
        if total > MOST_YAML_VALUES:
            raise _mistake(
                f"stands for more than {MOST_YAML_VALUES:,} values, with its aliases written out; write grids as lists, or JSON",
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
        Where it is none, gives a key twice, or nests too deep.
    """
    try:
        return json.loads(text, object_pairs_hook=_each_once, parse_int=_integer)
    except RecursionError:
        raise ValueError(f"nests more than {DEEPEST} levels deep, which no configuration does") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key `{shortened(key)}` is there twice; keep one")
        content[key] = value
    return content


def _integer(text: str) -> int | float:
    # Python reads no more digits than some thousands; infinity is refused with its key, as NaN is, by plain_value_errors
    return int(text) if len(text) < 1000 else math.inf
