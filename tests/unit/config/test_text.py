"""What YAML and JSON may hold, and what of them would be read as something else."""

import pytest

from hrtem_ood.campaign.load import load_campaign, merge, read_yaml
from hrtem_ood.config.text import MOST_YAML_VALUES, parse_yaml
from hrtem_ood.errors import ConfigError

BOMB = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9) if i else 'lol'}]" for i in range(9))

YAML = {
    ".inf": "not a finite number",
    "-.INF": "not a finite number",
    ".nan": "not a finite number",
    "1.0e+400": "not a finite number",
    "1:30": "base 60",
    "190:20:30": "base 60",
    "1:30.5": "base 60",
    "010": "octal",
    "-017": "octal",
    "9" * 5000: "cannot be read as int",
    "!!int x": "cannot be read as int",
    "!!int ''": "cannot be read as int",
    "!!float x": "cannot be read as float",
    "!!bool x": "cannot be read as bool",
    "!!timestamp x": "cannot be read as timestamp",
    "2001-99-99": "cannot be read as timestamp",
    "!!map x": "expected a mapping node",
    "!!python/object/apply:os.system [id]": "could not determine a constructor",
    "{[a]: 1}": "a key must be plain text",
    "{a: 1, a: 2}": "the key `a` occurs twice",
    "&a [*a]": "inside the value that it refers to",
    "&a {<<: *a}": "inside the value that it refers to",
    "*nope": "undefined alias",
    "{<<: 5}": "expected a mapping",
    "[" * 40 + "]" * 40: "nests more than 32 levels",
    "[" * 100_000: "nests more than 32 levels",
    "\0": "'\\x00' is not allowed in YAML",
}


@pytest.mark.parametrize(("text", "message"), YAML.items(), ids=[key[:20].replace("\0", "NUL") for key in YAML])
def test_yaml_that_is_refused_names_its_line(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_bytes(f"a: 1\nb: {text}\n".encode())
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert message in str(caught.value)
    assert "line 2" in str(caught.value)
    assert len(str(caught.value)) < 1000


JSON = {
    '{"a": 1, "a": 2}': "the key `a` occurs twice",
    '{"b": {"a": 1, "a": 2}}': "the key `a` occurs twice",
    '{"a": ' * 100_000: "nests more than 32 levels",
}


@pytest.mark.parametrize(("text", "message"), JSON.items(), ids=[key[:20] for key in JSON])
def test_json_that_is_refused(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not valid JSON") as caught:
        read_yaml(path)
    assert message in str(caught.value)


def test_aliases_are_counted_before_they_are_written_out():
    with pytest.raises(Exception, match=f"more than {MOST_YAML_VALUES:,} values"):
        parse_yaml(BOMB)
    # few of them are fine, merged ones too
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": [{"x": 1}, {"x": 1}],
    }


def test_numbers_and_text_keep_their_meaning():
    text = "{a: 1_000, b: 0x1F, c: 1.0e+5, d: '1:30', e: 0, f: -0.5, g: 2001-01-01x, h: yes, i: 00:x}"
    expected = {
        "a": 1000,
        "b": 31,
        "c": 1e5,
        "d": "1:30",
        "e": 0,
        "f": -0.5,
        "g": "2001-01-01x",
        "h": True,
        "i": "00:x",
    }
    assert parse_yaml(text) == expected


def test_bytes_that_are_no_utf8_are_named(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes("a: Å\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"is not text in UTF-8 \(byte 3"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"simulation": {"energy_eV": 10**400}},
            "simulation.energy_eV: a whole number of about 401 digits is too large",
        ),
        ({"simulation": {"energy_eV": float("inf")}}, "simulation.energy_eV: must be a finite number, not inf"),
        ({"simulation": {"energy_eV": b"x"}}, "simulation.energy_eV: must be a number, text"),
        ({"simulation": {5: 1}}, "simulation.5: a key must be text, not 5"),
        ({"campaign": "a\0b"}, "campaign: 'a\\x00b' contains the character '\\x00'"),
        ({"campaign": "a" * 405_000}, "campaign: text of 405,000 characters is too long"),
        ({"x" * 405_000: 1}, "text of 405,000 characters is too long"),
        (
            {"conditions": {"dose": {"defocus_A": list(range(20_000))}}},
            "defocus_A: a list of 20,000 values is too long",
        ),
    ],
)
def test_what_is_no_plain_value_is_refused_by_its_key(raw, change, message):
    with pytest.raises(ConfigError) as caught:
        load_campaign(merge(raw, change))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e400", "9" * 5000])
def test_numbers_of_json_that_are_not_finite_are_refused_by_their_key(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(f'{{"simulation": {{"energy_eV": {text}}}}}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"simulation\.energy_eV: must be a finite number"):
        load_campaign(read_yaml(path))


def test_a_configuration_that_holds_itself_is_refused(raw):
    raw["conditions"]["dose"]["more"] = raw["conditions"]
    with pytest.raises(ConfigError, match=r"conditions\.dose\.more: contains itself"):
        load_campaign(raw)


def test_one_message_lists_twenty_mistakes_at_most(raw):
    raw["imaging"] |= {f"k{number}": 1 for number in range(500)}
    with pytest.raises(ConfigError, match=r"and 480 more\.") as caught:
        load_campaign(raw)
    assert str(caught.value).count("unknown key") == 20


def test_away_from_the_default_configuration_it_is_named(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_campaign({"campaign": "a"})
    assert f"config/config.yaml, on which others are merged, is not in {tmp_path}" in str(caught.value)
    assert "simulation, imaging" in str(caught.value)
    assert load_campaign(raw).name == "small"
