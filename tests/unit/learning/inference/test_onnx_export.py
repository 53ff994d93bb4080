"""The ONNX model gives what PyTorch gives, for any batch and size, and tells what its user needs."""

import builtins
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from tests.unit.learning.inference.conftest import random_network

from hrtem_ood.cli import main
from hrtem_ood.learning.batches import standardise
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference import onnx_export as module
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork, load
from hrtem_ood.physics.optics.condition import Condition

pytestmark = pytest.mark.slow

TRAINED_ON = TrainingDomain(
    ((Condition(defocus_A=0, dose_e_per_A2=400), 1),), energy_eV=300e3, pixel_size_A=0.4, side_px=64
)


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Return a folder for models, and those that are made, by architecture: an export takes seconds."""
    return tmp_path_factory.mktemp("exports"), {}


@pytest.fixture(params=["unet", "resnet_unet"])
def exported(request, exports, capfd):
    folder, made = exports[0] / request.param, exports[1]
    if request.param not in made:
        architecture = {"unet": {"depth": 2}, "resnet_unet": {"base_channels": 8, "depth": 2}}[request.param]
        network = random_network(folder, name=request.param, **architecture)
        done = CliRunner().invoke(main, ["export", str(network), "--output", str(folder / "made/net.onnx")])
        assert done.exit_code == 0, done.output
        assert done.output == f"wrote {folder / 'made/net.onnx'}\n"
        out, err = capfd.readouterr()
        assert out + err == "", "the exporter's talk does not reach the terminal"
        made[request.param] = load(network), folder / "made/net.onnx"
    return made[request.param]


def test_probabilities_are_those_of_pytorch(exported):
    user, path = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(8)
    stride = user.network.stride
    for shape in [(1, 1, 4 * stride, 7 * stride), (3, 1, 9 * stride, 2 * stride), (2, 1, 96, 96)]:
        counts = rng.poisson(rng.uniform(1, 300, (shape[0], 1, 1, 1)), shape).astype(np.float32)
        with torch.no_grad():
            z = torch.cat([standardise(torch.from_numpy(one))[None] for one in counts])
            expected = user.network(z).softmax(dim=1)[:, 1:].numpy()
        (found,) = session.run(["particle_probability"], {"counts": counts})
        assert found.shape == shape
        assert expected.std() > 0.01, "or this test would show little"
        np.testing.assert_allclose(found, expected, atol=1e-5)
    flat = np.full((1, 1, 4 * stride, 4 * stride), 7, np.float32)
    assert np.isfinite(session.run(None, {"counts": flat})[0]).all()


class Logistic(torch.nn.Module):
    """Shows the standardised image: the probability is its logistic function."""

    def forward(self, z):
        return torch.cat([torch.zeros_like(z), z], dim=1)


@pytest.fixture(scope="module")
def logistic():
    """Return the bytes of a model that shows the standardised image."""
    return module.onnx_bytes(TrainedNetwork("logistic", Logistic(), TRAINED_ON, 0.1))


@pytest.mark.parametrize("side", [128, 640])
def test_standardisation_does_not_depend_on_how_the_runtime_adds_up(side, logistic):
    """Single-precision sums of ONNX Runtime are off by 10⁻⁵ here, which trained networks blow up a hundredfold."""
    y, x = np.mgrid[:side, :side]
    mean = 64 * (1 + 0.3 * np.cos(x / 3) * np.exp(-np.hypot(y - side / 2, x - side / 2) / 20))
    counts = np.random.default_rng(2).poisson(mean, (4, 1, side, side)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(logistic).run(None, {"counts": counts})
    wide = counts.astype(np.float64)
    z = (wide - wide.mean(axis=(-2, -1), keepdims=True)) / wide.std(axis=(-2, -1), keepdims=True)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-z)), atol=3e-7)
    np.testing.assert_allclose(standardise(torch.from_numpy(counts), dtype=torch.float64).numpy(), z, atol=1e-6)
    np.testing.assert_allclose(standardise(torch.from_numpy(counts)).numpy(), z, atol=5e-6)


def test_the_model_tells_what_its_user_needs(exported):
    user, path = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["id"] == user.id
    assert float(facts["pixel_size_A"]) == user.training_domain.pixel_size_A
    assert float(facts["energy_eV"]) == user.training_domain.energy_eV
    assert int(facts["stride"]) == user.network.stride
    told = [(Condition(**one["condition"]), one["images"]) for one in json.loads(facts["training_conditions"])]
    assert tuple(told) == user.training_domain.conditions
    dims = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["image", 1, "y", "x"]
    assert [entry.version for entry in model.opset_import if not entry.domain] == [module.OPSET]
    assert module.__file__.encode() not in path.read_bytes(), "no paths of this machine"
    assert facts["input"] == module.INPUT


def test_the_model_of_a_network_that_learned_from_repaired_images_says_so():
    content = module.onnx_bytes(TrainedNetwork("mended", Logistic(), TRAINED_ON, 0.1, repair=True))
    facts = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert facts["input"] == f"{module.INPUT}; {module.REPAIRED}"


def test_without_onnx_the_package_to_install_is_told(make_network, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "onnxscript":
            raise ModuleNotFoundError("No module named 'onnxscript'", name="onnxscript")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    done = CliRunner().invoke(main, ["export", str(make_network()), "--output", str(tmp_path / "net.onnx")])
    assert done.exit_code == 1
    assert "onnxscript is needed to write ONNX. Install it: pip install hrtem-ood[export]" in done.output
    assert not (tmp_path / "net.onnx").exists()


def test_nothing_is_written_over_unasked(make_network, tmp_path, monkeypatch):
    monkeypatch.setattr("hrtem_ood.learning.inference.onnx_export.onnx_bytes", lambda _: b"made")
    path = tmp_path / "net.onnx"
    path.write_bytes(b"mine")
    words = ["export", str(make_network()), "--output", str(path)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "net.onnx exists. Give another file, or --overwrite." in done.output
    assert path.read_bytes() == b"mine"
    assert CliRunner().invoke(main, [*words, "--overwrite"]).exit_code == 0
    assert path.read_bytes() == b"made"


def test_what_cannot_be_translated_is_told(make_network, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no translation of aten::frobnicate\nand more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    done = CliRunner().invoke(main, ["export", str(make_network()), "--output", str(tmp_path / "net.onnx")])
    assert done.exit_code == 1
    assert "cannot be written as ONNX (RuntimeError: no translation of aten::frobnicate)" in done.output


def test_networks_without_weights_are_refused(make_network, tmp_path):
    done = CliRunner().invoke(
        main, ["export", str(make_network(diverged=True)), "--output", str(tmp_path / "net.onnx")]
    )
    assert done.exit_code == 1
    assert "diverged in training" in done.output
