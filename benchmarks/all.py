"""Run the benchmarks of this folder, all or those named, and write their sections of docs/benchmarks.md.

python benchmarks/all.py [NAME…]
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
NOT_BENCHMARKS = {
    "all",
    "report",
    "gpu",
    "gpu_physics",
    "gpu_learning",
    "gpu_evaluation",
    "gpu_timing",
}  # GPUs: gpu/accept.sh
PACKAGES = ("torch", "pytorch-lightning", "numpy", "zarr", "snakemake", "abtem")


def run(script: Path) -> tuple[str, dict[str, Any]]:
    """Run a benchmark, and return what it printed and its last line's figures."""
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, encoding="utf-8", check=False)
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
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text(encoding="utf-8").splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def section(script: Path) -> str:
    """Run a benchmark and return its section of the page."""
    table, told = run(script)
    kept = sum(budget["ok"] for budget in told["budgets"])
    measured = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {kept} of {len(told['budgets'])} budgets are kept."
    return "\n".join([f"## {told['benchmark']}", "", measured, "", "```", *table.splitlines()[1:], "```"])


def sections() -> dict[str, str]:
    """Return the sections of the page as it is, by name."""
    if not PAGE.exists():
        return {}
    parts = PAGE.read_text(encoding="utf-8").rstrip().split("\n\n## ")[1:]
    return {part.split("\n", 1)[0]: f"## {part}" for part in parts}


def main(names: list[str]) -> None:
    """Run benchmarks and write the page, each section as soon as there is one."""
    scripts = {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem not in NOT_BENCHMARKS}
    if unknown := set(names) - set(scripts):
        sys.exit(f"no benchmarks: {', '.join(sorted(unknown))}; there are {', '.join(scripts)}.")
    head = (
        f"# Benchmarks\n\nWritten by `make bench` on {machine()}.\n\n"
        "Ratios are of two things measured in turn in one run; they carry over to other machines, the rates and seconds do\n"
        "not. What is measured against what is told at the top of each script in `benchmarks/`."
    )
    for name in names or scripts:
        found = sections() | {name: section(scripts[name])}
        PAGE.write_text(
            "\n\n".join([head, *(found[each] for each in scripts if each in found)]) + "\n", encoding="utf-8"
        )
    sys.stdout.write(f"{PAGE.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
