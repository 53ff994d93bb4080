"""A network whose training was interrupted, in whatever way, ends as if it had not been."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests import warm

from hrtem_ood.artifacts import store
from hrtem_ood.learning.checkpoint import read_network
from hrtem_ood.learning.training import fit as fitting
from hrtem_ood.learning.training.lightning_module import Segmentation
from hrtem_ood.stages import train


def stop_at(monkeypatch: pytest.MonkeyPatch, epoch: int, how: Any) -> list[tuple[int, int]]:
    """Let something happen in the second step of an epoch; tells all steps taken."""
    taken: list[tuple[int, int]] = []
    happened: list[bool] = []
    step = Segmentation.take_step

    def watched(self: Segmentation, batch: Any) -> None:
        last, index = taken[-1] if taken else (-1, -1)
        taken.append((self.epoch, index + 1 if last == self.epoch else 0))
        if taken[-1] == (epoch, 1) and not happened:
            happened.append(True)
            how()
        step(self, batch)

    monkeypatch.setattr(Segmentation, "take_step", watched)
    return taken


def weights_of(told: dict[str, Any]) -> list[str]:
    return [entry["sha256_of_weights"] for entry in told["networks"].values()]


RECIPES: list[dict[str, Any]] = [
    {},
    {"lr_schedule": "exponential", "lr_decay": 0.7, "optimizer": "adam"},
    {"epochs": None, "steps": 11, "resample_noise": True, "gradient_clip": 0.5},
    {"numeric_precision": "bf16-mixed", "architecture": {"name": "resnet_unet", "base_channels": 4, "depth": 2}},
]


@pytest.mark.slow
@pytest.mark.usefixtures("hearing_hangups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_job_that_is_asked_to_stop_goes_on_later(lab: Any, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    pack = lab.pack(0, 1, epochs=4)
    expected = weights_of(lab.at("whole").run(pack))
    taken = stop_at(monkeypatch, 2, lambda: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        lab.run(pack)
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) == before
    assert taken[-1] == (2, 1), "it stops at once"
    assert not lab.network(pack.networks[0]).exists()
    assert lab.network(pack.networks[0], ".resume").exists()
    taken.clear()
    assert weights_of(lab.run(pack)) == expected
    assert taken[0] == (2, 0), "epochs that were finished are not repeated"
    assert not list((lab.results / "networks").glob("*.resume"))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("epoch", [1, 3])
def test_weights_and_curves_are_those_of_one_run(
    lab: Any, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, Any], epoch: int
) -> None:
    pack = lab.pack(0, **({"epochs": 4} | recipe))
    whole = lab.at("whole")
    whole.run(pack)
    stop_at(monkeypatch, epoch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        lab.run(pack)
    lab.run(pack)
    found, expected = (read_network(one.network(pack.networks[0])) for one in (lab, whole))
    for key in ("sha256_of_weights", "best_epoch", "best_val_loss", "curves"):
        assert found[key] == expected[key]
    assert len(found["curves"]["train_loss"]) == 4


def test_stopped_twice_in_one_epoch(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = lab.pack(0, epochs=4)
    expected = weights_of(lab.at("whole").run(pack))
    for _ in range(2):
        stop_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit):
            lab.run(pack)
        monkeypatch.undo()
    assert weights_of(lab.run(pack)) == expected


def test_layers_that_draw_go_on_alike(lab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    file = tmp_path / "dropping.py"
    file.write_text(
        "from torch import nn\n"
        "class Dropping(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3, padding=1), nn.Dropout(0.5), nn.ReLU(), nn.Conv2d(4, 2, 1))\n"
    )
    pack = lab.pack(0, epochs=4, architecture={"name": "Dropping", "file": str(file)})
    expected = weights_of(lab.at("whole").run(pack))
    stop_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        lab.run(pack)
    assert weights_of(lab.run(pack)) == expected


def test_a_failure_in_the_middle_keeps_what_was_trained(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = lab.pack(0, epochs=4)
    expected = weights_of(lab.at("whole").run(pack))

    def fail() -> None:
        raise OSError(28, "No space left on device")

    taken = stop_at(monkeypatch, 2, fail)
    with pytest.raises(Exception, match="No space left"):
        lab.run(pack)
    taken.clear()
    assert weights_of(lab.run(pack)) == expected
    assert taken[0] == (2, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import PackSpec
from hrtem_ood.stages.train import train
write = store.write_checkpoint
def write_and_die(path, content):
    write(path, content)
    if content.get("epoch") == 5:
        os.kill(os.getpid(), signal.SIGKILL)
store.write_checkpoint = write_and_die
pack, networks, output, *datasets = sys.argv[1:]
paths = [Path(dataset) for dataset in datasets]
train(PackSpec.model_validate_json(pack), paths, Path(networks), Path(output), device="cpu", checkpoint_interval_s=0)
"""


@pytest.mark.slow
def test_a_killed_job_goes_on_after_the_last_save(lab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a process of its own, without any chance to tidy up."""
    (tmp_path / "killed.py").write_text(KILLED)
    pack = lab.pack(0, epochs=8)
    expected = weights_of(lab.at("whole").run(pack))
    output = lab.results / "packs" / f"{pack.id}.json"
    command = [warm.python(), "-m", "killed", pack.json_text, str(lab.results / "networks"), str(output)]
    done = subprocess.run([*command, *map(str, lab.datasets)], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not output.exists()
    resume = lab.network(pack.networks[0], ".resume")
    assert store.read_checkpoint(resume, expect_id=pack.networks[0].id)["epoch"] == 5
    taken = stop_at(monkeypatch, 99, lambda: None)
    assert weights_of(lab.run(pack)) == expected
    assert taken[0] == (5, 0)


def test_the_state_is_saved_when_it_is_time(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    write = store.write_checkpoint

    def watched(path: Any, content: Any) -> None:
        saved.extend([content["epoch"]] if path.suffix == ".resume" else [])
        write(path, content)

    monkeypatch.setattr(store, "write_checkpoint", watched)
    lab.fit(lab.spec(epochs=4), checkpoint_interval_s=1000)
    assert saved == []
    lab.fit(lab.spec(epochs=4), checkpoint_interval_s=0)
    assert saved == [1, 2, 3], "after the last epoch there is nothing to resume"


def test_a_damaged_state_is_told_of_and_not_used(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = lab.pack(0)
    expected = weights_of(lab.at("whole").run(pack))
    resume = lab.network(pack.networks[0], ".resume")
    resume.parent.mkdir(parents=True)
    resume.write_bytes(b"cut off")
    taken = stop_at(monkeypatch, 9, lambda: None)
    assert weights_of(lab.run(pack)) == expected
    assert taken[0] == (0, 0)
    assert "training restarts" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["torch", "another network"])
def test_a_state_of_something_else_is_told_of_and_not_used(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    pack = lab.pack(0, epochs=4)
    expected = weights_of(lab.at("whole").run(pack))
    stop_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        lab.run(pack)
    resume = lab.network(pack.networks[0], ".resume")
    state = store.read_checkpoint(resume, expect_id=pack.networks[0].id)
    if change == "torch":
        state["made_by"]["torch"] = "1.0"
    else:
        state["id"] = "other"
    store.write_checkpoint(resume, state)
    taken = stop_at(monkeypatch, 99, lambda: None)
    assert weights_of(lab.run(pack)) == expected
    assert taken[0] == (0, 0)
    assert f"training restarts, as {resume}" in capsys.readouterr().err


@pytest.mark.parametrize(("earlier", "allowed"), [("NVIDIA A100", False), ("NVIDIA A100", True), ("cpu", True)])
def test_another_model_of_gpu_continues_only_where_it_may(
    lab: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], earlier: str, allowed: bool
) -> None:
    pack = lab.pack(0, epochs=4)
    expected = weights_of(lab.at("whole").run(pack))
    stop_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        lab.run(pack)
    resume = lab.network(pack.networks[0], ".resume")
    state = store.read_checkpoint(resume, expect_id=pack.networks[0].id)
    state["made_by"]["device"] = earlier
    store.write_checkpoint(resume, state)
    # this process computes on the CPU, and says that it is a GPU
    for module in (train, fitting):
        monkeypatch.setattr(module, "device_name", lambda _: "NVIDIA H100")
    taken = stop_at(monkeypatch, 99, lambda: None)
    told = lab.run(pack, resume_on_other_gpu=allowed)
    content = read_network(lab.network(pack.networks[0]))
    log = capsys.readouterr().err
    if allowed and earlier != "cpu":
        assert taken[0] == (2, 0)
        assert "training resumes after epoch 2 on NVIDIA H100; it began on NVIDIA A100" in log
        assert content["device"] == "NVIDIA A100, then NVIDIA H100"
    else:
        assert taken[0] == (0, 0)
        assert f"training restarts, as {resume} was written" in log
        assert ("execution.resume_on_other_gpu: true" in log) == (earlier != "cpu")
        assert content["device"] == "NVIDIA H100"
    assert weights_of(told) == expected
    assert [entry["device"] for entry in told["networks"].values()] == [content["device"]]


def test_the_time_of_all_processes_counts(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = lab.pack(0, epochs=4)
    stop_at(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        lab.run(pack)
    resume = lab.network(pack.networks[0], ".resume")
    state = store.read_checkpoint(resume, expect_id=pack.networks[0].id)
    assert state["trained"]["earlier_s"] > 0
    state["trained"]["earlier_s"] = 1000.0
    store.write_checkpoint(resume, state)
    (entry,) = lab.run(pack)["networks"].values()
    assert 1000 < entry["seconds"] < 1100


def test_a_signal_between_networks_keeps_the_one_that_is_done(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = lab.pack(0, 1)
    write = train.write_network

    def interrupted(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGUSR1)
        return write(*arguments, **options)

    monkeypatch.setattr(train, "write_network", interrupted)
    with pytest.raises(SystemExit, match=str(128 + signal.SIGUSR1)):
        lab.run(pack)
    assert read_network(lab.network(pack.networks[0]))["state_dict"]
    assert not lab.network(pack.networks[1]).exists()


def test_what_another_job_wrote_first_stays(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, other = lab.pack(0), lab.at("other")
    other.run(pack)
    theirs = other.network(pack.networks[0]).read_bytes()
    fit = train.fit

    def watched(spec: Any, *rest: Any) -> Any:
        trained = fit(spec, *rest)
        lab.network(spec).parent.mkdir(parents=True, exist_ok=True)
        lab.network(spec).write_bytes(theirs)
        return trained

    monkeypatch.setattr(train, "fit", watched)
    lab.run(pack)
    assert lab.network(pack.networks[0]).read_bytes() == theirs


def test_a_network_that_another_job_trained_meanwhile_is_taken(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, other = lab.pack(0, 1), lab.at("other")
    other.run(lab.pack(1))
    fitted = []
    fit = train.fit

    def watched(spec: Any, *rest: Any) -> Any:
        fitted.append(spec.id)
        # another job finishes the second network while this one trains the first
        for one in (spec, pack.networks[1]):
            source = other.network(one)
            if source.exists():
                lab.network(one).parent.mkdir(parents=True, exist_ok=True)
                lab.network(one).write_bytes(source.read_bytes())
        return fit(spec, *rest)

    monkeypatch.setattr(train, "fit", watched)
    lab.run(pack)
    assert fitted == [pack.networks[0].id]
