"""Checks of a machine: whether it has what the project uses, what is wrong, and how to fix it."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hrtem_ood.execution.gpu_checks import cuda, cupy_, gpu, torch_
from hrtem_ood.execution.machine_check import Check
from hrtem_ood.execution.slurm_client import SlurmError, config, slurm_available, submit_limits

SCRATCH_GB = 5.0
"""Smallest free space that passes the check: a shard of exit waves at full size has some gigabytes."""


def run_checks(results: Path) -> list[Check]:
    """Check GPUs, CuPy, PyTorch, CUDA, FFTs, scratch space, the results folder and SLURM.

    Parameters
    ----------
    results : Path
        The results folder.
    """
    checks: list[Callable[[], Check]] = [gpu, torch_, cupy_, cuda, fft, scratch]
    checks += [lambda: folder(results), slurm, slurm_jobs]
    return [check() for check in checks]


def fft() -> Check:
    """Whether FFTs work, and how fast."""
    import numpy as np
    import scipy.fft

    wave = np.ones((640, 640), np.complex64)
    scipy.fft.fft2(wave)
    begin = time.perf_counter()
    spectrum = scipy.fft.fft2(wave)
    ms = 1000 * (time.perf_counter() - begin)
    if spectrum.dtype != np.complex64 or abs(spectrum[0, 0] - wave.size) > 1:
        return Check("FFT", "wrong", f"SciPy's FFT gives {spectrum[0, 0]} of {wave.size} ones", "Reinstall SciPy.")
    return Check("FFT", "good", f"SciPy, 640² in {ms:.1f} ms")


def scratch() -> Check:
    """Whether there is enough scratch space."""
    where = Path(tempfile.gettempdir())
    free = shutil.disk_usage(where).free / 1e9
    details = f"{where}, {free:.0f} GB free"
    if free < SCRATCH_GB:
        return Check(
            "scratch", "wrong", details, f"Set `tmpdir` in the profile to a place with {SCRATCH_GB:g} GB or more."
        )
    return Check("scratch", "good", details)


def folder(results: Path) -> Check:
    """Whether results can be written, and files there renamed as artifacts and leases need it."""
    where = next(path for path in (results, *results.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryDirectory(dir=where) as name:
            first, second = Path(name) / "a", Path(name) / "b"
            first.write_text("a", encoding="utf-8")
            os.close(os.open(second, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            first.replace(second)
    except OSError as error:
        return Check(
            "results", "wrong", f"{where}: {error.strerror}", "Work in a folder of your own, on a shared disk."
        )
    return Check("results", "good", f"{where}, {shutil.disk_usage(where).free / 1e9:.0f} GB free")


def slurm() -> Check:
    """Whether SLURM answers, and its limits."""
    if not slurm_available():
        return Check("SLURM", "absent", "campaigns run on this machine")
    try:
        limits = submit_limits()
    except SlurmError as error:
        return Check("SLURM", "wrong", str(error), "Contact the administrators of the cluster.")
    jobs = limits.jobs
    details = f"MaxArraySize {limits.array}, MaxSubmitJobs {'unlimited' if jobs is None else jobs}"
    if jobs is not None and jobs <= 200:
        return Check("SLURM", "wrong", details, f"Set `jobs` in the profile below {jobs}, so that no job is refused.")
    return Check("SLURM", "good", details)


def slurm_jobs() -> Check:
    """Whether SLURM keeps ended jobs in its queue for long enough for Snakemake to check them."""
    if not slurm_available():
        return Check("SLURM jobs", "absent", "no SLURM here")
    try:
        age = int(config()["MinJobAge"].split()[0])
    except SlurmError as error:
        return Check("SLURM jobs", "wrong", str(error), "Contact the administrators of the cluster.")
    if age < 200:
        return Check(
            "SLURM jobs",
            "wrong",
            f"MinJobAge {age} s: squeue drops ended jobs before Snakemake checks them",
            "Set `slurm-status-command: sacct` in the profile; do not cancel single jobs then.",
        )
    return Check("SLURM jobs", "good", f"MinJobAge {age} s")
