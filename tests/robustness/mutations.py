"""Mutations of the shipped configurations: of keys, types, values and structure, or of the text; the same for a seed."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SHIPPED = {
    "config.yaml": 6,
    "experiments/wider.yaml": 4,
    "experiments/transfer.yaml": 1,
    "experiments/confirm.yaml": 1,
    "paper.yaml": 1,
}
"""Name and how often it is taken; a case of the last two takes some seconds."""

# fmt: off
HUGE = "9" * 400
VALUES: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3.5, -0.0, 1e-300, 5e-324, 1e-6, 1e6, 1e12, 1e300, -1e300, 2**31, 2**63, 2**64, 10**400, -(10**400)),
    *(float("nan"), float("inf"), -float("inf"), True, False, None),
    *("", " ", "none", "12", "1e3", "-5", "1e400", "0x1F", "nan"),
    *("a" * 405_000, "é" * 50, "Å", "../../etc/passwd", "{y}", "%s"),
    *("[red]x[/red]", "$(id)", "a\nb", "a\0b", "\x1b[31m", "-"),
    *("/dev/zero", "pipe", "sparse", ".", "no/such", "config/config.yaml", "text.py", "x" * 5000, "\u202e", "*", "~"),
    *([], {}, [[]], [[[[]]]], [0, 0], [1, 2, 3], [2, 1], ["a"], [None]),
    *([True, False], {"a": 1}, {"": {}}, {"a": {"b": {"c": []}}}),
    *(list(range(3_000)), list(range(300_000)), [1e-3 * i for i in range(40_000)], {f"k{i}": i for i in range(3000)}),
)
TOKENS = (
    *(".inf", "-.inf", ".nan", "1e400", "-1e400", "0x1F", "0o7", "0b11"),
    *("010", "1_000", "1:30", "190:20:30", "1:30.5", "+1", "1."),
    *(".5", "1e5", "1.0e+5", "0x", "0b", "_1", "1__0", "1_", HUGE),
    *(HUGE * 20, f"-{HUGE}", f"1e{HUGE}", f"0x{HUGE}", "1e-400"),
    *("2001-01-01", "2001-99-99", "2001-01-01T99:99:99", "!!timestamp x", "!!binary x", "!!binary aGVsbG8=", "!!set {a, b}"),
    *("!!omap [a: 1]", "!!pairs [a: 1]", "!!python/object/apply:os.system [id]"),
    *("!!python/name:os.system", "!!int x", "!!int ''"),
    *("!!float x", "!!float ''", "!!bool x", "!!null x", "!!str 5"),
    *("!!seq x", "!!map x", "!!map [a]", "!foo x", "!!int 1.5", "!!int [1]"),
    *("{? [a, b] : c}", "{? {a: b} : c}", "&a [*a]", "&a {b: *a}"),
    *("*nope", "{<<: 5}", "{<<: [1]}", "&m {<<: *m}", "<<", "=", "~"),
    *("{<<: {a: 1}, <<: {b: 2}}", "{<<: [{a: 1}, {a: 2}]}"),
    *("{a: 1, a: 2}", '"\\0"', '"\\x07"', '"\\uD800"', "\0", "\x07", "'"),
    *("[" * 40 + "]" * 40, "[" * 5000 + "]" * 5000, "{a: " * 300 + "1" + "}" * 300),
    *("[" * 100_000, "|\n  text\n", "- - - a", "@a", "`a`"),
    *("%YAML 3.0", "\n---\na: 1", "\n...\n", "\t", ": :", "? ", "!", "&"),
    *("{", "}", "[", "]", "#", "\ufeff", "\u2028", "yes", "NO", "on"),
)
JSON_TOKENS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-0", "01", "1."),
    *(".5", "0x1F", HUGE, HUGE * 20, "'a'", "True", "None", "1_000"),
    *('{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', '"\\u0000"', '"\\ud800"'),
    *('"\\', "[" * 100_000, '{"a":' * 100_000, "[" * 60 + "]" * 60),
    *("[1,]", '{"a": 1,}', "/* a */ 1", "// a\n1", "\0", "\ufeff1", '"a\nb"', "nul", "undefined"),
)
# fmt: on
BOMB = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9) if i else 'lol'}]" for i in range(10))


@dataclass
class Case:
    """One mutated configuration: the name of its file, its bytes, what was done, and the keys that were touched."""

    name: str
    content: bytes
    done: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def complete(name: str) -> dict[str, Any]:
    """Return a shipped configuration with the default one below it."""

    def merged(base: Any, over: Any) -> Any:
        if not (isinstance(base, dict) and isinstance(over, dict)):
            return over
        return base | {key: merged(base.get(key), value) for key, value in over.items()}

    base = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    return merged(base, yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8")))


def make_case(seed: int, number: int, *, small: bool = False) -> Case:
    """Return case ``number`` of a seed, of the small configurations only where that is asked for."""
    rng = random.Random(f"{seed}/{number}")
    shipped = dict(list(SHIPPED.items())[: 2 if small else 4])
    name = rng.choices(list(shipped), list(shipped.values()))[0]
    kind = rng.choices(("tree", "yaml", "json"), (12, 6, 2))[0]
    if kind == "tree":
        return _mutated_tree(complete(name), rng)
    if kind == "json":
        text = json.dumps(complete(name), indent=1)
        case = Case("case.json", b"")
        content = _mutated_text(text, JSON_TOKENS, re.compile(r"(?<=: )[^\n{\[,]+"), rng, case)
    else:
        raw = rng.random() < 0.5 or name != "config.yaml"
        text = yaml.safe_dump(complete(name)) if raw else (ROOT / "config" / name).read_text(encoding="utf-8")
        case = Case("config/config.yaml", b"")
        content = _mutated_text(text, TOKENS, re.compile(r"(?<=: )[^\n{\[#]+"), rng, case)
    case.content = content
    return case


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree[:20]) if isinstance(tree, list) else ()
    return [place for key, value in items for place in ((*path, key), *_places(value, (*path, key)))]


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _mutated_tree(tree: dict[str, Any], rng: random.Random) -> Case:
    case = Case("config/config.yaml", b"")
    for _ in range(rng.choices((1, 2, 3), (8, 2, 1))[0]):
        places = _places(tree)
        if places:
            _mutate_place(tree, rng.choice(places), places, rng, case)
    if rng.random() < 0.2:
        case.name = "case.json"
        case.content = json.dumps(tree, default=str).encode("utf-8", "surrogatepass")
    else:
        case.content = yaml.safe_dump(tree, allow_unicode=True, width=10**9).encode("utf-8", "surrogatepass")
    return case


def _mutate_place(
    tree: Any, path: tuple[Any, ...], places: list[tuple[Any, ...]], rng: random.Random, case: Case
) -> None:
    parent, key = _at(tree, path[:-1]), path[-1]
    old = parent[key]
    deed = rng.choices(
        ("value", "scale", "delete", "rename", "wrap", "add", "copy", "type", "file", "neighbour"),
        (8, 6, 2, 2, 1, 2, 1, 1, 1, 1),
    )[0]
    if deed == "value":
        parent[key] = rng.choice(VALUES)
    elif deed == "scale":
        numeric = isinstance(old, int | float) and not isinstance(old, bool)
        scaled = (old or 1) * 10.0 ** rng.uniform(-12, 12) if numeric else rng.choice(VALUES)
        parent[key] = round(scaled) if isinstance(old, int) and numeric and rng.random() < 0.7 else scaled
    elif deed == "delete":
        del parent[key]
    elif deed == "rename" and isinstance(parent, dict):
        new = rng.choice(
            (
                str(key)[:-1],
                f"{key}s",
                "",
                " ",
                "x" * 405_000,
                "a\0b",
                "{y}",
                "é",
                "[b]",
                str(key).upper(),
                5,
                None,
                True,
            )
        )
        parent[new] = parent.pop(key)
        case.keys.append(str(new))
    elif deed == "wrap":
        parent[key] = rng.choice(([old], [[old]], {"a": old}, [old, old], {str(key): old}))
    elif deed == "add" and isinstance(old, dict):
        new = rng.choice(
            (f"extra{rng.random():.3f}", *(place[-1] for place in rng.sample(places, min(5, len(places)))))
        )
        old[new] = rng.choice(VALUES)
        case.keys.append(str(new))
    elif deed == "copy":
        parent[key] = json.loads(json.dumps(_at(tree, rng.choice(places)), default=str))
    elif deed == "type":
        parent[key] = str(old) if rng.random() < 0.5 else [old]
    elif deed == "file" and isinstance(old, dict):
        old["file"] = rng.choice(("/dev/zero", "pipe", "sparse", ".", "no/such", "text.py", "a\0b", "n" * 5000))
        case.keys.append("file")
    else:
        parent[key] = rng.choice((0, -1, 1e9, None, "x"))
    case.done.append(f"{deed} {'.'.join(map(str, path))}"[:200])
    case.keys += [str(part) for part in path if isinstance(part, str)]


def _line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.choice(("twice", "gone", "dedent", "indent", "swap"))
    if what == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    else:
        new = {"twice": [lines[at]] * 2, "gone": [], "dedent": [lines[at].lstrip()], "indent": ["  " + lines[at]]}
        lines[at : at + 1] = new[what]
    return "".join(lines)


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(1, len(text))]


def _character(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text))
    return text[:place] + rng.choice(":{}[]&*!|>'\"%@`#,?-\t\0\r\x85\ufffe") + text[place + 1 :]


def _bomb(text: str, rng: random.Random) -> str:
    return f"{BOMB}\n{text}" if rng.random() < 0.5 else f"{text}\n{BOMB}\n"


def _long(text: str, rng: random.Random) -> str:
    more = ("# " + "x" * 3_000_000, "\n" * 500_000, "a: 1\n" * 100_000, f"k: [{'1, ' * 200_000}1]")
    return text + rng.choice(more)


DEEDS: dict[Callable[[str, random.Random], str], int] = {_line: 3, _cut: 1, _character: 2, _bomb: 1, _long: 1}


def _mutated_text(text: str, tokens: tuple[str, ...], scalar: re.Pattern[str], rng: random.Random, case: Case) -> bytes:
    for _ in range(rng.choices((1, 2), (5, 1))[0]):
        places = list(scalar.finditer(text))
        if places and rng.random() < 0.6:
            match, token = rng.choice(places), rng.choice(tokens)
            text = text[: match.start()] + token + text[match.end() :]
            case.done.append(f"token {token[:40]!r} for {match[0]!r}")
        else:
            deed = rng.choices(list(DEEDS), list(DEEDS.values()))[0]
            text = deed(text, rng)
            case.done.append(deed.__name__)
    if rng.random() < 0.05:
        case.done.append("encoding")
        return text.encode(rng.choice(("utf-16", "latin-1", "utf-32")), "replace")
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    if rng.random() < 0.05:
        case.done.append("bytes")
        for _ in range(rng.choice((1, 3))):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)
