"""Training one network with Lightning."""

import contextlib
import copy
import logging
import math
import signal
import warnings
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor, nn

from hrtem_ood.campaign.hyperparameters import Hyperparameters
from hrtem_ood.campaign.identity import seed_sequence
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.networks.checkpoint import Trained
from hrtem_ood.networks.images import Batches, Images
from hrtem_ood.networks.unet import build
from hrtem_ood.training.data import epoch_batches

# Lightning tells which devices it sees and gives tips for every network; its warnings still show.
logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)


def pixel_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy (natural logarithm) averaged over all pixels.

    Parameters
    ----------
    logits : float tensor, (image, class, y, x), [1]
    label : int64 tensor, (image, y, x)

    Returns
    -------
    float tensor, (), [nat]
    """
    # A flat list of pixels: the two-dimensional kernel is not deterministic on GPUs.
    return nn.functional.cross_entropy(logits.movedim(1, -1).flatten(0, -2), label.flatten())


class Segmentation(pl.LightningModule):
    """AdamW with a one-cycle learning rate; keeps the weights of the epoch with the lowest validation loss.

    Parameters
    ----------
    network : torch.nn.Module
    spec : NetworkSpec
    training, validation : Images
        On the device that trains.

    Attributes
    ----------
    trained : Trained
        What has come out so far.
    """

    def __init__(self, network: nn.Module, spec: NetworkSpec, training: Images, validation: Images) -> None:
        super().__init__()
        self.network, self.spec, self.images = network, spec, training
        self.validation = Batches(validation, spec.hyperparameters.batch_size)
        self.trained = Trained()
        self._loss_sums: dict[str, Tensor] = {}

    @property
    def hyper(self) -> Hyperparameters:
        """Hyperparameters of the network (Lightning has a ``hparams`` of its own)."""
        return self.spec.hyperparameters

    def train_dataloader(self) -> Batches:
        """Return the batches of the current epoch; Lightning asks once per epoch."""
        return epoch_batches(self.images, self.hyper.batch_size, network=self.spec.id, epoch=self.current_epoch)

    def val_dataloader(self) -> Batches:
        """Return the validation images."""
        return self.validation

    def configure_optimizers(self) -> Any:
        """Return AdamW (Loshchilov & Hutter, ICLR 2019) and the one-cycle schedule (Smith & Topin, arXiv:1708.07120)."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.hyper.learning_rate, weight_decay=self.hyper.weight_decay, fused=True
        )
        steps = self.hyper.epochs * len(self.train_dataloader())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.hyper.learning_rate, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Forget the sums of the last epoch."""
        self._loss_sums = {key: torch.zeros((), device=self.device) for key in ("train", "validation")}

    def _loss(self, batch: tuple[Tensor, Tensor], kind: str) -> Tensor:
        image, label = batch
        loss = pixel_cross_entropy(self.network(image), label)
        # summed where it is, so that a GPU need not wait at every step
        self._loss_sums[kind] += loss.detach() * len(image)
        return loss

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        """Return the loss of a batch."""
        return self._loss(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], _index: int) -> None:
        """Add up the loss of a validation batch."""
        self._loss(batch, "validation")

    def on_train_epoch_end(self) -> None:
        """Note the curves (validation comes before this), keep the best weights, and stop if the loss is not finite."""
        train_loss = float(self._loss_sums["train"]) / len(self.images.image)
        validation_loss = float(self._loss_sums["validation"]) / len(self.validation.images.image)
        trained = self.trained
        trained.curves["train_loss"].append(train_loss)
        trained.curves["validation_loss"].append(validation_loss)
        trained.curves["learning_rate"].append(self.trainer.optimizers[0].param_groups[0]["lr"])
        if not math.isfinite(train_loss):
            trained.diverged = True
            self.trainer.should_stop = True
        elif validation_loss < trained.best_validation_loss:
            trained.best_validation_loss, trained.best_epoch = validation_loss, self.current_epoch
            trained.weights = copy.deepcopy(self.network.state_dict())


def fit(spec: NetworkSpec, training: Images, validation: Images) -> Trained:
    """Train one network, deterministically: initial weights and batches follow from its id alone.

    Call it inside :func:`hrtem_ood.networks.hardware.reproducible`.

    Parameters
    ----------
    spec : NetworkSpec
    training, validation : Images
        On the device that is to train.

    Returns
    -------
    Trained
        Weights of the best epoch.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed_sequence(spec.id, 0).generate_state(1, np.uint64)[0]))
        module = Segmentation(build(spec.hyperparameters.architecture), spec, training, validation)
    trainer = pl.Trainer(
        accelerator=training.image.device.type,
        devices=1,
        # One process, whatever the surroundings look like: Lightning would take a SLURM job's tasks for ranks,
        # and its USR1 for a wish to requeue.
        plugins=[LightningEnvironment()],
        max_epochs=spec.hyperparameters.epochs,
        reload_dataloaders_every_n_epochs=1,
        deterministic=True,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings(), contextlib.suppress(SIGTERMException):
        # Lightning 2.6 asks PyTorch 2.13 in a way that this has deprecated; nothing for a user to do.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        trainer.fit(module)
    if trainer.received_sigterm:  # Lightning would end the process as if all had gone well, or even go on
        raise SystemExit(128 + signal.SIGTERM)
    trained = module.trained
    trained.diverged |= trained.weights is None
    return trained
