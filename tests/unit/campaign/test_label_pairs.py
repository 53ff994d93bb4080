"""Pairs of micrographs and labels by the names of their files."""

from pathlib import Path

import pytest

from hrtem_ood.campaign.label_pairs import expand, pair_files
from hrtem_ood.errors import ConfigError


def paired(micrographs, labels):
    pairs = pair_files([Path(name) for name in micrographs.split()], [Path(name) for name in labels.split()])
    return " ".join(f"{pair.micrographs}:{pair.labels}" for pair in pairs)


@pytest.mark.parametrize(
    ("micrographs", "labels", "expected"),
    [
        ("i/a.tif i/b.dm4", "l/b.tif l/a.png", "i/a.tif:l/a.png i/b.dm4:l/b.tif"),
        ("a.tif b.tif", "a_label.tif b-mask.png", "a.tif:a_label.tif b.tif:b-mask.png"),
        ("a.tif b.tif", "mask_a.tif b.labels.png", "a.tif:mask_a.tif b.tif:b.labels.png"),
        ("a_img.tif b.tif", "A_Ground_Truth.tif b_seg.png", "a_img.tif:A_Ground_Truth.tif b.tif:b_seg.png"),
        ("a.tif a_raw.tif", "l/a.tif l/a_raw.tif", "a.tif:l/a.tif a_raw.tif:l/a_raw.tif"),  # equal stems come first
        ("one.tif", "other.png", "one.tif:other.png"),
        ("a.tif a_mask.tif b.tif b_mask.tif", "a_mask.tif b_mask.tif", "a.tif:a_mask.tif b.tif:b_mask.tif"),
        ("s1/i/a.tif s2/i/a.tif", "s2/l/a.tif s1/l/a.tif", "s1/i/a.tif:s1/l/a.tif s2/i/a.tif:s2/l/a.tif"),
    ],
)
def test_pairs(micrographs, labels, expected):
    assert paired(micrographs, labels) == expected


@pytest.mark.parametrize(
    ("micrographs", "labels", "message"),
    [
        ("a.tif b.tif", "a.png", "micrographs without a label: 'b.tif'. A label has the name of"),
        ("a.tif", "a.png b.png", "labels without a micrograph: 'b.png'. A label has"),
        ("a.tif b.tif", "a.png c.png", "without a label: 'b.tif'. labels without a micrograph: 'c.png'."),
        ("a.tif a.mrc", "l/a.png m/a.png", "without a label: 'a.tif', 'a.mrc'. labels without a micrograph: 'l/a.png'"),
        ("a.tif b.tif", "b.png b_mask.png a.png", "labels without a micrograph: 'b_mask.png'"),
        (" ".join(f"{n}.tif" for n in range(14)), "x.png y.png", "'9.tif' and 4 more."),
        ("a.tif b.tif", "a.tif b.tif", "every file is given as a label (--labels), too"),
    ],
)
def test_files_without_a_partner_are_listed(micrographs, labels, message):
    with pytest.raises(ConfigError) as error:
        paired(micrographs, labels)
    assert message in str(error.value)


def test_patterns_are_expanded_and_sorted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.tif", "a.tif", "c[1].tif", "in/d.tif", ".hidden.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = lambda *words: [str(path) for path in expand(words, "--labels")]  # noqa: E731
    assert names("*.tif", "a.tif") == ["a.tif", "b.tif", "c[1].tif"]
    assert names("**/*.tif") == ["a.tif", "b.tif", "c[1].tif", "in/d.tif"]
    assert names("c[1].tif") == ["c[1].tif"]
    assert names(str(tmp_path / "i*/*.tif")) == [str(tmp_path / "in/d.tif")]
    assert names("none.tif") == ["none.tif"]  # named when it is read
    with pytest.raises(ConfigError, match=r"--labels: no file matches '\*.png'"):
        names("*.png")
    with pytest.raises(ConfigError, match=r"--labels: 'in' is a folder. Give its files: 'in/\*.tif'"):
        names("in")
