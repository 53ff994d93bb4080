"""A network and its training as a Lightning module."""

import copy
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.learning.batches import Batches, BatchGroups, Images
from hrtem_ood.learning.checkpoint import TrainingOutcome
from hrtem_ood.learning.training.losses import LOSS
from hrtem_ood.learning.training.prepared_images import PreparedImages
from hrtem_ood.learning.training.step_graph import StepGraph
from hrtem_ood.learning.training.training_data import StepSchedule, epoch_batches, seed_everything, torch_seed

STEPS_PER_CALL = 16
"""Steps, or batches of validation, that Lightning's loop hands over at once. Its own work around each call takes some
milliseconds, as much as a step of a tiny network (benchmarks/tiny_networks.py)."""

Batch = tuple[Tensor, Tensor]
"""Images (image, 1, y, x) and labels (image, y, x)."""

State = dict[str, Any]
"""State that the next epoch of a network depends on, besides its spec and images: tensors and plain values."""


class Segmentation(pl.LightningModule):
    """Trains a network with its hyperparameters; keeps the weights of the epoch with the lowest validation loss.

    Parameters
    ----------
    network : torch.nn.Module
    spec : NetworkSpec
    training, validation : Images
    where : torch.device
        Device of the training.
    state : dict, optional
        A ``snapshot`` from which training resumes.
    on_snapshot : callable, optional
        Called with every snapshot.
    on_batch_start : callable, optional
        Called before every batch; may end the training by raising.
    graph : StepGraph, optional
        Of ``network``, which computes losses and gradients of the batches that have its shape.
    prepared : PreparedImages, optional
        Images of the pack that are standardised already.

    Attributes
    ----------
    trained : TrainingOutcome
        Result so far.
    snapshot : dict or None
        The state at the end of the last epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: NetworkSpec,
        training: Images,
        validation: Images,
        where: torch.device,
        *,
        state: State | None = None,
        on_snapshot: Callable[[State], None] | None = None,
        on_batch_start: Callable[[], None] | None = None,
        graph: StepGraph | None = None,
        prepared: PreparedImages | None = None,
    ) -> None:
        super().__init__()
        # Lightning drives epochs and batches; the step is ours, as a graph has gradients without a backward pass
        self.automatic_optimization = False
        self._graph = graph
        self.network, self.spec, self.where = network, spec, where
        self.training_images, self._prepared = training, prepared or PreparedImages()
        size = spec.hyperparameters.batch_size
        self.validation = Batches(validation, size, where, standardised=self._prepared.of(validation, where))
        self.schedule = StepSchedule(spec, len(training.counts))
        self.trained = TrainingOutcome() if state is None else TrainingOutcome(**copy.deepcopy(state["trained"]))
        self.first_epoch = 0 if state is None else int(state["epoch"])
        self.snapshot, self._on_snapshot, self._on_batch_start = state, on_snapshot, on_batch_start
        self._begin = time.monotonic()
        self._sums: dict[str, Tensor] = {}
        self._images: dict[str, int] = {}
        self._rate = math.nan

    @property
    def hyper(self) -> Hyperparameters:
        """Hyperparameters of the network (Lightning has its own ``hparams``)."""
        return self.spec.hyperparameters

    @property
    def epoch(self) -> int:
        """The epoch, counted from the beginning of training, also after it was resumed."""
        return self.first_epoch + self.current_epoch

    def train_dataloader(self) -> BatchGroups:
        """Return the batches of the current epoch, in groups; Lightning calls this once per epoch."""
        standardised = self._prepared.of(self.training_images, self.where)
        batches = epoch_batches(self.training_images, self.spec, self.epoch, self.where, standardised)
        return BatchGroups(batches, STEPS_PER_CALL)

    def val_dataloader(self) -> BatchGroups:
        """Return the validation images, in groups of batches."""
        return BatchGroups(self.validation, STEPS_PER_CALL)

    def configure_optimizers(self) -> Any:
        """Return AdamW (Loshchilov & Hutter, ICLR 2019) or Adam (Kingma & Ba, ICLR 2015), and the learning-rate schedule.

        One-cycle: Smith & Topin, arXiv:1708.07120, in PyTorch's version; exponential: a constant factor after every epoch.
        """
        hyper, scheduling = self.hyper, torch.optim.lr_scheduler
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[hyper.optimizer]
        optimizer = kind(self.network.parameters(), lr=hyper.learning_rate, weight_decay=hyper.weight_decay, fused=True)
        schedule: torch.optim.lr_scheduler.LRScheduler
        if hyper.lr_schedule == "one_cycle":
            schedule = scheduling.OneCycleLR(optimizer, hyper.learning_rate, total_steps=self.schedule.steps)
        else:
            schedule = scheduling.StepLR(optimizer, self.schedule.per_epoch, hyper.lr_decay)
        if self.snapshot is not None:
            self.network.load_state_dict(self.snapshot["network"])
            # the optimiser and the schedule keep references to their arguments, and change them
            optimizer.load_state_dict(copy.deepcopy(self.snapshot["optimizer"]))
            schedule.load_state_dict(copy.deepcopy(self.snapshot["schedule"]))
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def cpu(self) -> Self:
        """Stay on the device where a graph, which the next network uses, has its network; Lightning tidies up after training."""
        return self if self._graph is not None else super().cpu()

    def on_train_epoch_start(self) -> None:
        """Reset the sums of losses, and seed the random numbers of layers such as dropout."""
        self._sums = {key: torch.zeros((), device=self.where) for key in ("train", "validation")}
        self._images = dict.fromkeys(self._sums, 0)
        seed_everything(torch_seed(self.spec, 2, self.epoch), self.where)

    def _loss(self, image: Tensor, label: Tensor) -> Tensor:
        logits = self.network(image)
        return LOSS[self.hyper.loss](logits.float(), label)

    def _begin_batch(self, batch: Batch) -> Batch:
        if self._on_batch_start is not None:
            self._on_batch_start()
        image, label = batch
        return image.contiguous(memory_format=torch.channels_last), label

    def _add(self, kind: str, loss: Tensor, images: int) -> None:
        """Add a loss up on the device, so that a GPU need not wait at every step."""
        self._sums[kind] += loss.detach() * images
        self._images[kind] += images

    def training_step(self, batches: Iterable[Batch], _index: int) -> None:
        """Take a step for each batch of a group."""
        for batch in batches:
            self.take_step(batch)

    def take_step(self, batch: Batch) -> None:
        """Take a step of the optimiser and of the learning-rate schedule."""
        image, label = self._begin_batch(batch)
        optimizer, schedule = self.trainer.optimizers[0], self.trainer.lr_scheduler_configs[0].scheduler
        assert isinstance(schedule, torch.optim.lr_scheduler.LRScheduler)  # Lightning names others, too
        self._rate = optimizer.param_groups[0]["lr"]
        if self._graph is not None and self._graph.fits(image):
            loss = self._graph(image, label)
        else:
            loss = self._loss(image, label)
            optimizer.zero_grad()
            with torch.autocast(self.where.type, enabled=False):  # of the forward pass only
                loss.backward()  # type: ignore[no-untyped-call]
        if self.hyper.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.hyper.gradient_clip)
        optimizer.step()
        schedule.step()
        self._add("train", loss, len(image))

    def validation_step(self, batches: Iterable[Batch], _index: int) -> None:
        """Add up the losses of a group of validation batches."""
        for batch in batches:
            image, label = self._begin_batch(batch)
            self._add("validation", self._loss(image, label), len(image))

    def on_train_epoch_end(self) -> None:
        """Record the curves (validation precedes this), keep the best weights, and stop if the loss is not finite."""
        train_loss, validation_loss = (float(self._sums[kind]) / self._images[kind] for kind in self._sums)
        trained = self.trained
        trained.curves["train_loss"].append(train_loss)
        trained.curves["validation_loss"].append(validation_loss)
        trained.curves["learning_rate"].append(float(self._rate))
        if not math.isfinite(train_loss):
            trained.diverged = True
            self.trainer.should_stop = True
        elif validation_loss < trained.best_validation_loss:
            trained.best_validation_loss, trained.best_epoch = validation_loss, self.epoch
            trained.weights = copied(self.network.state_dict())
        if not trained.diverged and self.epoch + 1 < self.schedule.epochs:
            self._take_snapshot()

    def _take_snapshot(self) -> None:
        """Copy the state in memory, which is cheap; it is written only periodically, or when the job ends."""
        spent = self.trained.earlier_s + time.monotonic() - self._begin
        trained = self.trained
        is_best = trained.best_epoch == self.epoch  # then the weights are copied already
        # weights that were kept are never changed in place, so they need no copy
        snapshot: State = {
            "epoch": self.epoch + 1,
            "network": trained.weights if is_best else copied(self.network.state_dict()),
            "optimizer": copied(self.trainer.optimizers[0].state_dict()),
            "schedule": copied(self.trainer.lr_scheduler_configs[0].scheduler.state_dict()),
            "trained": copied(vars(trained) | {"weights": None, "earlier_s": spent}) | {"weights": trained.weights},
        }
        self.snapshot = snapshot
        if self._on_snapshot is not None:
            self._on_snapshot(snapshot)


def copied(state: Any) -> Any:
    """Return a copy of tensors and plain values in dictionaries, lists and tuples.

    Of a hundred small tensors, :func:`copy.deepcopy` takes ten times as long.
    """
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        copies = copy.copy(state)  # PyTorch's dictionaries have attributes, too
        copies.update((key, copied(value)) for key, value in state.items())
        return copies
    if isinstance(state, list | tuple):
        return type(state)(map(copied, state))
    return copy.deepcopy(state)


class ThrottledCheckpoint:
    """Calls a function with a state if enough time has passed since the last call.

    Parameters
    ----------
    save : callable
    every_s : float, [s]
    """

    def __init__(self, save: Callable[[State], None], every_s: float) -> None:
        self._save, self._every_s, self._last = save, every_s, time.monotonic()

    def __call__(self, state: State) -> None:
        """Save the state if the interval has passed."""
        if time.monotonic() - self._last >= self._every_s:
            self._save(state)
            self._last = time.monotonic()
