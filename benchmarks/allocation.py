"""What it saves a small network to keep freed memory, against giving it back to the system as the C library does by default.

Each round is a process of its own, in turn: the setting cannot be taken back. Forward passes and training steps of
`unet_8_3` on batches of eight images of 128 px, one thread; see `hrtem_ood.malloc`.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import torch
from report import alternate, median_ratio, report

from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.malloc import keep_freed_memory

ROUNDS, FORWARD, STEPS = 3, 60, 30


def worker() -> None:
    """Print seconds per forward pass and per step."""
    torch.set_num_threads(1)
    network = build(Architecture(name="unet", base_channels=8, depth=3))
    image, optimizer = torch.randn(8, 1, 128, 128), torch.optim.AdamW(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        network(image).square().mean().backward()
        optimizer.step()

    def timed(number: int, work: Callable[[], object]) -> float:
        work()
        begin = perf_counter()
        for _ in range(number):
            work()
        return (perf_counter() - begin) / number

    with torch.inference_mode():
        forward = timed(FORWARD, lambda: network.eval()(image))
    network.train()
    sys.stdout.write(json.dumps([forward, timed(STEPS, step)]) + "\n")


def main() -> None:
    """Measure and report."""
    found: dict[str, list[list[float]]] = {"kept": [], "given back": []}

    def run(name: str) -> None:
        command = [sys.executable, __file__, name]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
        found[name].append(json.loads(done.stdout.splitlines()[-1]))

    alternate({name: partial(run, name) for name in found}, ROUNDS)
    figures: dict[str, float] = {}
    for place, what in enumerate(("forward pass", "step")):
        seconds = {name: [each[place] for each in runs] for name, runs in found.items()}
        figures |= {f"{what}, memory {name} [ms]": 1e3 * median(times) for name, times in seconds.items()}
        figures[f"{what}: given back / kept"] = median_ratio(seconds["given back"], seconds["kept"])
    report("allocation", figures, [], [f"Medians of {ROUNDS} processes each, in turn; one CPU thread."])


if __name__ == "__main__":
    if sys.argv[1:]:
        if sys.argv[1] == "kept":
            keep_freed_memory()
        worker()
    else:
        main()
