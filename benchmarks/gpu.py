"""Rates of simulation, imaging, training and evaluation on a GPU, each beside a peer or a bound, as one JSON.

python benchmarks/gpu.py [--tests tests/gpu's junit.xml] [--output gpu-result.json]

Without a GPU it only says so. `gpu/accept.sh` runs it after the tests. The figures of docs/gpu.md are from its JSON.
"""

import argparse
import importlib
import json
import platform
import subprocess
import sys
import traceback
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any
from xml.etree import ElementTree

PARTS = ("gpu_physics", "gpu_learning", "gpu_evaluation")
"""Modules beside this one; each has ``measure``, which returns figures by name."""
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


def main() -> None:
    """Measure every part, and write the JSON after each, so that a part that fails loses no other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--output", type=Path, default=Path("gpu-result.json"))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    if arguments.tests is not None:
        result["tests"] = outcomes(arguments.tests)
    exit_code = 0
    for part in arguments.parts if gpu_name() else ():
        start = perf_counter()
        try:
            result[part] = importlib.import_module(part).measure()
        except Exception as error:  # its trace is printed, and the exit code tells
            traceback.print_exc()
            result[part], exit_code = {"error": f"{type(error).__name__}: {error}"}, 1
        result[part]["seconds"] = round(perf_counter() - start, 1)
        arguments.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if not gpu_name():
        result["note"] = "PyTorch finds no GPU here, so nothing was measured"
    text = json.dumps(result, indent=2) + "\n"
    arguments.output.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
