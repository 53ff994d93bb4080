"""Rates of simulation, imaging, training and evaluation on a GPU, each beside a peer or a bound, as one JSON.

python benchmarks/gpu.py [--tests FILE…] [--output gpu-result.json] [--until TIME] [--cpu]

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
from collections.abc import Sequence
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


LEFT_OUT = "no time is left"
"""Begin of the reason with which tests/gpu/conftest.py skips what would begin too late."""


def outcomes(junits: Sequence[Path]) -> dict[str, Any]:
    """Count the tests of JUnit files, and name those that failed, and those for which no time was left."""
    found: dict[str, Any] = {"run": 0, "skipped": 0, "failed": [], "left_out": [], "seconds": {}, "missing": []}
    for junit in junits:
        if not junit.exists():  # they were ended before, or could not start
            found["missing"].append(junit.stem)
            continue
        suite = ElementTree.parse(junit).getroot()[0]  # noqa: S314  # pytest's own, of the run before
        found["seconds"][junit.stem] = round(float(suite.get("time", "0")), 1)
        for case in suite.findall("testcase"):
            name, skip = f"{case.get('classname')}.{case.get('name')}", case.find("skipped")
            found["run"] += 1
            if any(case.find(kind) is not None for kind in ("failure", "error")):
                found["failed"].append(name)
            elif skip is not None:
                late = (skip.get("message") or "").startswith(LEFT_OUT)
                found["left_out"] += [name] if late else []
                found["skipped"] += not late
    return found


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
    parser.add_argument("--tests", type=Path, nargs="*", help="JUnit files of tests/gpu")
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
    unseen = not on_gpu and not arguments.cpu and bool(result["machine"]["cards"])
    if unseen:
        sys.stderr.write("nvidia-smi lists a GPU that PyTorch does not find; `hrtem-ood doctor` says why\n")
    sys.exit(bool(found.failed or found.left_out or unseen))


if __name__ == "__main__":
    main()
