"""Commands do the same whatever the locale; a terminal that has no Å gets what is closest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hrtem_ood.cli.plain_output import closest

ROOT = Path(__file__).parents[3]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "NO_COLOR": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "utf-8"])
def test_validate_reads_utf8_and_prints_in_any_locale(tmp_path, encoding):
    text = (ROOT / "config/config.yaml").read_text(encoding="utf-8")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(f"# Å, σ and 電子\n{text}", encoding="utf-8")
    command = [sys.executable, "-m", "hrtem_ood", "validate"]
    environment = os.environ | ASCII | {"PYTHONIOENCODING": encoding, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    words = {
        "ascii": "a focal spread of 20 A",
        "iso8859-1": "a focal spread of 20 Å",
        "utf-8": "a focal spread of 20 Å",
    }
    assert words[encoding] in done.stdout.decode(encoding)


def test_what_is_closest_in_ascii():
    text = "−100 Å ≤ σ ± ε² × é 電"
    assert closest(UnicodeEncodeError("ascii", text, 0, len(text), "")) == (
        "-100 A <= sigma +- epsilon2 x e ?",
        len(text),
    )
