"""Ids that exist never move: not when a key is added, and a default that changes is noticed."""

import json
import subprocess
import sys
import types
import typing

import pytest
from pydantic import BaseModel
from tests.golden_ids import FILE, ROOT, SPECS, VARIED, golden, ids_of

from hrtem_ood.campaign.load import load_campaign

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))

MOVED = """
from tests.golden_ids import FILE, SPECS, ids_of
import json
from hrtem_ood.campaign.load import load_campaign
golden = json.loads(FILE.read_text(encoding="utf-8"))
moved = [each["id"] for each in golden["specs"]
         if SPECS[each["stage"]].model_validate(each["parameters"]).id != each["id"]]
moved += [str(each["ids"]) for each in golden["campaigns"]
          if ids_of(load_campaign(each["configuration"])) != each["ids"]]
print(json.dumps(moved))
"""

HOOK = """
from pydantic._internal import _model_construction as construction
from pydantic.fields import FieldInfo
new = construction.ModelMetaclass.__new__
def changed(cls, name, bases, namespace, **words):
    if namespace.get("__module__", "").startswith("hrtem_ood."):
        {change}
    return new(cls, name, bases, namespace, **words)
construction.ModelMetaclass.__new__ = changed
"""

ADD = """
        known = namespace.setdefault("__annotations__", {})
        # grids have it already, from what they are grids of
        inherited = any("drift_A" in getattr(base, "model_fields", {}) for base in bases)
        if name not in ("Model", "_TrainedOn") and "drift_A" not in known and not inherited:
            known["drift_A"], namespace["drift_A"] = float, 0.0
"""

DEFAULT = """
        if name == {model!r}:
            field = namespace[{field!r}]
            assert isinstance(field, FieldInfo) and field.default == {old!r}, field
            field.default = {new!r}
            field._attributes_set["default"] = {new!r}
"""


def moved(change):
    """Return the golden ids that another interpreter, whose models are changed as they are defined, does not find."""
    done = subprocess.run(
        [sys.executable, "-c", HOOK.format(change=change.strip()) + MOVED],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("each", GOLDEN["specs"], ids=lambda each: each["id"])
def test_a_spec_keeps_its_id(each):
    assert SPECS[each["stage"]].model_validate(each["parameters"]).id == each["id"]


def test_campaigns_keep_their_ids():
    assert [ids_of(load_campaign(each["configuration"])) for each in GOLDEN["campaigns"]] == [
        each["ids"] for each in GOLDEN["campaigns"]
    ]


def test_the_file_is_the_one_that_is_written_today():
    """Otherwise the next one who adds a key finds changes that are none of theirs."""
    assert golden() == GOLDEN, "run `python -m tests.golden_ids`; its difference shows whether an id has moved"


def test_every_stage_is_there():
    assert {each["stage"] for each in GOLDEN["specs"]} == set(SPECS)
    assert {each["campaign"] for each in GOLDEN["specs"]} == {"tiny", "paper", "own", *VARIED}
    assert len(GOLDEN["specs"]) >= 20


def test_a_key_that_is_added_to_every_model_moves_no_id():
    assert moved(ADD) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "field", "old", "new"),
    [
        ("Condition", "C30", 0.0, 1.0),
        ("Hyperparameters", "batch_size", 8, 16),
        ("Hyperparameters", "optimizer", "adamw", "adam"),
        ("Imaging", "store_noise_free", False, True),
        ("Transfer", "radial_points", 512, 1024),
    ],
)
def test_a_default_that_changes_is_noticed(model, field, old, new):
    assert moved(DEFAULT.format(model=model, field=field, old=old, new=new))


def test_every_default_stands_in_some_golden_spec():
    """Only then is its change noticed, as above."""
    unseen = {
        f"{model.__name__}.{name}"
        for spec in SPECS.values()
        for model in models_in(spec)
        for name, field in model.model_fields.items()
        if not field.is_required() and not any(holds(each["parameters"], model, name) for each in GOLDEN["specs"])
    }
    assert not unseen, f"run `python -m tests.golden_ids`, which adds specs that hold {', '.join(sorted(unseen))}"


def models_in(annotation):
    """Return the models that an annotation names, and those that they name in turn."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}.union(*(models_in(field.annotation) for field in annotation.model_fields.values()))
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation):
        return set().union(*(models_in(each) for each in typing.get_args(annotation)))
    return set()


def holds(value, model, name):
    """Whether JSON values hold a mapping with all fields of a model, and the default of this one."""
    if isinstance(value, dict):
        is_model = set(model.model_fields) == set(value)
        default = json.loads(json.dumps(model.model_fields[name].default, default=lambda each: each.model_dump()))
        return (is_model and value[name] == default) or any(holds(each, model, name) for each in value.values())
    return isinstance(value, list) and any(holds(each, model, name) for each in value)
