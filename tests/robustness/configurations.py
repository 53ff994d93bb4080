"""Mutated configurations: each is accepted or refused in words, in bounded time and memory, whatever is wrong with it.

    python tests/robustness/configurations.py --number 2000 --seed 1

Every case is one of the shipped configurations with one to three mutations: of keys, types, values and structure, or of the
text. It is validated as by `hrtem-ood validate`; one that is accepted is expanded, too, down to the jobs of its run. Each runs
in a process of its own, with 1 GiB of memory and 5 s of processor time. The last line is one JSON object of counts. All cases
of a seed are the same ones, and `--only NUMBER` shows one.
"""

import argparse
import contextlib
import json
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SHIPPED = ("config.yaml", "paper.yaml", "experiments/transfer.yaml", "experiments/wider.yaml")

SECONDS, WALL_SECONDS, BYTES = 5, 60, 2**30
"""Of processor time and of waiting in one case; of memory beyond that of the imports."""

HUGE = "9" * 400
VALUES: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3.5, -0.0, 1e-300, 5e-324, 1e-6, 1e6, 1e12, 1e300, -1e300, 2**31, 2**63, 2**64, 10**400, -(10**400)),
    *(
        float("nan"),
        float("inf"),
        -float("inf"),
        True,
        False,
        None,
        "",
        " ",
        "none",
        "12",
        "1e3",
        "-5",
        "1e400",
        "0x1F",
        "nan",
    ),
    *(
        "a" * 405_000,
        "é" * 50,
        "Å",
        "../../etc/passwd",
        "{y}",
        "%s",
        "[red]x[/red]",
        "$(id)",
        "a\nb",
        "a\0b",
        "\x1b[31m",
        "-",
    ),
    *("/dev/zero", "pipe", "sparse", ".", "no/such", "config/config.yaml", "text.py", "x" * 5000, "\u202e", "*", "~"),
    *(
        [],
        {},
        [[]],
        [[[[]]]],
        [0, 0],
        [1, 2, 3],
        [2, 1],
        ["a"],
        [None],
        [True, False],
        {"a": 1},
        {"": {}},
        {"a": {"b": {"c": []}}},
    ),
    *(list(range(3_000)), list(range(300_000)), [1e-3 * i for i in range(40_000)], {f"k{i}": i for i in range(3000)}),
)
TOKENS = (
    *(
        ".inf",
        "-.inf",
        ".nan",
        "1e400",
        "-1e400",
        "0x1F",
        "0o7",
        "0b11",
        "010",
        "1_000",
        "1:30",
        "190:20:30",
        "1:30.5",
        "+1",
        "1.",
    ),
    *(
        ".5",
        "1e5",
        "1.0e+5",
        "0x",
        "0b",
        "_1",
        "1__0",
        "1_",
        HUGE,
        HUGE * 20,
        f"-{HUGE}",
        f"1e{HUGE}",
        f"0x{HUGE}",
        "1e-400",
    ),
    *(
        "2001-01-01",
        "2001-99-99",
        "2001-01-01T99:99:99",
        "!!timestamp x",
        "!!binary x",
        "!!binary aGVsbG8=",
        "!!set {a, b}",
    ),
    *(
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
        "!!python/object/apply:os.system [id]",
        "!!python/name:os.system",
        "!!int x",
        "!!int ''",
    ),
    *(
        "!!float x",
        "!!float ''",
        "!!bool x",
        "!!null x",
        "!!str 5",
        "!!seq x",
        "!!map x",
        "!!map [a]",
        "!foo x",
        "!!int 1.5",
        "!!int [1]",
    ),
    *(
        "{? [a, b] : c}",
        "{? {a: b} : c}",
        "&a [*a]",
        "&a {b: *a}",
        "*nope",
        "{<<: 5}",
        "{<<: [1]}",
        "&m {<<: *m}",
        "<<",
        "=",
        "~",
    ),
    *(
        "{<<: {a: 1}, <<: {b: 2}}",
        "{<<: [{a: 1}, {a: 2}]}",
        "{a: 1, a: 2}",
        '"\\0"',
        '"\\x07"',
        '"\\uD800"',
        "\0",
        "\x07",
        "'",
    ),
    *(
        "[" * 40 + "]" * 40,
        "[" * 5000 + "]" * 5000,
        "{a: " * 300 + "1" + "}" * 300,
        "[" * 100_000,
        "|\n  text\n",
        "- - - a",
        "@a",
        "`a`",
    ),
    *(
        "%YAML 3.0",
        "\n---\na: 1",
        "\n...\n",
        "\t",
        ": :",
        "? ",
        "!",
        "&",
        "{",
        "}",
        "[",
        "]",
        "#",
        "\ufeff",
        "\u2028",
        "yes",
        "NO",
        "on",
    ),
)
JSON_TOKENS = (
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-0",
        "01",
        "1.",
        ".5",
        "0x1F",
        HUGE,
        HUGE * 20,
        "'a'",
        "True",
        "None",
        "1_000",
    ),
    *(
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '"\\u0000"',
        '"\\ud800"',
        '"\\',
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 60 + "]" * 60,
    ),
    *("[1,]", '{"a": 1,}', "/* a */ 1", "// a\n1", "\0", "\ufeff1", '"a\nb"', "nul", "undefined"),
)
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

    base = yaml.safe_load((ROOT / "config" / SHIPPED[0]).read_text(encoding="utf-8"))
    return merged(base, yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8")))


def make_case(seed: int, number: int) -> Case:
    """Return case ``number`` of a seed."""
    rng = random.Random(f"{seed}/{number}")
    name = rng.choices(SHIPPED, (6, 1, 1, 4))[0]
    kind = rng.choices(("tree", "yaml", "json"), (12, 6, 2))[0]
    if kind == "tree":
        return _mutated_tree(complete(name), rng)
    if kind == "json":
        text = json.dumps(complete(name), indent=1)
        case = Case("case.json", b"")
        content = _mutated_text(text, JSON_TOKENS, re.compile(r"(?<=: )[^\n{\[,]+"), rng, case)
    else:
        raw = rng.random() < 0.5 or name != SHIPPED[0]
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


def _mutated_text(text: str, tokens: tuple[str, ...], scalar: re.Pattern[str], rng: random.Random, case: Case) -> bytes:
    for _ in range(rng.choices((1, 2), (5, 1))[0]):
        lines = text.splitlines(keepends=True)
        at, deed = (
            rng.randrange(len(lines)),
            rng.choices(("token", "line", "cut", "chars", "bomb", "bytes", "long"), (12, 3, 1, 2, 1, 1, 1))[0],
        )
        if deed == "token":
            match = rng.choice(list(scalar.finditer(text)))
            token = rng.choice(tokens)
            text = text[: match.start()] + token + text[match.end() :]
            deed = f"token {token[:40]!r} for {match[0]!r}"
        elif deed == "line":
            other = rng.randrange(len(lines))
            what = rng.choice(("twice", "gone", "dedent", "indent", "swap"))
            new = {"twice": [lines[at]] * 2, "gone": [], "dedent": [lines[at].lstrip()], "indent": ["  " + lines[at]]}
            if what == "swap":
                lines[at], lines[other] = lines[other], lines[at]
            else:
                lines[at : at + 1] = new[what]
            text, deed = "".join(lines), f"line {at + 1} {what}"
        elif deed == "cut":
            text = text[: rng.randrange(len(text))]
        elif deed == "chars":
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(":{}[]&*!|>'\"%@`#,?-\t\0\r\x85\ufffe") + text[place + 1 :]
        elif deed == "bomb":
            text = f"{BOMB}\n{text}" if rng.random() < 0.5 else f"{text}\n{BOMB}\n"
        elif deed == "long":
            text = text + rng.choice(
                ("# " + "x" * 3_000_000, "\n" * 500_000, "a: 1\n" * 100_000, f"k: [{'1, ' * 200_000}1]")
            )
        else:
            raw = bytearray(text.encode("utf-8", "surrogatepass"))
            for _ in range(rng.choice((1, 3))):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            case.done.append("bytes")
            return bytes(raw)
        case.done.append(deed)
    if rng.random() < 0.05:
        case.done.append("encoding")
        return text.encode(rng.choice(("utf-16", "latin-1", "utf-32")), "replace")
    return text.encode("utf-8", "surrogatepass")


def validate_and_expand(path: str) -> int:
    """Do what `hrtem-ood validate` does and print what it prints, then expand what it accepts down to its jobs."""
    from hrtem_ood.campaign import dag
    from hrtem_ood.campaign.load import load_campaign_from_files
    from hrtem_ood.cli import main

    try:
        main(["validate", path], standalone_mode=True)
    except SystemExit as end:
        if end.code:
            return int(end.code)
    campaign = load_campaign_from_files([Path(path)])
    dag.missing_artifacts(campaign, dag.existence_check(Path("results"), campaign))
    return 0


def run_case(case: Case, folder: Path) -> tuple[str, str, float]:
    """Run a case in a process of its own, and return its outcome, what was printed, and its processor time [s]."""
    for old in (folder / "case.json", folder / "config/config.yaml"):
        old.unlink(missing_ok=True)
    (folder / case.name).write_bytes(case.content)
    output = folder / "output"
    child = os.fork()
    if child == 0:
        _child(case, folder, output)
    deadline, status = time.monotonic() + WALL_SECONDS, None
    while status is None:
        done, ended, usage = os.wait4(child, os.WNOHANG)
        if done:
            status = ended
        elif time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.wait4(child, 0)
            return "hang", output.read_text(encoding="utf-8", errors="replace"), WALL_SECONDS
        else:
            time.sleep(0.002)
    text, seconds = output.read_text(encoding="utf-8", errors="replace"), usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status):
        return ("hang" if os.WTERMSIG(status) == signal.SIGXCPU else f"killed by {os.WTERMSIG(status)}"), text, seconds
    code = os.WEXITSTATUS(status)
    return {0: "accepted", 1: "refused", 2: "refused", 99: "memory"}.get(code, "traceback"), text, seconds


def _child(case: Case, folder: Path, output: Path) -> None:
    """Never return."""
    os.chdir(folder)
    with output.open("w", encoding="utf-8", errors="backslashreplace") as file, contextlib.redirect_stdout(file):
        with contextlib.redirect_stderr(file):
            code = 98
            try:
                resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 2))
                pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
                resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES,) * 2)
                code = validate_and_expand(case.name)
            except MemoryError:
                code = 99
                file.write("MemoryError")
            except BaseException:
                file.write(traceback.format_exc())
            file.flush()
    os._exit(code)


def names_key(case: Case, message: str) -> bool:
    """Whether a refusal names where: the file and line, a key that was touched, or one of the configuration."""
    from hrtem_ood.config.campaign import CampaignConfig

    keys = [*CampaignConfig.model_fields, *(key[:20] for key in case.keys if key.strip())]
    place = re.search(r"line \d+|byte \d+|configuration: |must be a mapping|is too large|is not valid JSON", message)
    return place is not None or any(key in message for key in keys)


def problem_of(case: Case, outcome: str, message: str) -> str | None:
    """Return what is wrong with an outcome, if anything."""
    if outcome not in ("accepted", "refused"):
        return outcome
    if "Traceback" in message:
        return "traceback"
    if outcome == "refused" and not names_key(case, message):
        return "no key"
    longest = max((len(line) for line in message.splitlines()), default=0)
    return "long" if outcome == "refused" and (longest > 3000 or len(message) > 40_000) else None


@contextlib.contextmanager
def folder_of_cases():
    """Make the folder that cases run in, with files that hang or fill the memory of whoever reads them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config/architectures").mkdir(parents=True)
        for shipped in (ROOT / "config/architectures").iterdir():
            if shipped.is_file():
                (folder / "config/architectures" / shipped.name).write_bytes(shipped.read_bytes())
        os.mkfifo(folder / "pipe")
        (folder / "text.py").write_text("x = 1\n", encoding="utf-8")
        with (folder / "sparse").open("wb") as sparse:
            sparse.truncate(50 * 10**9)
        yield folder


def main() -> int:
    """Run cases and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow", type=float, default=float(SECONDS), help="Show cases that take longer [s].")
    parser.add_argument("--only", type=int, help="Show this case and what comes of it.")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")
    # what every case needs, once
    import hrtem_ood.campaign.config_warnings
    import hrtem_ood.campaign.structure_inputs
    import hrtem_ood.cli.render.validate  # noqa: F401

    outcomes: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    slowest = 0.0
    with folder_of_cases() as folder:
        for number in range(options.number) if options.only is None else [options.only]:
            case = make_case(options.seed, number)
            outcome, message, seconds = run_case(case, folder)
            outcomes[outcome] += 1
            slowest = max(slowest, seconds)
            problem = problem_of(case, outcome, message)
            if problem is not None:
                problems[problem] += 1
            if problem is not None or options.only is not None or seconds > options.slow:
                print(f"{number}: {outcome} ({problem}), {seconds:.1f} s, {case.name}, {case.done}")
                print(
                    "    "
                    + "\n    ".join(line[:300] for line in message.splitlines()[-6 if options.only is None else 0 :]),
                    flush=True,
                )
    counts = {
        "cases": sum(outcomes.values()),
        "outcomes": dict(outcomes),
        "problems": dict(problems),
        "slowest_s": round(slowest, 2),
    }
    print(json.dumps(counts | {"ok": not problems}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
