"""Rates of simulation, imaging, training and evaluation on a GPU, each beside a peer or a bound, as one JSON.

python benchmarks/gpu.py [--tests tests/gpu's junit.xml] [--output gpu-result.json] [--until TIME] [--cpu]

Without a GPU it only tries the scripts, on small cases. `gpu/accept.sh` runs it after the tests, until its time is up; the
JSON names the parts that are left out then. The figures of docs/gpu.md are from its JSON.
"""

import argparse
import importlib
import json
import math
import platform
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gpu_timing import Measured, Parts, measured

MODULES = ("gpu_learning", "gpu_evaluation", "gpu_physics")
"""Modules beside this one; each has ``parts``, which returns what it measures."""
PACKAGES = ("numpy", "torch", "pytorch-lightning", "cupy-cuda13x", "cupy-cuda12x", "cupy", "abtem", "zarr")


def gpu_name() -> str | None:
    """Return the GPU's name, or None without one."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def machine() -> dict[str, Any]:
    """Tell what the figures are measured on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        cards = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        cards = []
    return {"gpu": gpu_name(), "cards": cards, "python": platform.python_version(), "packages": versions}


def outcomes(junit: Path) -> dict[str, Any]:
    """Count the tests of a JUnit file, and name those that failed."""
    if not junit.exists():
        return {"error": "the tests wrote no result: they were ended before, or could not start"}
    suite = ElementTree.parse(junit).getroot()[0]  # noqa: S314  # pytest's own, of the run before
    cases = suite.findall("testcase")
    failed = [f"{case.get('classname')}.{case.get('name')}" for case in cases if case.find("failure") is not None]
    failed += [f"{case.get('classname')}.{case.get('name')}" for case in cases if case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    seconds = float(suite.get("time", "0"))
    return {"run": len(cases), "failed": failed, "skipped": skipped, "seconds": round(seconds, 1)}


def parts_of(module: str, *, on_gpu: bool) -> Parts:
    """Return the parts of a module; one that cannot be imported, or finds no device, is a part that fails."""
    try:
        parts: Parts = importlib.import_module(module).parts(on_gpu=on_gpu)
    except Exception as error:  # whatever a library or a driver reports
        return {module: partial(failing, error)}
    return parts


def failing(error: Exception) -> dict[str, float]:
    """Raise an error."""
    raise error


def main() -> None:
    """Measure every part, and write the JSON after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--output", type=Path, default=Path("gpu-result.json"))
    parser.add_argument("--modules", nargs="*", choices=MODULES, default=MODULES)
    parser.add_argument(
        "--until", type=float, default=math.inf, help="time [s since the epoch] after which no part begins"
    )
    parser.add_argument("--cpu", action="store_true", help="small cases on the CPU, to try the scripts")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    if arguments.tests is not None:
        result["tests"] = outcomes(arguments.tests)

    def write(found: Measured) -> str:
        result.update(asdict(found))
        text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        arguments.output.write_text(text, encoding="utf-8")
        return text

    on_gpu = gpu_name() is not None and not arguments.cpu
    if not on_gpu:
        result["note"] = "small cases on the CPU, which try the scripts and measure nothing"
    each = (parts_of(module, on_gpu=on_gpu) for module in arguments.modules)
    parts = {name: part for of_one in each for name, part in of_one.items()}
    found = measured(parts, until=arguments.until, after_each=write)
    sys.stdout.write(write(found))
    sys.exit(bool(found.failed))


if __name__ == "__main__":
    main()
