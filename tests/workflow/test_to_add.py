"""CONTRIBUTING.md says which files an addition touches: each is made, in a copy of the package, in those files alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests import warm
from tests.workflow.conftest import ROOT, TINY

GOALS = {"image parameter": 3, "predictor": 2, "architecture": 2, "figure": 2, "verb": 2, "stage": 4}
"""Most files that an addition may touch."""

CONDITION, ENVELOPES = "src/hrtem_ood/physics/optics/condition.py", "src/hrtem_ood/physics/optics/envelopes.py"
SPECS, TABLE = "src/hrtem_ood/campaign/specs.py", "src/hrtem_ood/campaign/stage_table.py"

# What is added: to a file that exists, pairs of a text and what takes its place; a new file, as a whole.
ADDITIONS = {
    "image parameter": {
        CONDITION: [
            (
                '    @model_validator(mode="before")\n    @classmethod\n    def _drop_azimuths_of_zero',
                '    toy_A: float = Field(0.0, description="Vibration [Å].")\n'
                '    toy_sd_A: float = Field(0.0, description="Its standard deviation [Å].")\n\n'
                '    @model_validator(mode="before")\n    @classmethod\n    def _drop_azimuths_of_zero',
            ),
            (
                '} | {name: f"{name}_sd" for name in ABERRATIONS}\n"""Every',
                '} | {name: f"{name}_sd" for name in ABERRATIONS} | {"toy_A": "toy_sd_A"}\n"""Every',
            ),
            ("PARAMETER_SYMBOLS = {\n", 'PARAMETER_SYMBOLS = {\n    "toy_A": "vibration",\n'),
            ("_LABEL = {\n", '_LABEL = {\n    "toy_A": "vibration {:g} Å",\n'),
        ],
        ENVELOPES: [
            (
                "    if condition.aperture_mrad is not None:\n",
                "    if condition.toy_A:\n        result *= xp.exp(-((condition.toy_A * q_per_A) ** 2))\n"
                "    if condition.aperture_mrad is not None:\n",
            )
        ],
    },
    "predictor": {
        "src/hrtem_ood/transfer/predictors/toy.py": "def toy(train, test):\n"
        "    return abs(train.defocus_A**2 - test.defocus_A**2)\n",
        "src/hrtem_ood/transfer/predictors/registry.py": [
            (
                "import condition_distance, image_distance, mixtures\n",
                "import condition_distance, image_distance, mixtures, toy\n",
            ),
            (
                '    Predictor(\n        "mmd",',
                '    Predictor("toy", toy.toy, "smaller", "toy", "Å²", "naive", "conditions", needs_objects=False),\n'
                '    Predictor(\n        "mmd",',
            ),
        ],
    },
    "architecture": {
        "src/hrtem_ood/learning/architectures/toy.py": "from torch import nn\n\n\nclass Toy(nn.Sequential):\n"
        "    def __init__(self, channels, depth):\n"
        "        super().__init__(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 2, 1))\n"
        "        self.stride = 2**depth\n",
        "src/hrtem_ood/config/architectures.py": [
            (
                "BUILT_IN: dict",
                "def _toy(channels, depth):\n    yield Convolution(1, channels, 9, 0)\n    yield Convolution(channels, 2, 1, 0)\n"
                "\n\nBUILT_IN: dict",
            ),
            (
                '    "resnet_unet": BuiltIn(',
                '    "toy": BuiltIn("toy", "Toy", 5, 1, "keeps them", _toy),\n    "resnet_unet": BuiltIn(',
            ),
        ],
    },
    "figure": {
        "src/hrtem_ood/report/figures/toy.py": "from matplotlib.figure import Figure\n\n\ndef caption(data):\n    return 'Toy.'\n"
        "\n\ndef draw(data):\n    return Figure()\n",
        "src/hrtem_ood/campaign/report_files.py": [
            ('    FigureRow("power"', '    FigureRow("toy", "Toy", "Conditions"),\n    FigureRow("power"')
        ],
    },
    "verb": {
        "src/hrtem_ood/cli/toy.py": "import click\n\n\n@click.command()\ndef toy():\n    click.echo('a toy')\n",
        "src/hrtem_ood/cli/main.py": [
            (
                "from hrtem_ood.cli.validate import validate\n",
                "from hrtem_ood.cli.toy import toy\nfrom hrtem_ood.cli.validate import validate\n",
            ),
            ('"Results": (summary,', '"Results": (summary, toy,'),
        ],
    },
    "stage": {
        "src/hrtem_ood/stages/toy.py": "from hrtem_ood.artifacts import store\n\n\ndef toy(spec, inputs, output):\n"
        "    store.write_json(output, {'id': spec.id, 'inputs': len(inputs), 'energy_eV': spec.energy_eV})\n",
        SPECS: [
            (
                'AnySpec = TypeVar("AnySpec"',
                'class ToySpec(Spec):\n    stage: ClassVar[str] = "toys"\n    version: ClassVar[int] = STAGE_VERSIONS["toys"]\n'
                '    energy_eV: float\n\n\nAnySpec = TypeVar("AnySpec"',
            )
        ],
        TABLE: [
            (
                "    SuiteSpec,\n    TrainingSetSpec,\n",
                "    SuiteSpec,\n    ToySpec,\n    TrainingSetSpec,\n    by_id,\n",
            ),
            (
                "_ROWS = (\n",
                "def _toys(campaign):\n    return by_id([ToySpec(energy_eV=campaign.config.simulation.energy_eV)])\n\n\n"
                '_ROWS = (\n    Stage(name="toys", singular="toy", plural="toys", ids=_toys, rule="toy", suffix=".json",\n'
                '        version_key="toys", spec=ToySpec, specs=_toys, is_target=True),\n',
            ),
        ],
        "workflow/rules/toy.smk": 'rule toy:\n    input:\n        inputs_of("toys"),\n    output:\n        output_of("toys"),\n'
        '    log:\n        log_of("toys"),\n    shell:\n        f"{CLI} toy {WHERE}"\n',
    },
}

# What the package does with an addition, in a folder that has a campaign.
CHECKS = {
    "image parameter": """
import numpy as np
from hrtem_ood.array_module import array_module
from hrtem_ood.physics.imaging.lens import Lens
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.ctf import envelope
toy = Condition(defocus_A=0, dose_e_per_A2=1, toy_A=0.5)
assert "vibration 0.5 Å" in toy.label
lens = Lens.of(toy, size=32, pixel_size_A=0.4, wavelength_A=0.02, am=array_module("cpu")).transfer(100.0)
q = np.fft.fftfreq(32, 0.4)
damping = envelope(toy, np.hypot(q[:, None], q), np.zeros(1), wavelength_A=0.02, defocus_A=0.0)
np.testing.assert_allclose(abs(lens), damping, atol=1e-6)
assert damping.min() < 0.7
""",
    "predictor": """
import hrtem_ood
from hrtem_ood.transfer.predictors.registry import PREDICTORS
conditions = [hrtem_ood.Condition(defocus_A=defocus, dose_e_per_A2=1) for defocus in (3, 5)]
assert PREDICTORS["toy"].measure(*conditions) == 16
from hrtem_ood.stages.predictors import active_predictors
assert "toy" in active_predictors(hrtem_ood.load_campaign())
""",
    "architecture": """
import sys
from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures import static_complexity
toy = Architecture(name="toy")
assert (toy.label, static_complexity.flops_per_image(toy, 8)) == ("toy(base_channels=5, depth=1)", 2 * 55 * 64)
assert "torch" not in sys.modules
from hrtem_ood.learning.architectures.complexity import measured_flops
from hrtem_ood.learning.architectures.registry import build
assert measured_flops(build(toy), 8) == 2 * 55 * 64
""",
    "figure": """
import hrtem_ood
from hrtem_ood.campaign.report_files import report_files
from hrtem_ood.report.figures.catalogue import figure_module
assert "figures/toy.png" in report_files(hrtem_ood.load_campaign())
assert figure_module("toy").caption(None) == "Toy."
""",
    "verb": """
from click.testing import CliRunner
from hrtem_ood.cli import main
assert CliRunner().invoke(main, ["toy"]).output == "a toy\\n"
assert "  toy " in CliRunner().invoke(main, ["--help"]).output
""",
    "stage": """
import subprocess, sys
from pathlib import Path
import hrtem_ood
from hrtem_ood.campaign import dag
campaign = hrtem_ood.load_campaign()
(id_,) = dag.artifact_ids(campaign, "toys")
assert ("toys", id_) in dag.default_targets(campaign)
command = [sys.executable, "-m", "snakemake", "--snakefile", "../Snakefile", "--cores", "1", f"results/toys/{id_}.json"]
done = subprocess.run(command, capture_output=True, text=True, check=False)
assert done.returncode == 0, done.stdout + done.stderr
written = hrtem_ood.Results(Path("results")).read_json("toys", id_)
assert written == {"id": id_, "inputs": 0, "energy_eV": 300e3}
""",
}


def row(kind):
    """Return the paths that the table names for an addition, with the name of ours."""
    (line,) = re.findall(rf"^\| an? {kind}\b[^|]*\|([^|]*)\|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    paths = [path.replace("<name>", "toy") for path in re.findall(r"`([^`]+)`", line)]
    return {path if path.startswith(("workflow/", "Snakefile")) else f"src/hrtem_ood/{path}" for path in paths}


@pytest.mark.parametrize("kind", GOALS)
def test_the_table_names_few_files_and_all_of_an_addition(kind):
    assert set(ADDITIONS[kind]) == row(kind)
    assert len(row(kind)) <= GOALS[kind]


@pytest.mark.parametrize("kind", GOALS)
def test_what_is_added_works(kind, tmp_path):
    for name in ("src", "workflow", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "Snakefile", tmp_path)
    (tmp_path / "work/config").mkdir(parents=True)
    (tmp_path / "work/config/config.yaml").write_text(yaml.safe_dump(TINY))
    for name, change in ADDITIONS[kind].items():
        write(tmp_path / name, change)
    (tmp_path / "work/check.py").write_text(CHECKS[kind])
    # the check of an architecture looks at what is imported
    python = sys.executable if kind == "architecture" else warm.python()
    done = subprocess.run(
        [python, "-m", "check"],
        cwd=tmp_path / "work",
        env=os.environ | {"PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def write(path: Path, change):
    if isinstance(change, str):
        assert not path.exists()
        path.write_text(change)
        return
    text = path.read_text()
    for old, new in change:
        assert text.count(old) == 1, (path, old)
        text = text.replace(old, new)
    path.write_text(text)
