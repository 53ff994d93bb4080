"""Forward pass, loss and gradients of a batch as one CUDA graph, captured once for all networks of a kind in a pack.

A small network's step is some 180 kernels, each of which takes the host longer to launch than the GPU to run. A graph launches
them together. It computes on fixed memory: a network's weights are copied into it, batches are copied into it, and it leaves the
gradients where the optimiser reads them. The optimiser's step itself stays outside: the one-cycle schedule changes Adam's β₁ at
every step, which is a constant of PyTorch's fused kernel (https://arxiv.org/abs/1708.07120; torch.optim.lr_scheduler.OneCycleLR).
"""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.learning.batches import Images
from hrtem_ood.learning.torch_device import device_name
from hrtem_ood.learning.training.losses import LOSS
from hrtem_ood.learning.training.training_data import epoch_batches
from hrtem_ood.progress import log

WARM_UP = 3
"""Steps before a capture, in which libraries choose their algorithms and take their memory."""

Loss = Callable[[Tensor, Tensor], Tensor]


class StepGraph:
    """One step of training without the optimiser, on a network that several specs train one after the other.

    Parameters
    ----------
    network : torch.nn.Module
        On the GPU. Its weights change; afterwards, and for every other network, copy weights into it.
    loss : callable
        Of logits and labels.
    image : float32 tensor, (image, 1, y, x), [1]
        A batch; all others must have its shape.
    label : int64 tensor, (image, y, x)
    half : bool
        Whether to compute in bfloat16 by autocast.

    Attributes
    ----------
    network : torch.nn.Module
    """

    def __init__(self, network: nn.Module, loss: Loss, image: Tensor, label: Tensor, *, half: bool) -> None:
        self.network, self._loss, self._half = network.train(), loss, half
        self._image, self._label = image.clone(), label.clone()
        self._replay, self._value = self._captured()
        self._gradients = [(each, each.grad) for each in network.parameters()]

    def fits(self, image: Tensor) -> bool:
        """Whether a batch has the shape of the graph."""
        return image.shape == self._image.shape

    def __call__(self, image: Tensor, label: Tensor) -> Tensor:
        """Return the loss of a batch, and set the gradients of the network's weights.

        The next call overwrites both.

        Parameters
        ----------
        image : float32 tensor, (image, 1, y, x), [1]
        label : int64 tensor, (image, y, x)

        Returns
        -------
        float tensor, ()
        """
        self._image.copy_(image)
        self._label.copy_(label)
        self._replay()
        for parameter, gradient in self._gradients:  # a batch of another shape may have left its own
            parameter.grad = gradient
        return self._value

    def step(self) -> Tensor:
        """Compute the loss and the gradients, kernel by kernel."""
        self.network.zero_grad(set_to_none=True)
        # without a cache, which would keep the rounded weights of the capture
        with torch.autocast(self._image.device.type, torch.bfloat16, enabled=self._half, cache_enabled=False):
            logits = self.network(self._image)
        loss = self._loss(logits.float(), self._label)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _captured(self) -> tuple[Callable[[], None], Tensor]:
        """Return what replays the step, and where it leaves the loss."""
        device = self._image.device
        beside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP):
                self.step()
            with _waiting_is_an_error():
                self.step()
        torch.cuda.current_stream(device).wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        # other threads, as that of a progress display, may use the GPU meanwhile
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            value = self.step()
        return graph.replay, value


@contextlib.contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    """Refuse what makes the host wait for the GPU, as ``float(tensor)`` does: a capture that fails leaves memory behind."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype feature")
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)


def kind_of_step(spec: NetworkSpec) -> str:
    """Return what must be equal for networks to share a graph, besides their images and device."""
    hyper = spec.hyperparameters
    return canonical_json([hyper.architecture.model_dump(), hyper.batch_size, hyper.loss, hyper.numeric_precision])


class StepGraphs:
    """Keeps the graph of one kind of network; another kind replaces it, as graphs keep a step's memory."""

    def __init__(self) -> None:
        self._kind: tuple[object, ...] | None = None
        self._graph: StepGraph | None = None

    def of(
        self, network: nn.Module, spec: NetworkSpec, images: Images, device: torch.device, *, half: bool
    ) -> StepGraph | None:
        """Return a graph whose network has the weights of the given one.

        Architectures of a user's file may decide in Python what they compute, which a graph would repeat without asking.
        They train kernel by kernel.

        Parameters
        ----------
        network : torch.nn.Module
        spec : NetworkSpec
        images : Images
            Training images.
        device : torch.device
        half : bool
            Whether to compute in bfloat16 by autocast.

        Returns
        -------
        StepGraph or None
            None where the network trains kernel by kernel; a log line says why, once for a kind.
        """
        kind = (kind_of_step(spec), half, images.counts.shape, device)
        if kind != self._kind:
            self._kind, self._graph = kind, None  # before the capture, to free its memory
            self._graph = self._capture(network, spec, images, device, half=half)
        if self._graph is not None:
            self._graph.network.load_state_dict(network.state_dict())
        return self._graph

    def _capture(
        self, network: nn.Module, spec: NetworkSpec, images: Images, device: torch.device, *, half: bool
    ) -> StepGraph | None:
        hyper = spec.hyperparameters
        subject = f"networks of {hyper.architecture.label} train kernel by kernel, without a CUDA graph"
        if hyper.architecture.file is not None:
            log(f"{subject}: an architecture of a file may compute something else at every step")
            return None
        image, label = next(iter(epoch_batches(images, spec, 0, device)))
        image = image.contiguous(memory_format=torch.channels_last)
        try:
            graph = StepGraph(copy.deepcopy(network).to(device), LOSS[hyper.loss], image, label, half=half)
        except torch.OutOfMemoryError as error:
            self._kind = None  # the next network may find more
            log(
                f"this network trains kernel by kernel, as no memory was left for a CUDA graph ({str(error).splitlines()[0]})"
            )
            return None
        except RuntimeError as error:
            log(f"{subject}: {device_name(device)} cannot capture a step ({str(error).splitlines()[0]})")
            return None
        log(f"networks of {hyper.architecture.label} in batches of {len(image)} train by one CUDA graph")
        return graph
