"""Collect the wheels with which `gpu/accept.sh` runs on a machine that reaches no package index.

python gpu/collect_wheels.py [--python 3.12] [--folder build/gpu-wheels]

The names stand in gpu/wheels.txt, the versions in envs/cpu.lock. The last line is the total; more than 40 MiB is an error.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE.parent / "envs" / "cpu.lock"
LIMIT_MIB = 40
GLIBC_MINORS = (17, 24, 27, 28, 31, 34, 35)
"""pip takes a wheel only if its platform is named exactly: these are the versions of glibc that wheels are built for."""


def normalized(name: str) -> str:
    """Return a package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(names: list[str]) -> list[str]:
    """Return the requirements ``name==version`` of packages.

    Raises
    ------
    SystemExit
        If the lock has no such package.
    """
    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line]
    lock = {normalized(line.partition("==")[0]): line for line in lines}
    missing = [name for name in names if normalized(name) not in lock]
    if missing:
        raise SystemExit(f"gpu/wheels.txt names {', '.join(missing)}, which envs/cpu.lock does not have.")
    return [lock[normalized(name)] for name in names]


def download(requirements: list[str], python: str, folder: Path) -> None:
    """Download a wheel for each requirement, without what it requires."""
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in GLIBC_MINORS]
    platforms += ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64"]
    options = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    options += [part for platform in platforms for part in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", str(folder), *requirements]
    done = subprocess.run(command, check=False)  # noqa: S603  # pip, and our own list
    if done.returncode:
        raise SystemExit(f"pip could not download all wheels (exit code {done.returncode}); see its message above.")


def main() -> None:
    """Collect the wheels, and print their number and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="3.12", help="the machine's Python (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=HERE.parent / "build" / "gpu-wheels")
    arguments = parser.parse_args()
    lines = (HERE / "wheels.txt").read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for old in arguments.folder.glob("*.whl"):  # two versions of one package would stop the installation
        old.unlink()
    download(pinned(names), arguments.python, arguments.folder)
    wheels = list(arguments.folder.glob("*.whl"))
    size_mib = sum(wheel.stat().st_size for wheel in wheels) / 2**20
    print(f"{len(wheels)} wheels, {size_mib:.1f} MiB, in {arguments.folder}")  # noqa: T201  # a script
    if size_mib > LIMIT_MIB:
        raise SystemExit(f"These are more than {LIMIT_MIB} MiB: take packages out of gpu/wheels.txt.")


if __name__ == "__main__":
    main()
