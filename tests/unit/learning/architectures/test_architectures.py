"""Architectures by name and from a user's file, from the configuration to the network."""

import hashlib
import json
import os
import py_compile
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from torch import nn

from hrtem_ood.campaign.load import load_campaign, merge
from hrtem_ood.campaign.specs import PackSpec
from hrtem_ood.cli import main
from hrtem_ood.cli.render.architectures import architectures_table
from hrtem_ood.config.architectures import BUILT_IN
from hrtem_ood.config.training import Architecture
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.learning.architectures.complexity import parameter_count, receptive_field
from hrtem_ood.learning.architectures.of_campaign import image_sides
from hrtem_ood.learning.architectures.registry import build, check_size, class_of, stride_of
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.user_files import LARGEST_BYTES

ROOT = Path(__file__).parents[4]

OWN = '''
import dataclasses

import torch
from torch import nn


class Own(nn.Module):
    """Of the author's; WHAT."""

    def __init__(self, channels=3, kernel: int = 3, bias=True, mode="zeros"):
        super().__init__()
        self.stride = 2
        self.first = nn.Conv2d(1, channels, kernel, padding=kernel // 2, bias=bias, padding_mode=mode)
        self.norm = nn.BatchNorm2d(channels)
        self.last = nn.Conv2d(channels, 2, 1)

    def forward(self, image):
        return self.last(torch.relu(self.norm(self.first(image))))


class Plain(nn.Sequential):
    def __init__(self, channels):
        super().__init__(nn.Conv2d(1, channels, 3, padding=1), nn.Conv2d(channels, 2, 1))


def function(channels):
    return Plain(channels)


@dataclasses.dataclass
class Data:
    """Needs the module that it is defined in."""

    channels: "int" = 2


class OfData(Own):
    def __init__(self):
        super().__init__(Data().channels)


class Halves(nn.Conv2d):
    def __init__(self):
        super().__init__(1, 2, 3, stride=2)


class OneLogit(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 1, 3, padding=1))


class NoModule(dict):
    pass


class SomethingElse(nn.Module):
    def __new__(cls):
        return [nn.Conv2d(1, 2, 1)]


class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.LazyConv2d(2, 1))


class NothingToTrain(nn.Sequential):
    def __init__(self):
        super().__init__(nn.ReLU())


class Baseless:
    pass


class Replaced(nn.Module):
    pass


Replaced = nn.Identity


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, image):
        return self.layer(image)


class Strided(nn.Module):
    def __init__(self, channels, groups=1, kernel=1, y=2, x=2):
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(channels, 32, kernel, stride=(y, x), groups=groups))


class Draws(Own):
    def forward(self, image):
        torch.rand(1)
        return super().forward(image)


number = 3
'''


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with reproducible():
        yield


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def with_file(raw, path, name="Own", **parameters):
    raw["networks"]["unet"]["architecture"] = {"name": name, "file": str(path), "parameters": parameters}
    return load_campaign(raw)


def architecture_of(campaign):
    (architecture,) = {network.hyperparameters.architecture for network in campaign.networks.values()}
    return architecture


# --- built in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_architectures_have_a_class_and_defaults(name):
    architecture = Architecture(name=name, base_channels=2)
    network = build(architecture)
    assert isinstance(network, class_of(name))
    assert stride_of(network) == architecture.stride == 2 ** BUILT_IN[name].depth


# --- from the configuration -------------------------------------------------------------------


def test_a_users_file_from_configuration_to_logits(raw, own):
    campaign = with_file(raw, own, channels=5, kernel=5, bias=False, mode="circular")
    assert all(id_.startswith("Own-lr0.003-s") for id_ in campaign.networks)
    # as jobs get it
    (pack, *_) = campaign.packs.values()
    architecture = PackSpec.model_validate_json(pack.json_text).networks[0].hyperparameters.architecture
    assert architecture.sha256 == hashlib.sha256(OWN.encode()).hexdigest()
    assert architecture.label == 'Own(bias=false, channels=5, kernel=5, mode="circular")'
    network = build(architecture)
    assert stride_of(network) == 2
    assert network.first.weight.shape == (5, 1, 5, 5)
    assert network.first.bias is None
    assert network.first.padding_mode == "circular"
    assert network(torch.randn(3, 1, 8, 8)).shape == (3, 2, 8, 8)
    assert network.last.weight.is_contiguous(memory_format=torch.channels_last)
    check_size(network, architecture, 128)


@pytest.mark.parametrize(("name", "parameters"), [("Plain", {"channels": 4}), ("OfData", {})])
def test_classes_of_other_kinds_make_networks(raw, own, name, parameters):
    network = build(architecture_of(with_file(raw, own, name, **parameters)))
    assert stride_of(network) == (2 if name == "OfData" else 1)
    assert network(torch.zeros(1, 1, 4, 4)).shape == (1, 2, 4, 4)


def test_a_campaign_with_a_users_file_survives_its_own_json(raw, own):
    campaign = with_file(raw, own, channels=2)
    again = load_campaign(json.loads(campaign.config_json))
    assert set(again.networks) == set(campaign.networks)
    own.write_text(OWN + "#")
    with pytest.raises(ConfigError, match=r"networks.unet.architecture.sha256: .*own.py has the digest"):
        load_campaign(json.loads(campaign.config_json))


def test_a_grid_of_architectures(raw, own):
    mine = {"name": "Own", "file": str(own)}
    raw["networks"]["unet"]["architecture"] = [
        {"depth": 2},
        {"name": "resnet_unet", "base_channels": 4},
        mine,
        mine | {"parameters": {"channels": 2}},
        mine | {"parameters": {"channels": 2, "bias": True}},
    ]
    campaign = load_campaign(raw)
    assert len(campaign.networks) == 5 * 8
    labels = {network.hyperparameters.architecture.label for network in campaign.networks.values()}
    assert labels == {
        "unet(base_channels=8, depth=2)",
        "resnet_unet(base_channels=4, depth=5)",
        "Own()",
        "Own(channels=2)",
        "Own(bias=true, channels=2)",
    }
    raw["networks"]["unet"]["architecture"] = [mine | {"parameters": {"channels": channels}} for channels in (2, 2.0)]
    with pytest.raises(ConfigError, match=r"networks.unet.architecture: a grid lists each value once"):
        load_campaign(raw)


def test_whole_numbers_arrive_as_such(raw, own):
    campaign = with_file(raw, own, channels=2.0)
    assert build(architecture_of(campaign)).first.out_channels == 2
    assert set(campaign.networks) == set(with_file(raw, own, channels=2).networks)


# --- identity ---------------------------------------------------------------------------------


def test_ids_follow_the_files_content_and_not_its_path(raw, own, tmp_path):
    before = set(with_file(raw, own, channels=2).networks)
    moved = own.rename(tmp_path / "moved.py")
    assert set(with_file(raw, moved, channels=2).networks) == before
    moved.write_text(OWN.replace("WHAT", "what"))
    after = set(with_file(raw, moved, channels=2).networks)
    assert after.isdisjoint(before)
    moved.write_text(OWN)
    assert set(with_file(raw, moved, channels=2).networks) == before


def test_ids_follow_name_and_parameters(raw, own):
    grids = [
        set(with_file(raw, own, name, **parameters).networks)
        for name, parameters in [
            ("Own", {}),
            ("Own", {"channels": 3}),
            ("Own", {"channels": 4}),
            ("Draws", {}),
        ]
    ]
    assert len(set.union(*grids)) == sum(map(len, grids))


def test_a_user_may_take_the_name_of_a_built_in(raw, tmp_path):
    before = set(load_campaign(raw).networks)
    path = tmp_path / "mine.py"
    path.write_text(OWN.replace("class Own", "class unet").replace("(Own)", "(unet)"))
    campaign = with_file(raw, path, "unet")
    assert set(campaign.networks).isdisjoint(before)
    assert type(build(architecture_of(campaign))) not in {class_of(name) for name in BUILT_IN}


# --- what may be wrong with a file ------------------------------------------------------------


def test_a_file_that_changed_is_told(raw, own):
    architecture = architecture_of(with_file(raw, own))
    own.write_text(OWN + "#")
    with pytest.raises(ArtifactError, match=f"own.py has changed .* begin with {architecture.sha256[:12]}"):
        build(architecture)


def test_a_change_of_the_same_size_and_second_is_seen(raw, own):
    """Python's own cache of compiled files tells files apart by size and time only."""
    first = build(architecture_of(with_file(raw, own, "Plain", channels=3)))
    # as any importing of the file would leave it
    py_compile.compile(str(own), doraise=True)
    status = own.stat()
    own.write_text(OWN.replace("nn.Conv2d(1, channels, 3, padding=1)", "nn.Conv2d(1, channels, 5, padding=2)"))
    os.utime(own, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert own.stat().st_size == status.st_size
    second = build(architecture_of(with_file(raw, own, "Plain", channels=3)))
    assert (first[0].kernel_size, second[0].kernel_size) == ((3, 3), (5, 5))


def test_a_file_that_is_gone_is_told(raw, own):
    architecture = architecture_of(with_file(raw, own))
    own.unlink()
    with pytest.raises(ArtifactError, match=r"own.py cannot be read \(No such file or directory\).*Put it back"):
        build(architecture)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("Onw", {}, r"own.py: the file defines no class `Onw`; did you mean `Own`\?"),
        ("number", {}, r"the file defines no class `number`"),
        ("Replaced.x", {}, r"networks.unet.architecture.name"),
        ("function", {"channels": 2}, r"`function` is a function; it must be a class, a subclass of torch.nn.Module"),
        ("Baseless", {}, r"class `Baseless` must be a subclass of torch.nn.Module"),
        ("Own", {"width": 3}, r"class `Own` takes no parameter `width`; It takes: channels, kernel, bias, mode"),
        ("Draws", {"chanels": 3}, r"class `Draws` takes no parameter `chanels`; did you mean `channels`\?"),
        ("Plain", {}, r"class `Plain` needs the parameters channels"),
    ],
)
def test_what_the_text_of_a_file_tells_is_told_without_running_it(raw, own, name, parameters, message):
    own.write_text(OWN + "\nopen('ran', 'w')\n")
    with pytest.raises(ConfigError, match=message):
        with_file(raw, own, name, **parameters)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("Own", {"kernel": 0}, r"Own\(kernel=0\) fails with "),
        ("NoModule", {}, r"the class must be a subclass of torch.nn.Module"),
        ("Replaced", {}, r"`Replaced` is no class that the file itself defines.*torch.nn"),
        ("SomethingElse", {}, r"SomethingElse\(\) gives list, not a torch.nn.Module"),
        ("Lazy", {}, r"Lazy\(\) needs parameters to train, with their sizes"),
        ("NothingToTrain", {}, r"NothingToTrain\(\) needs parameters to train"),
    ],
)
def test_what_makes_no_network_is_told(raw, own, name, parameters, message):
    architecture = architecture_of(with_file(raw, own, name, **parameters))
    with pytest.raises(ConfigError, match=message):
        build(architecture)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            {"channels": 15},
            r"stride \(2, 2\) with 15 channels.* `shortcut.0\(x\[..., ::2, ::2\]\)` is the same",
        ),
        (
            {"channels": 4, "y": 1, "x": 3},
            r"stride \(1, 3\) with 4 channels.* `shortcut.0\(x\[..., ::1, ::3\]\)`",
        ),
        ({"channels": 32, "groups": 4}, r"stride \(2, 2\) with 8 channels"),
        ({"channels": 16}, None),
        ({"channels": 4, "kernel": 3}, None),
        ({"channels": 4, "y": 1, "x": 1}, None),
    ],
)
def test_what_onednn_gets_wrong_is_refused(raw, own, parameters, told):
    architecture = architecture_of(with_file(raw, own, "Strided", **parameters))
    if told is None:
        build(architecture)
        return
    with pytest.raises(ConfigError, match=rf"Strided\(.*\): its layer `shortcut.0` is a 1×1 convolution of {told}"):
        build(architecture)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def Own(:\n", r"bad.py: is no Python file \(SyntaxError: "),
        ("\0", r"bad.py: is no Python file \("),
        ("(" * 5000 + ")" * 5000, r"bad.py: is no Python file \("),
        ("async def Own(): pass", r"`Own` is a coroutine; it must be a class"),
    ],
)
def test_a_file_that_is_no_python_is_told(raw, tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        with_file(raw, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module\n", r"bad.py: cannot be run \(ModuleNotFoundError: No module named 'no_such_module'\)"),
        ("import sys\nsys.exit(3)\n", r"bad.py: cannot be run \(SystemExit: 3\)"),
        ("1 / 0\n", r"bad.py: cannot be run \(ZeroDivisionError: division by zero\)"),
    ],
)
def test_a_file_that_does_not_run_is_told(raw, tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text + "class Own(dict): pass\n")
    architecture = architecture_of(with_file(raw, path))
    with pytest.raises(ConfigError, match=message):
        build(architecture)


def test_the_standard_library_is_no_architecture(raw):
    """What a foreign configuration would name to run a command."""
    with pytest.raises(ConfigError, match=r"os.py: the file defines no class `system`"):
        with_file(raw, os.__file__, "system", command="touch ran")
    with pytest.raises(ConfigError, match=r"subprocess.py: class `Popen` must be a subclass of torch.nn.Module"):
        with_file(raw, subprocess.__file__, "Popen", args="touch ran")
    path = Path(os.__file__).with_name("threading.py")
    with pytest.raises(ConfigError, match=r"the class must be a subclass of torch.nn.Module"):
        build(architecture_of(with_file(raw, path, "Timer", interval=0, function="f")))


def test_a_file_that_is_no_file_or_too_large_is_told(raw, tmp_path):
    large = tmp_path / "large.py"
    large.write_text("#" * (LARGEST_BYTES["Python file"] + 1))
    with pytest.raises(
        ConfigError, match=r"large.py.*is too large: 1.05 MB, where a Python file may have 1.05 MB at most"
    ):
        with_file(raw, large)
    architecture = Architecture(name="Own", file=str(tmp_path))
    with pytest.raises(ArtifactError, match="is a folder, not a regular file"):
        build(architecture)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("OneLogit", r"architecture OneLogit\(\): gives logits \(1, 1, 64, 64\) where \(1, 2, 64, 64\) are needed"),
        ("Fails", r"architecture Fails\(\): fails on an image \(1, 1, 64, 64\): RuntimeError: "),
        ("Halves", r"Halves.stride is \(2, 2\); it must be the whole number of pixels"),
    ],
)
def test_networks_that_do_not_segment_are_told(raw, own, name, message):
    architecture = architecture_of(with_file(raw, own, name))
    network = build(architecture)
    with pytest.raises(ConfigError, match=message):
        check_size(network, architecture, 64)


@pytest.mark.parametrize("side", [63, 2])
def test_images_that_a_networks_stride_does_not_divide_are_told(raw, own, side):
    architecture = architecture_of(with_file(raw, own))
    message = rf"architecture Own\(\): images are {side} px wide, .* stride of 2 px; use a smaller stride"
    with pytest.raises(ConfigError, match=message):
        check_size(build(architecture), architecture, side)
    unet = Architecture(depth=4)
    with pytest.raises(ConfigError, match=r"stride of 16 px; use a smaller depth"):
        check_size(build(unet), unet, side)


def test_trying_a_network_changes_nothing(raw, own):
    architecture = architecture_of(with_file(raw, own, "Draws"))
    torch.manual_seed(0)
    network = build(architecture)
    before = torch.get_rng_state()
    check_size(network, architecture, 16)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert network.norm.training
    assert network.norm.num_batches_tracked == 0


# --- the example ------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "blocks"), [(16, 4), (3, 1)])
def test_the_example_of_an_architecture_of_ones_own(raw, channels, blocks):
    campaign = with_file(raw, ROOT / "config/architectures/dilated.py", "Dilated", channels=channels, blocks=blocks)
    architecture = architecture_of(campaign)
    torch.manual_seed(0)
    network = build(architecture)
    assert stride_of(network) == 1
    check_size(network, architecture, 33)
    inner = 2 * blocks + 1
    assert parameter_count(network) == 9 * channels + inner * 9 * channels**2 + (inner + 1) * 2 * channels + (
        2 * channels + 2
    )
    # 1 px and 2 from each of stem and last, 4 · dilation from each block
    assert receptive_field(network) == 5 + 4 * (2**blocks - 1) == 4 * 2**blocks + 1
    nn.functional.cross_entropy(network(torch.randn(2, 1, 32, 32)), torch.randint(2, (2, 32, 32))).backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


def test_the_page_tells_what_the_command_tells(raw):
    """Of the laptop campaign's images, 128 px of 0.4 Å, as this small one's."""
    page = (ROOT / "docs/architectures.md").read_text()
    told = [
        [cell.strip().strip("`") for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    example = {"name": "Dilated", "file": str(ROOT / "config/architectures/dilated.py")}
    raw["networks"]["unet"]["architecture"] = [{}, example | {"parameters": {"channels": 16, "blocks": 4}}]
    rows = rows_of(load_campaign(raw))
    assert {name: cells for name, *cells in told} == {name: cells[1:] for name, cells in rows.items()}
    assert len(told) == 3


# --- the table --------------------------------------------------------------------------------


def text_of(table):
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def rows_of(campaign):
    """Label of each architecture with the other cells of its row."""
    return {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]]
        for line in text_of(architectures_table(campaign)).splitlines()
        if line.startswith("│")
    }


def test_table_of_architectures(raw, own):
    raw["networks"]["own"] = raw["networks"]["unet"] | {"architecture": {"name": "Own", "file": str(own)}}
    raw["networks"]["wide"] = raw["networks"]["unet"] | {"architecture": [{}, {"base_channels": 12, "depth": 1}]}
    campaign = load_campaign(raw)
    assert image_sides(campaign) == [128]
    rows = rows_of(campaign)
    # every architecture once, those built in last
    assert list(rows) == [
        "unet(base_channels=8, depth=3)",
        "Own()",
        "unet(base_channels=12, depth=1)",
        "resnet_unet(base_channels=64, depth=5)",
    ]
    assert rows["unet(base_channels=8, depth=3)"] == ["unet, wide", "121,042", "289 M", "100", "40", "8"]
    # 2 · 128² · (9 · 3 + 3 · 2) operations; 3 px of 0.4 Å
    assert rows["Own()"] == ["own", str(9 * 3 + 3 + 6 + 3 * 2 + 2), "1.08 M", "3", "1.2", "2"]
    assert rows["resnet_unet(base_channels=64, depth=5)"][:2] == ["–", "14,322,082"]


def test_table_has_a_column_for_every_size_of_images(raw):
    raw["structure_sets"]["test"]["cell_A"] = 76.8
    text = text_of(architectures_table(load_campaign(raw)))
    assert "128 px" in text
    assert "192 px" in text
    assert "651 M" in text  # 289 M · (192 / 128)²


def test_table_tries_a_users_architecture(raw, own):
    with pytest.raises(ConfigError, match="gives logits"):
        architectures_table(with_file(raw, own, "OneLogit"))


@pytest.mark.slow
def test_command_shows_the_table_or_the_mistake(raw, own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(json.dumps(raw))
    result = CliRunner().invoke(main, ["architectures", "c.yaml"])
    assert result.exit_code == 0
    assert "Architectures of small" in result.output
    assert "forward pass of one image" in result.output
    wrong = merge(raw, {"networks": {"unet": {"architecture": {"name": "Missing", "file": own.name}}}})
    (tmp_path / "c.yaml").write_text(json.dumps(wrong))
    for verb in ("architectures", "validate"):
        result = CliRunner().invoke(main, [verb, "c.yaml"])
        assert result.exit_code == 2
        assert "networks.unet.architecture: own.py: the file defines no class `Missing`" in result.output


def test_validate_runs_no_file_of_a_configuration(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "import pathlib\npathlib.Path('ran').touch()\n" + OWN + "\ndef near(train, test, *, power): return 1\n"
    (tmp_path / "own.py").write_text(text)
    raw["predictors"] = {"near": {"file": "own.py", "name": "near", "direction": "smaller", "parameters": {"power": 2}}}
    raw["networks"]["unet"]["architecture"] = {"name": "Own", "file": "own.py"}
    (tmp_path / "c.yaml").write_text(json.dumps(raw))
    for words in (["validate"], ["plan"], ["dag"]):
        result = CliRunner().invoke(main, [*words, "c.yaml"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert not (tmp_path / "ran").exists()
    assert CliRunner().invoke(main, ["architectures", "c.yaml"], catch_exceptions=False).exit_code == 0
    assert (tmp_path / "ran").exists(), "to show what it costs, it must be run"
