"""Checkpoints of others: what they name is not run, whatever it is."""

import hashlib
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from hrtem_ood.artifacts import checkpoint_limits, store
from hrtem_ood.artifacts.integrity import seal_zip
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.cli import main
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.checkpoint import read_network

DILATED = Path(__file__).parents[4] / "config/architectures/dilated.py"
COMMAND = {"command": "touch ran"}


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def run(tmp_path, monkeypatch, write, counts):
    """Return a function that predicts with a network, and exports it; each returns exit code and output."""
    monkeypatch.chdir(tmp_path)
    write("sample.tif", counts(64, 64))

    def run(network, *options):
        words = (["predict", str(network), "sample.tif"], ["export", str(network), "--output", "n.onnx", "--overwrite"])
        done = [CliRunner().invoke(main, [*each, *options]) for each in words]
        assert not (tmp_path / "ran").exists(), "a foreign checkpoint has run a command"
        for each in done:
            assert each.exception is None or isinstance(each.exception, SystemExit), each.exception
        return done

    return run


def rewritten(path, **changes):
    content = torch.load(path, weights_only=True)
    store.write_checkpoint(path, content | changes)
    return path


def test_a_command_of_the_standard_library_is_not_run(run, make_network):
    network = rewritten(
        make_network(),
        architecture={"name": "system", "file": os.__file__, "parameters": COMMAND, "sha256": sha256(os.__file__)},
    )
    for done in run(network):
        assert done.exit_code == 2
        assert "A checkpoint does not choose what is run" in done.output
        assert "--architecture-file" in done.output
    for done in run(network, "--architecture-file", os.__file__):  # a user who follows the checkpoint's word
        assert done.exit_code == 2
        assert "os.py: the file defines no class `system`" in done.output
    for done in run(network, "--architecture-file", str(DILATED)):
        assert done.exit_code == 1
        assert "dilated.py has changed since the architecture of a network was configured" in done.output


def test_a_file_beside_the_checkpoint_is_not_run(run, make_network, tmp_path):
    evil = tmp_path / "evil.py"
    evil.write_text("import os\nos.system('touch ran')\nfrom torch import nn\nclass Net(nn.Module): pass\n")
    network = rewritten(make_network(), architecture={"name": "Net", "file": "evil.py", "sha256": sha256(evil)})
    assert all(done.exit_code == 2 for done in run(network))


@pytest.mark.parametrize("digest", [None, "", "0123", "*" * 64])
def test_without_a_digest_no_file_is_run(run, make_network, digest):
    architecture = {"name": "Dilated", "file": str(DILATED), "sha256": digest, "parameters": {}}
    network = rewritten(make_network(), architecture=architecture)
    for done in run(network, "--architecture-file", str(DILATED)):
        assert done.exit_code == 1
        assert "lacks the sha256 of its architecture's file" in done.output


@pytest.mark.parametrize(
    "architecture", [None, 3, [], "unet", {}, {"name": "os.system"}, {"name": 3}, {"file": 3}, {"name": "u", "x": 1}]
)
def test_words_that_describe_no_architecture_are_told(run, make_network, architecture):
    network = rewritten(make_network(), architecture=architecture)
    for done in run(network):
        assert done.exit_code == 1
        assert "describes no architecture" in done.output or "weights of another architecture" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("key", ["architecture", "trained_on", "state_dict", "weights_dropped", "diverged"])
@pytest.mark.parametrize("value", [None, 3, "x", [1], {"a": {}}])
def test_other_values_anywhere_are_told(run, make_network, key, value):
    network = rewritten(make_network(depth=1, base_channels=2), **{key: value})
    for done in run(network):
        assert done.exit_code in (0, 1)
        assert done.exit_code == 0 or done.output.startswith("hrtem-ood: ")


def test_a_file_that_is_not_needed_is_refused(run, make_network):
    for done in run(make_network(), "--architecture-file", str(DILATED)):
        assert done.exit_code == 2
        assert "is of the built-in architecture `unet`, which needs no file" in done.output


@pytest.mark.slow
def test_an_architecture_of_ones_own_is_predicted_with(run, make_network, tmp_path):
    own = tmp_path / "moved.py"
    shutil.copy(DILATED, own)
    chosen = {
        "name": "Dilated",
        "file": str(DILATED),
        "sha256": sha256(DILATED),
        "parameters": {"channels": 3, "blocks": 1},
    }
    network = make_network(spec=NetworkSpec(training_set="t", hyperparameters={"epochs": 1, "architecture": chosen}))
    assert all(done.exit_code == 2 for done in run(network))
    predicted, _ = run(network, "--architecture-file", str(own))
    assert predicted.exit_code == 0, predicted.output
    assert (tmp_path / "predictions/sample_mask.tif").exists()
    shutil.rmtree(tmp_path / "predictions")
    own.write_text(own.read_text() + "#")
    for done in run(network, "--architecture-file", str(own)):
        assert done.exit_code == 1
        assert "moved.py has changed since" in done.output


class Payload:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_pickled_commands_are_not_run(run, make_network):
    network = make_network()
    content = torch.load(network, weights_only=True)
    torch.save(content | {"best_epoch": Payload()}, network)
    for done in run(network):
        assert f"{network} is damaged, cut off, or not written by this version" in done.output
    seal_zip(network, 0)  # as somebody could who means harm
    for done in run(network):
        assert done.exit_code == 1
        assert f"{network} is damaged or cut off" in done.output
    network.write_bytes(pickle.dumps(Payload()))
    for done in run(network):
        assert done.exit_code == 1
        assert f"{network} is damaged or cut off" in done.output


def test_what_grows_when_it_is_unpacked_or_is_too_large_is_refused(make_network, monkeypatch):
    network = make_network()
    with zipfile.ZipFile(network) as archive:
        entries = {each.filename: archive.read(each) for each in archive.infolist()}
    with zipfile.ZipFile(network, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        archive.writestr("archive/data/9999", bytes(10**7))
    with pytest.raises(ArtifactError, match="would be larger unpacked than it is"):
        read_network(network)
    network = make_network()
    monkeypatch.setattr(checkpoint_limits, "LARGEST_PICKLE", 100)
    with pytest.raises(ArtifactError, match="describes more than 100 bytes of names and values"):
        read_network(network)
    monkeypatch.setattr(checkpoint_limits, "LARGEST_CHECKPOINT", 100)
    with pytest.raises(ArtifactError, match="checkpoints of up to 100 are read"):
        read_network(network)
    network.unlink()
    os.mkfifo(network)
    with pytest.raises(ArtifactError, match="is no regular file"):
        read_network(network)
