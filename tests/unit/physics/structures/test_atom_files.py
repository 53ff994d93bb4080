"""Files of atoms are read from the bytes whose digest is taken, whatever their name."""

import bz2
import gzip
import hashlib
import lzma

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import unit_cell
from hrtem_ood.physics.structures.parameters import Material


def gold(a_A):
    return bulk("Au", "fcc", a=a_A, cubic=True)


@pytest.mark.parametrize(
    "name",
    ["mine@2.extxyz", "mine.extxyz@0", "@.extxyz", "mine[12].extxyz", "mi*ne?.cif", "m@1.cif", "postgres.cif", "-.cif"],
)
def test_a_name_is_a_name(tmp_path, monkeypatch, name):
    """Not an index, nor a pattern, nor a database: beside the file lie those that ASE would take it for."""
    monkeypatch.chdir(tmp_path)
    kind = "cif" if ".cif" in name else "extxyz"
    for other in ("mine", f"mine.{kind}", "mine1.extxyz", f"m.{kind}", "m"):
        write(tmp_path / other, gold(9.0), format=kind)
    with open(name, "wb" if kind == "cif" else "w") as file:  # noqa: PTH123
        write(file, gold(4.08), format=kind)
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    crystal = unit_cell(Material(file=name, sha256=digest))
    np.testing.assert_allclose(crystal.cell.lengths(), 4.08)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("kind", ["cif", "extxyz", "vasp"])
def test_packed_files(tmp_path, suffix, pack, kind):
    plain = tmp_path / f"it.{kind}"
    write(plain, gold(4.08), format=kind)
    packed = tmp_path / f"it@1.{kind}{suffix}"
    packed.write_bytes(pack(plain.read_bytes()))
    assert len(unit_cell(Material(file=str(packed)))) == 4
    packed.write_bytes(packed.read_bytes()[:30])
    with pytest.raises(ConfigError, match=r"material\.file: .*it@1.* is not a crystal file that can be read"):
        unit_cell(Material(file=str(packed)))


def test_an_error_names_the_file_and_not_its_copy(tmp_path):
    path = tmp_path / "it.dat"
    path.write_text("what?\n")
    with pytest.raises(ConfigError, match=r"it\.dat is not a crystal file that can be read") as refused:
        unit_cell(Material(file=str(path)))
    assert "hrtem-ood-" not in str(refused.value)
