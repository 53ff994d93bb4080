"""Run every benchmark of this folder and write docs/benchmarks.md.

python benchmarks/all.py
"""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
NOT_BENCHMARKS = {"all", "report"}
PACKAGES = ("torch", "pytorch-lightning", "numpy", "zarr", "snakemake", "abtem")


def run(script: Path) -> tuple[str, dict[str, Any]]:
    """Run a benchmark, and return what it printed and its last line's figures."""
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  # our own
    if done.returncode:
        sys.exit(f"{script.name} ended with exit code {done.returncode}; docs/benchmarks.md is left as it was.")
    *table, last = done.stdout.splitlines()
    sys.stdout.write("\n".join(table) + "\n\n")
    return "\n".join(table), json.loads(last)


def machine() -> str:
    """Tell what the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def main() -> None:
    """Run all benchmarks and write the page."""
    scripts = sorted(path for path in HERE.glob("*.py") if path.stem not in NOT_BENCHMARKS)
    text = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine()}.",
        "",
        "Ratios are of two things measured in turn in one run; they carry over to other machines, the rates and seconds do",
        "not. What is measured against what is told at the top of each script in `benchmarks/`.",
        "",
    ]
    for script in scripts:
        table, told = run(script)
        kept = sum(budget["ok"] for budget in told["budgets"])
        text += [f"## {told['benchmark']}", "", f"{kept} of {len(told['budgets'])} budgets are kept.", ""]
        text += ["```", *table.splitlines()[1:], "```", ""]
    PAGE.write_text("\n".join(text).rstrip() + "\n")
    sys.stdout.write(f"{PAGE.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()
