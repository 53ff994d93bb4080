"""Training one network with Lightning, from the beginning or from where it was stopped."""

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from hrtem_ood import store
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.errors import ArtefactError
from hrtem_ood.networks.architectures import build, check_size
from hrtem_ood.networks.checkpoint import Trained
from hrtem_ood.networks.cost import flops_per_image, parameter_count
from hrtem_ood.networks.images import Images
from hrtem_ood.progress import log
from hrtem_ood.training.data import torch_seed
from hrtem_ood.training.module import NowAndThen, Segmentation, State

# Lightning tells which devices it sees and gives tips for every network; its warnings still show.
logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals by which a job is asked to end."""


class How(NamedTuple):
    """How networks are trained, as far as it changes nothing but the last digits of what comes out.

    Attributes
    ----------
    device : torch.device
    save_every_s : float, [s]
        At the end of an epoch, the state is saved if it was not for so long.
    compile : bool
        Whether to train through ``torch.compile``.
    """

    device: torch.device
    save_every_s: float = 60.0
    compile: bool = False


def fit(spec: NetworkSpec, training: Images, validation: Images, how: How, resume: Path) -> Trained:
    """Train one network, deterministically: initial weights and batches follow from its id alone.

    Call it inside :func:`hrtem_ood.networks.hardware.reproducible`.

    Parameters
    ----------
    spec : NetworkSpec
    training, validation : Images
    how : How
    resume : Path
        Where the state is saved now and then, and when the job is asked to end or fails. Training goes on from there
        if the file is there, and ends with the same weights as without interruption.

    Returns
    -------
    Trained
        Weights of the best epoch.

    Raises
    ------
    ConfigError
        Where the network cannot take the images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(spec, 0))
        network = build(spec.hyperparameters.architecture)
        side = training.counts.shape[-1]
        check_size(network, spec.hyperparameters.architecture, side)
        flops = flops_per_image(network, side)
        if how.compile:
            network.compile()
        save = NowAndThen(lambda state: _save(state, resume), how.save_every_s)
        module = Segmentation(network, spec, training, validation, how.device, state=_load(resume), keep=save)
        numbers = arithmetic(spec, how.device)
        trainer = _trainer(module, numbers)
        with _stoppable():
            try:
                with _quiet():
                    trainer.fit(module)
            except BaseException:
                if module.snapshot is not None:
                    _save(module.snapshot, resume)
                    log(f"{spec.id} has stopped; it will go on after epoch {module.snapshot['epoch']}")
                raise
    trained = module.trained
    trained.diverged |= trained.weights is None
    trained.arithmetic, trained.parameter_count, trained.flops_per_image = numbers, parameter_count(network), flops
    return trained


def arithmetic(spec: NetworkSpec, device: torch.device) -> str:
    """Return the arithmetic that a network trains in: what it asks for, where the device has it.

    Parameters
    ----------
    spec : NetworkSpec
    device : torch.device

    Returns
    -------
    {"float32", "bfloat16"}
    """
    wanted = spec.hyperparameters.arithmetic
    if wanted == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        log(f"{spec.id}: {torch.cuda.get_device_name(device)} has no bfloat16, so it trains in float32")
        return "float32"
    return wanted


def _trainer(module: Segmentation, numbers: str) -> pl.Trainer:
    return pl.Trainer(
        accelerator=module.where.type,
        devices=1,
        # One process, whatever the surroundings look like: Lightning would take a SLURM job's tasks for ranks,
        # and its USR1 for a wish to requeue.
        plugins=[LightningEnvironment()],
        precision="bf16-mixed" if numbers == "bfloat16" else "32-true",
        max_epochs=module.schedule.epochs - module.first_epoch,
        reload_dataloaders_every_n_epochs=1,
        deterministic=True,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Lightning 2.6 asks PyTorch 2.13 in a way that this has deprecated; nothing for a user to do.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        yield


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Turn the first signal that asks the job to end into an exit with the usual code; more of them change nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    stopping = False

    def stop(number: int, _frame: Any) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _save(state: State, path: Path) -> None:
    store.write_checkpoint(path, {"id": store.artefact_id(path), **state})


def _load(path: Path) -> State | None:
    if not path.exists():
        return None
    try:
        state = store.read_checkpoint(path)
    except ArtefactError as error:
        log(f"training starts anew: {error}")
        return None
    log(f"{path.stem}: training goes on after epoch {state['epoch']}")
    return state
