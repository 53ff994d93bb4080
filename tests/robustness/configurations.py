"""Mutated configurations: each is accepted or refused in words, in bounded time and memory, whatever is wrong with it.

    python -m tests.robustness.configurations --number 2000 --seed 1

Every case is one of the shipped configurations with one to three mutations (see ``mutations.py``). It is validated as by
`hrtem-ood validate`; one that is accepted is expanded, too, down to the jobs of its run. Each runs in a process of its own,
with 1 GiB of memory beyond that of the imports and 5 s of processor time. The last line is one JSON object of counts. Cases of
a seed are always the same, and `--only NUMBER` shows one.
"""

import argparse
import contextlib
import importlib
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.robustness.mutations import ROOT, Case, make_case

SECONDS, WALL_SECONDS, BYTES = 5, 60, 2**30
"""Of processor time and of waiting in one case; of memory beyond that of the imports."""

LONGEST_LINE, LONGEST_MESSAGE = 2000, 20_000
"""Characters of a refusal: a list of valid keys is one line."""


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
    """Run a case, in the forked process; never return."""
    code = 98
    os.chdir(folder)
    with (
        output.open("w", encoding="utf-8", errors="backslashreplace") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
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


def names_place(case: Case, message: str) -> bool:
    """Whether a refusal says where: a line of the file, the whole file, or a key, of the configuration or one touched."""
    from hrtem_ood.config.campaign import CampaignConfig

    whole = r"line \d+|byte \d+|must be a mapping of keys to values; see|is too large: |the key `.*` occurs twice"
    whole += r"|JSON\.\n *nests more than|on which others are merged|: unknown key|contains the character"
    if re.search(whole, message):
        return True
    keys = {*CampaignConfig.model_fields, "configuration", *(key[:30] for key in case.keys)}
    ahead = re.findall(r"^(?:hrtem-ood: +| *)(.{1,500}?): ", message, re.MULTILINE)
    return any(place.split(".")[0][:30] in keys for place in ahead)


def problem_of(case: Case, outcome: str, message: str) -> str | None:
    """Return what is wrong with an outcome, if anything."""
    if outcome not in ("accepted", "refused"):
        return outcome
    if "Traceback" in message:
        return "traceback"
    if outcome == "accepted":
        return None
    longest = max((len(line) for line in message.splitlines()), default=0)
    if longest > LONGEST_LINE or len(message) > LONGEST_MESSAGE:
        return "long"
    return None if names_place(case, message) else "no key"


@contextlib.contextmanager
def folder_of_cases() -> Iterator[Path]:
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


def show(number: int, case: Case, outcome: str, message: str, *, lines: int) -> None:
    """Print a case and the last lines of what it printed."""
    print(f"{number}: {outcome}, {case.name}, {case.done}")
    for line in message.splitlines()[-lines:]:
        print("    " + line[:300], flush=True)


def main() -> int:
    """Run cases and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="Mutate the small configurations only.")
    parser.add_argument("--only", type=int, help="Show this case and what comes of it.")
    options = parser.parse_args()
    for each in (
        "campaign.load",
        "campaign.dag",
        "campaign.config_warnings",
        "campaign.structure_inputs",
        "cli.render.validate",
    ):
        importlib.import_module(f"hrtem_ood.{each}")  # what every case needs, once
    outcomes: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    slowest_s = 0.0
    with folder_of_cases() as folder:
        for number in range(options.number) if options.only is None else [options.only]:
            case = make_case(options.seed, number, small=options.small)
            outcome, message, seconds = run_case(case, folder)
            problem = problem_of(case, outcome, message)
            outcomes[outcome] += 1
            problems.update([problem] if problem else [])
            slowest_s = max(slowest_s, seconds)
            if problem or options.only is not None:
                show(number, case, f"{outcome} ({problem}) in {seconds:.1f} s", message, lines=6 if problem else 1000)
    counts = {"cases": outcomes.total(), "outcomes": outcomes, "problems": problems, "slowest_s": round(slowest_s, 2)}
    print(json.dumps(counts | {"ok": not problems}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
