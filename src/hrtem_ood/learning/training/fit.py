"""Training one network with Lightning, from the beginning or from where it was stopped."""

import contextlib
import importlib.metadata
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.architectures.complexity import flops_per_image, parameter_count
from hrtem_ood.learning.architectures.registry import build, check_size
from hrtem_ood.learning.batches import Images
from hrtem_ood.learning.checkpoint import TrainingOutcome
from hrtem_ood.learning.torch_device import device_name
from hrtem_ood.learning.training.lightning_module import Segmentation, State, ThrottledCheckpoint
from hrtem_ood.learning.training.stop_signal import StopSignal
from hrtem_ood.learning.training.training_data import torch_seed
from hrtem_ood.progress import log

# Lightning tells which devices it sees and gives tips for every network; its warnings still show.
logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)


class TrainingSettings(NamedTuple):
    """How networks are trained, as far as it is part of no identity.

    On one kind of device it changes nothing but, if compiled, the last digits of what comes out. Between kinds of devices
    last digits differ, too, and so does all that PyTorch draws while training: fresh noise, dropout.

    Attributes
    ----------
    device : torch.device
    checkpoint_interval_s : float, [s]
        At the end of an epoch, the state is saved if it was not for so long.
    compile : bool
        Whether to train through ``torch.compile``.
    stop : StopSignal
        Asked before every batch.
    """

    device: torch.device
    checkpoint_interval_s: float = 60.0
    compile: bool = False
    stop: StopSignal = StopSignal()


def fit(
    spec: NetworkSpec, training: Images, validation: Images, how: TrainingSettings, resume: Path
) -> TrainingOutcome:
    """Train one network, deterministically: initial weights and batches follow from its id alone.

    Call it inside :func:`hrtem_ood.learning.torch_device.reproducible`.

    Parameters
    ----------
    spec : NetworkSpec
    training, validation : Images
    how : TrainingSettings
    resume : Path
        Where the state is saved now and then, and when the job is asked to end or fails. Training goes on from there
        if the file is there, and ends with the same weights as without interruption.

    Returns
    -------
    TrainingOutcome
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
        flops = flops_per_image(spec.hyperparameters.architecture, network, side)
        if how.compile:
            # What was compiled for other networks counts towards a limit, beyond which nothing is compiled.
            torch.compiler.reset()
            network.compile(dynamic=False)
        made_by = _made_by(how)
        save = ThrottledCheckpoint(lambda state: _save(state, resume, spec, made_by), how.checkpoint_interval_s)
        state = _load(resume, spec, made_by)
        module = Segmentation(
            network, spec, training, validation, how.device, state=state, keep=save, check=how.stop.check
        )
        precision = resolve_precision(spec, how.device)
        try:
            with _quiet():
                _trainer(module, precision).fit(module)
        except BaseException:
            if module.snapshot is not None:
                _save(module.snapshot, resume, spec, made_by)
                log(f"{spec.id} has stopped; it will go on after epoch {module.snapshot['epoch']}")
            how.stop.check()  # Lightning has an exit of its own after SIGTERM, with code 0
            raise
    trained = module.trained
    trained.diverged |= trained.weights is None
    trained.numeric_precision, trained.parameter_count, trained.flops_per_image = (
        precision,
        parameter_count(network),
        flops,
    )
    return trained


def resolve_precision(spec: NetworkSpec, device: torch.device) -> Literal["32-true", "bf16-mixed"]:
    """Return the precision that a network trains in: that of its hyperparameters, where the device has it.

    Parameters
    ----------
    spec : NetworkSpec
    device : torch.device

    Returns
    -------
    {"32-true", "bf16-mixed"}
    """
    wanted = spec.hyperparameters.numeric_precision
    if wanted == "bf16-mixed" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        log(f"{spec.id}: {torch.cuda.get_device_name(device)} has no bfloat16, so it trains in float32")
        return "32-true"
    return wanted


def _trainer(module: Segmentation, precision: Literal["32-true", "bf16-mixed"]) -> pl.Trainer:
    return pl.Trainer(
        accelerator=module.where.type,
        devices=1,
        # One process, whatever the surroundings look like: Lightning would take a SLURM job's tasks for ranks,
        # and its USR1 for a wish to requeue.
        plugins=[LightningEnvironment()],
        precision=precision,
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
        # Where SLURM is installed, Lightning wants to be started by it, one process per GPU; here one process is all.
        warnings.filterwarnings("ignore", "The `srun` command is available on your system but is not used")
        yield


def _made_by(how: TrainingSettings) -> dict[str, Any]:
    """Tell with what a state can be gone on from: anything else would end with other weights, or not fit."""
    versions = {name: importlib.metadata.version(name) for name in ("hrtem-ood", "pytorch-lightning", "torch")}
    return {"compile": how.compile, "device": device_name(how.device), **versions}


def _save(state: State, path: Path, spec: NetworkSpec, made_by: dict[str, Any]) -> None:
    store.write_checkpoint(path, {**state, "id": spec.id, "made_by": made_by})


def _load(path: Path, spec: NetworkSpec, made_by: dict[str, Any]) -> State | None:
    """Read the state of a network that was stopped, if it is there and still of use."""
    if not path.exists():
        return None
    try:
        state = store.read_checkpoint(path, expect_id=spec.id)
    except ArtifactError:
        log(f"{spec.id}: training starts anew, as {path} is damaged or of another network")
        return None
    if state.get("made_by") != made_by or state["trained"].keys() != vars(TrainingOutcome()).keys():
        log(f"{spec.id}: training starts anew, as {path} was made by {state.get('made_by')}, not by {made_by}")
        return None
    log(f"{spec.id}: training goes on after epoch {state['epoch']}")
    return state
