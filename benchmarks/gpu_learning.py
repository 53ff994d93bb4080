"""Training on a GPU: what of the card it uses, against loops that do less, and against more processes.

Training is `fit` on images in memory, with the graph that the networks of a pack share and without. Its peers take the same
batches: a bare loop without Lightning, and a loop that replays one CUDA graph of a whole step, the optimiser's included. The loss
is timed alone, in the forms that it could have. Processes train at the same time on the same card. The overhead of a
network is what a pack takes beyond the bare loop's time for the same steps.

    python benchmarks/gpu_learning.py [--cpu]
"""

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from gpu_timing import REPEATS, Parts, measured, seconds_of, utilisation, wait_for
from report import report
from torch import Tensor, nn
from training import TRAINING_SET, write_dataset

from hrtem_ood.array_module import Device
from hrtem_ood.campaign.specs import NetworkSpec, PackSpec
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Batches, Images, read_images
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.fit import TrainingSettings, fit
from hrtem_ood.learning.training.losses import LOSS
from hrtem_ood.learning.training.step_graph import StepGraphs
from hrtem_ood.learning.training.training_data import epoch_batches
from hrtem_ood.stages.train import train

PACK, PACK_STEPS, VALIDATION = 16, 4, 16
WORKER_S = 4.0
"""Time that processes train side by side [s]."""


class Case(NamedTuple):
    """A network and its images.

    Attributes
    ----------
    architecture : dict
    side : int, [px]
    batch : int
    images : int
        In an epoch.
    epochs : int
    precision : str
    """

    architecture: dict[str, Any]
    side: int
    batch: int
    images: int
    epochs: int
    precision: str = "32-true"

    def spec(self, seed: int = 0, **hyperparameters: Any) -> NetworkSpec:
        """Return the network."""
        chosen = {
            "architecture": self.architecture,
            "batch_size": self.batch,
            "learning_rate": 3e-3,
            "epochs": self.epochs,
            "numeric_precision": self.precision,
            "seed": seed,
        }
        return NetworkSpec(training_set="t", hyperparameters=chosen | hyperparameters)


CASES = {
    "laptop (unet_8_3, 8 × 128²)": Case({"base_channels": 8, "depth": 3}, 128, 8, 1600, 2),
    "middle (unet_16_4, 16 × 256²)": Case({"base_channels": 16, "depth": 4}, 256, 16, 320, 2),
    "paper (unet_32_4, 16 × 640², bf16)": Case({"base_channels": 32, "depth": 4}, 640, 16, 96, 2, "bf16-mixed"),
}
SMALL = {"small (unet_2_1, 4 × 32²)": Case({"base_channels": 2, "depth": 1}, 32, 4, 16, 1)}
"""To see that the benchmark runs where there is no GPU."""


def discs(images: int, side: int, seed: int = 0) -> Images:
    """Return images of noisy discs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    centre = rng.uniform(0.25 * side, 0.75 * side, (2, images, 1, 1))
    label = (np.hypot(y - centre[0], x - centre[1]) < 0.2 * side).astype(np.uint8)
    return Images(torch.from_numpy(rng.poisson(8 + 8 * label).astype(np.uint8)), torch.from_numpy(label))


class Loop:
    """A bare loop over the batches of `fit`, with its validation, step by step or as one CUDA graph.

    Parameters
    ----------
    case : Case
    spec : NetworkSpec
    training, validation : Images
    device : torch.device
    graph : bool
        Whether to capture a step once, and to replay it.
    ready : bool
        Whether batches lie in memory, standardised, instead of being made.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        images: tuple[Images, Images],
        device: torch.device,
        *,
        graph: bool,
        ready: bool = False,
    ) -> None:
        self.spec, (self.training, self.validation), self.device = spec, images, device
        hyper = spec.hyperparameters
        self.loss, self.half = LOSS[hyper.loss], hyper.numeric_precision == "bf16-mixed"
        self.network = build(hyper.architecture).to(device).train()
        rate = torch.tensor(1e-4, device=device) if graph else 1e-4
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, fused=True, capturable=graph)
        self.ready = list(self._made(0)) if ready else None
        self.graph = self._capture() if graph else None

    def _made(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for image, label in epoch_batches(self.training, self.spec, epoch, self.device):
            yield image.contiguous(memory_format=torch.channels_last), label

    def _forward(self, image: Tensor, label: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half, cache_enabled=False):
            logits = self.network(image)
        return self.loss(logits.float(), label)

    def _step(self, image: Tensor, label: Tensor) -> None:
        self.optimizer.zero_grad()
        self._forward(image, label).backward()
        self.optimizer.step()

    def _capture(self) -> torch.cuda.CUDAGraph:
        self.image, self.label = (tensor.clone() for tensor in next(self._made(0)))
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                self._step(self.image, self.label)
        torch.cuda.current_stream().wait_stream(beside)
        self.optimizer.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._forward(self.image, self.label).backward()
            self.optimizer.step()
        return graph

    def run(self, *, validate: bool = True) -> None:
        """Train for the epochs of the spec."""
        for epoch in range(self.spec.hyperparameters.epochs or 1):
            self.network.train()
            for image, label in self.ready or self._made(epoch):
                if self.graph is None:
                    self._step(image, label)
                else:
                    self.image.copy_(image)
                    self.label.copy_(label)
                    self.graph.replay()
            if validate:
                self.network.eval()
                with torch.no_grad():
                    for image, label in Batches(self.validation, self.spec.hyperparameters.batch_size, self.device):
                        self._forward(image, label)
        wait_for(self.device)


def _draw_epoch(spec: NetworkSpec, images: Images, device: torch.device) -> None:
    """Make the batches of an epoch."""
    for _ in epoch_batches(images, spec, 0, device):
        pass


def training(device: torch.device, name: str, case: Case) -> dict[str, float]:
    """Measure images/s of `fit` and of its peers."""
    figures: dict[str, float] = {}
    images = (
        discs(case.images, case.side, 0).to_device_if_fits(device),
        discs(VALIDATION, case.side, 1).to_device_if_fits(device),
    )
    spec = case.spec()
    works: dict[str, Callable[[], object]] = {}
    with reproducible(), tempfile.TemporaryDirectory() as folder:
        graphs = {"fit": StepGraphs()} if device.type == "cuda" else {}
        for kind in ("fit", "fit, kernel by kernel"):
            settings = TrainingSettings(device, math.inf, graphs=graphs.get(kind))
            works[kind] = partial(fit, spec, *images, settings, Path(folder) / "none.resume")
        works["bare loop"] = Loop(spec, images, device, graph=False).run
        works["bare loop, batches ready"] = Loop(spec, images, device, graph=False, ready=True).run
        if device.type == "cuda":
            works["graph"] = Loop(spec, images, device, graph=True).run
            works["graph, batches ready"] = Loop(spec, images, device, graph=True, ready=True).run
        for kind, work in works.items():
            with utilisation() as busy:
                seconds = seconds_of(work, device)
            figures[f"training, {name}: {kind} [images/s]"] = case.images * case.epochs / seconds
            if busy:
                figures[f"training, {name}: {kind}: utilisation [%]"] = mean(busy)
        figures[f"batches alone, {name} [images/s]"] = case.images / seconds_of(
            partial(_draw_epoch, spec, images[0], device), device
        )
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return figures


def flat_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy over a flat list of pixels, which one block of threads adds up."""
    return nn.functional.cross_entropy(logits.movedim(1, -1).flatten(0, -2), label.flatten())


def softplus(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of two classes from their difference."""
    return nn.functional.softplus((1 - 2 * label) * (logits[:, 1] - logits[:, 0])).mean()


def losses(device: torch.device, *, batch: int = 16, side: int = 640) -> dict[str, float]:
    """Time a loss with its gradient [ms]."""
    logits = torch.randn(batch, 2, side, side, device=device).contiguous(memory_format=torch.channels_last)
    logits.requires_grad_()
    label = torch.randint(2, (batch, side, side), device=device)
    forms = {"flat cross-entropy": flat_cross_entropy, "softplus": softplus, "ours": LOSS["cross_entropy"]}

    def work(form: Callable[[Tensor, Tensor], Tensor]) -> None:
        for _ in range(10):
            logits.grad = None
            form(logits, label).backward()

    with reproducible():
        return {
            f"loss and gradient, {batch} × {side}²: {name} [ms]": 100 * seconds_of(partial(work, form), device)
            for name, form in forms.items()
        }


def processes(device: torch.device, number: int) -> dict[str, float]:
    """Measure images/s of some processes that train the first case side by side."""
    command = [sys.executable, __file__, "--worker", str(device)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(number)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()  # ready
    with utilisation() as busy:
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        rates = [float(worker.communicate()[0]) for worker in workers]
    figures = {f"{number} processes: training [images/s]": sum(rates)}
    return figures | ({f"{number} processes: utilisation [%]": mean(busy)} if busy else {})


def worker(device: torch.device) -> None:
    """Train networks of the first case until time is up, as one of several processes."""
    case = next(iter((CASES if device.type == "cuda" else SMALL).values()))
    images = (
        discs(case.images, case.side).to_device_if_fits(device),
        discs(VALIDATION, case.side).to_device_if_fits(device),
    )
    settings = TrainingSettings(device, math.inf, graphs=StepGraphs() if device.type == "cuda" else None)

    def one(seed: int, **length: Any) -> None:
        fit(case.spec(seed, **length), *images, settings, Path("none.resume"))

    with reproducible():
        one(0, epochs=None, steps=20)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        begin, trained = perf_counter(), 0
        while perf_counter() - begin < WORKER_S:
            one(trained + 1, epochs=1)
            trained += 1
        wait_for(device)
    sys.stdout.write(f"{trained * case.images / (perf_counter() - begin)}\n")


def packs(device: torch.device) -> dict[str, float]:
    """Time a pack of networks of few steps, in this process, against the bare loop's time for their steps."""
    with tempfile.TemporaryDirectory() as folder:
        return _packs(device, Path(folder))


def _packs(device: torch.device, folder: Path) -> dict[str, float]:
    case = CASES["laptop (unet_8_3, 8 × 128²)"]
    dataset = write_dataset(folder)
    networks = tuple(
        case.spec(seed, epochs=None, steps=PACK_STEPS).model_copy(update={"training_set": TRAINING_SET.id})
        for seed in range(PACK)
    )
    pack = PackSpec(training_set=TRAINING_SET, networks=networks)
    where: Device = "gpu" if device.type == "cuda" else "cpu"
    images = read_images(dataset).to_device_if_fits(device)
    taken = Images(*(tensor[: PACK_STEPS * case.batch] for tensor in images))
    checked = Images(*(tensor[-VALIDATION:] for tensor in images))
    with reproducible():
        steps = seconds_of(Loop(case.spec(epochs=1), (taken, checked), device, graph=False).run, device)
    measured = []
    for round_ in range(3):
        results = folder / f"round-{round_}"
        begin = perf_counter()
        train(pack, [dataset], results / "networks", results / "packs" / f"{pack.id}.json", device=where)
        measured.append((perf_counter() - begin) / PACK)
    wall = median(measured[1:])
    return {
        f"pack of {PACK}: first round, per network [s]": measured[0],
        f"pack of {PACK}: per network [s]": wall,
        f"pack of {PACK}: bare steps and validation of a network [s]": steps,
        f"pack of {PACK}: overhead per network [s]": wall - steps,
    }


def parts(*, on_gpu: bool = True) -> Parts:
    """Return what is measured, see :data:`gpu_timing.Parts`."""
    device, cases = torch.device("cuda:0" if on_gpu else "cpu"), CASES if on_gpu else SMALL
    return {
        "losses": partial(losses, device, **({} if on_gpu else {"batch": 2, "side": 32})),
        **{f"training, {name}": partial(training, device, name, case) for name, case in cases.items()},
        "packs": partial(packs, device),
        **{f"{number} processes": partial(processes, device, number) for number in ((4, 8, 1, 2) if on_gpu else (2,))},
    }


def main() -> None:
    """Measure and report."""
    if "--worker" in sys.argv:
        worker(torch.device(sys.argv[-1]))
        return
    notes = [f"PyTorch {torch.__version__}; medians of {REPEATS} rounds."]
    report("gpu_learning", measured(parts(on_gpu="--cpu" not in sys.argv)).figures, [], notes)


if __name__ == "__main__":
    main()
