"""Training one network with Lightning, from the beginning or from a saved state."""

import contextlib
import functools
import importlib.metadata
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.trainer.connectors import callback_connector

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.architectures.complexity import flops_per_image, parameter_count
from hrtem_ood.learning.architectures.registry import build, check_size
from hrtem_ood.learning.batches import Images
from hrtem_ood.learning.checkpoint import TrainingOutcome
from hrtem_ood.learning.torch_device import device_name
from hrtem_ood.learning.training.lightning_module import Segmentation, State, ThrottledCheckpoint
from hrtem_ood.learning.training.prepared_images import PreparedImages
from hrtem_ood.learning.training.step_graph import StepGraphs
from hrtem_ood.learning.training.stop_signal import StopSignal
from hrtem_ood.learning.training.training_data import seed_everything, torch_seed
from hrtem_ood.progress import log

# Lightning logs devices and tips for every network; its warnings are still shown.
logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)


class TrainingSettings(NamedTuple):
    """Settings of training that are part of no identity.

    On one kind of device, only ``compile`` changes results, in the last digits. Between kinds of devices the last digits
    differ, too, and so do PyTorch's random numbers during training: resampled noise, dropout.

    Attributes
    ----------
    device : torch.device
    checkpoint_interval_s : float, [s]
        Shortest time between two saved states; they are saved at the end of an epoch.
    compile : bool
        Whether to train through ``torch.compile``.
    stop : StopSignal
        Checked before every batch.
    graphs : StepGraphs, optional
        Graphs of steps that the networks of a pack share, on a GPU. Weights are the same, bit for bit, without.
    resume_on_other_gpu : bool
        Whether to continue a training that another model of GPU began. Its weights are then those of no single model.
    prepared : PreparedImages, optional
        Images that the networks of a pack share, standardised. Weights are the same, bit for bit, without.
    """

    device: torch.device
    checkpoint_interval_s: float = 60.0
    compile: bool = False
    stop: StopSignal = StopSignal()
    graphs: StepGraphs | None = None
    resume_on_other_gpu: bool = False
    prepared: PreparedImages | None = None


def fit(
    spec: NetworkSpec, training: Images, validation: Images, settings: TrainingSettings, resume: Path
) -> TrainingOutcome:
    """Train one network, deterministically: initial weights and batches follow from its id alone.

    Call it inside :func:`hrtem_ood.learning.torch_device.reproducible`.

    Parameters
    ----------
    spec : NetworkSpec
    training, validation : Images
    settings : TrainingSettings
    resume : Path
        File in which the state is saved periodically, and when the job is stopped or fails. If it exists, training
        resumes from it, and ends with the same weights as without interruption.

    Returns
    -------
    TrainingOutcome
        Weights of the best epoch.

    Raises
    ------
    ConfigError
        If the network does not accept images of this size.
    """
    with torch.random.fork_rng(devices=[]):
        seed_everything(torch_seed(spec, 0), settings.device)
        network = build(spec.hyperparameters.architecture)
        side = training.counts.shape[-1]
        check_size(network, spec.hyperparameters.architecture, side)
        flops = flops_per_image(spec.hyperparameters.architecture, network, side)
        precision, graph = resolve_precision(spec, settings.device), None
        if settings.compile:
            # Earlier networks count towards a limit, beyond which nothing is compiled.
            torch.compiler.reset()
            network.compile(dynamic=False)
        elif settings.graphs is not None:
            graph = settings.graphs.of(network, spec, training, settings.device, half=precision == "bf16-mixed")
            network = network if graph is None else graph.network
        environment = _environment(settings)
        save = ThrottledCheckpoint(
            lambda state: _save(state, resume, spec, environment), settings.checkpoint_interval_s
        )
        state = _load(resume, spec, environment, resume_on_other_gpu=settings.resume_on_other_gpu)
        module = Segmentation(
            network,
            spec,
            training,
            validation,
            settings.device,
            state=state,
            on_snapshot=save,
            on_batch_start=settings.stop.check,
            graph=graph,
            prepared=settings.prepared,
        )
        try:
            with _quiet():
                _trainer(module, precision).fit(module)
        except BaseException:
            if module.snapshot is not None:
                _save(module.snapshot, resume, spec, environment)
                log(f"{spec.id} has stopped; it will resume after epoch {module.snapshot['epoch']}")
            settings.stop.check()  # after SIGTERM, Lightning itself exits with code 0
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
    """Return the precision that a network trains in: that of its hyperparameters, if the device supports it.

    Parameters
    ----------
    spec : NetworkSpec
    device : torch.device

    Returns
    -------
    {"32-true", "bf16-mixed"}
    """
    precision = spec.hyperparameters.numeric_precision
    if (
        precision == "bf16-mixed"
        and device.type == "cuda"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        log(f"{spec.id}: {torch.cuda.get_device_name(device)} has no bfloat16, so it trains in float32")
        return "32-true"
    return precision


def _trainer(module: Segmentation, precision: Literal["32-true", "bf16-mixed"]) -> pl.Trainer:
    with _no_foreign_callbacks():
        return _new_trainer(module, precision)


@contextlib.contextmanager
def _no_foreign_callbacks() -> Iterator[None]:
    """Let no other package add callbacks to a Trainer.

    Lightning asks every installed package for callbacks, for every Trainer: a quarter of the time that a network takes besides
    its steps. None of them is part of a network's identity, so none may take part.
    """
    with mock.patch.object(callback_connector, "_load_external_callbacks", return_value=[]):
        yield


def _new_trainer(module: Segmentation, precision: Literal["32-true", "bf16-mixed"]) -> pl.Trainer:
    return pl.Trainer(
        accelerator=module.where.type,
        devices=1,
        # Always one process: Lightning would treat a SLURM job's tasks as ranks, and its USR1 as a request to
        # requeue.
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
        # Lightning 2.6 calls a function that PyTorch 2.13 has deprecated; users need not act.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        # Where SLURM is installed, Lightning expects one process per GPU, started by srun; here there is only one.
        warnings.filterwarnings("ignore", "The `srun` command is available on your system but is not used")
        yield


def _environment(settings: TrainingSettings) -> dict[str, Any]:
    """Return what must be equal for training to resume: otherwise weights would differ, or the state would not fit."""
    return {"compile": settings.compile, "device": device_name(settings.device), **_versions()}


@functools.cache
def _versions() -> dict[str, str]:
    """Return versions of packages. Reading them takes a twentieth of the time that a network takes besides its steps."""
    return {name: importlib.metadata.version(name) for name in ("hrtem-ood", "pytorch-lightning", "torch")}


def _differ_by_gpu(made_by: Any, environment: dict[str, Any]) -> bool:
    """Whether two environments differ in nothing but the model of GPU."""
    if not isinstance(made_by, dict) or "cpu" in (made_by.get("device"), environment["device"]):
        return False
    return made_by | {"device": environment["device"]} == environment


def _save(state: State, path: Path, spec: NetworkSpec, environment: dict[str, Any]) -> None:
    store.write_checkpoint(path, {**state, "id": spec.id, "made_by": environment})


def _load(
    path: Path, spec: NetworkSpec, environment: dict[str, Any], *, resume_on_other_gpu: bool = False
) -> State | None:
    """Read the saved state of a network, if it exists and can be resumed."""
    if not path.exists():
        return None
    try:
        state = store.read_checkpoint(path, expect_id=spec.id)
    except ArtifactError:
        log(f"{spec.id}: training restarts, as {path} is damaged or of another network")
        return None
    made_by: Any = state.get("made_by")
    is_current = state["trained"].keys() == vars(TrainingOutcome()).keys()
    if is_current and made_by != environment and _differ_by_gpu(made_by, environment):
        earlier, here = made_by["device"], environment["device"]
        if not resume_on_other_gpu:
            log(
                f"{spec.id}: training restarts, as {path} was written on {earlier}, and this is {here}. With "
                "execution.resume_on_other_gpu: true it would continue, to weights of neither GPU alone"
            )
            return None
        log(f"{spec.id}: training resumes after epoch {state['epoch']} on {here}; it began on {earlier}")
        state["trained"]["earlier_devices"] = [*state["trained"]["earlier_devices"], earlier]
        return state
    if made_by != environment or not is_current:
        log(f"{spec.id}: training restarts, as {path} was written with {made_by}, not with {environment}")
        return None
    log(f"{spec.id}: training resumes after epoch {state['epoch']}")
    return state
