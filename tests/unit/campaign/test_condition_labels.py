import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.campaign.condition_labels import ConditionLabels, number
from hrtem_ood.physics.optics.condition import Condition


def condition(defocus_A: float = 100, dose_e_per_A2: float = 400, **others: float | None) -> Condition:
    return Condition(defocus_A=defocus_A, dose_e_per_A2=dose_e_per_A2, **others)


def test_one_varying_parameter_gives_bare_numbers_and_an_axis_with_its_unit() -> None:
    conditions = [condition(value, focal_spread_A=20) for value in (-100, 0, 100)]
    labels = ConditionLabels(conditions)
    assert [labels.short_label(c) for c in conditions] == ["−100", "0", "+100"]
    assert labels.axis_label == "Δf [Å]"
    assert labels.default_note == ""
    assert labels.title(conditions[0]) == "Δf −100 Å"


def test_a_parameter_with_a_usual_value_is_named_only_where_it_differs() -> None:
    conditions = [condition(-100), condition(0), condition(100), condition(C12=40), condition(dose_e_per_A2=1600)]
    labels = ConditionLabels(conditions)
    assert [labels.short_label(c) for c in conditions] == [
        "Δf −100 Å",
        "Δf 0 Å",
        "Δf +100 Å",
        "Δf +100 Å, C12 40 Å",
        "Δf +100 Å, 1600 e/Å²",
    ]
    assert labels.default_note == "dose 400 e/Å², C12 0 Å"
    assert labels.axis_label == "condition"


def test_a_full_grid_names_all_that_varies() -> None:
    conditions = [condition(defocus, dose) for dose in (100, 400) for defocus in (-50, 50)]
    labels = ConditionLabels(conditions)
    assert labels.short_label(conditions[3]) == "Δf +50 Å, 400 e/Å²"
    assert labels.default_note == ""
    assert sorted(set(conditions), key=labels.sort_key) == conditions


def test_a_single_condition_has_its_whole_label() -> None:
    only = condition(50, focal_spread_A=20)
    assert ConditionLabels([only, only]).short_label(only) == only.label


def test_no_aperture_is_named() -> None:
    conditions = [condition(aperture_mrad=None), condition(aperture_mrad=20), condition(50, aperture_mrad=20)]
    labels = ConditionLabels(conditions)
    assert labels.common_values == {"aperture_mrad": 20}
    assert labels.short_label(conditions[0]) == "Δf +100 Å, no aperture"
    assert sorted(conditions, key=labels.sort_key)[-1] == conditions[0]


def test_conditions_with_usual_values_come_first() -> None:
    conditions = [condition(-100), condition(100), condition(300), condition(100, C12=40), condition(100, 100)]
    labels = ConditionLabels(conditions)
    assert sorted(set(conditions), key=labels.sort_key) == conditions


def test_groups_are_what_is_unusual_and_stay_together() -> None:
    reference = [condition(value) for value in (-100, 0, 100, 200, 300, 400, 500)]
    twofold = [condition(defocus, C12=40, phi12=phi) for defocus in (-100, 100) for phi in (0, 0.8)]
    doses = [condition(defocus, 30) for defocus in (-100, 100)]
    labels = ConditionLabels(reference + twofold + doses)
    ordered = sorted(labels.conditions, key=labels.sort_key)
    groups = [labels.group(c) for c in ordered]
    assert list(dict.fromkeys(groups)) == [name for name, _ in itertools.groupby(groups)], "each in one piece"
    assert {c for c in ordered if labels.group(c) == "C12"} == set(twofold), "an azimuth is its aberration's"
    assert {c for c in ordered if labels.group(c) == "dose"} == set(doses)
    assert groups[:7] == ["Δf"] * 7
    assert labels.group(condition(100, 30, C12=40)) == "dose, C12"


def test_numbers_have_a_true_minus_sign() -> None:
    assert [number(-5), number(5, signed=True), number(0, signed=True), number(1.5)] == ["−5", "+5", "0", "1.5"]


drawn = st.builds(
    condition,
    st.integers(-3, 3),
    st.integers(1, 3),
    C12=st.integers(0, 2),
    defocus_sd_A=st.integers(0, 1),
    aperture_mrad=st.none() | st.integers(10, 11),
)


@given(st.lists(drawn, min_size=1, max_size=12, unique=True))
@settings(max_examples=100, deadline=None)
def test_short_labels_tell_conditions_apart(conditions: list[Condition]) -> None:
    labels = ConditionLabels(conditions)
    assert len({labels.short_label(c) for c in conditions}) == len(conditions)
    assert len({labels.sort_key(c) for c in conditions}) == len(conditions)


def test_conditions_that_vary_jointly_are_one_group_in_the_order_of_the_leading_parameter() -> None:
    values = [(120.0, 100.0, 5.0), (-80.0, 400.0, 9.0), (30.0, 200.0, 7.0), (90.0, 900.0, 3.0)]
    conditions = [condition(defocus, dose, C12=c12) for defocus, dose, c12 in values]
    labels = ConditionLabels(conditions)
    assert labels.varies_jointly
    assert [c.defocus_A for c in sorted(conditions, key=labels.sort_key)] == [-80, 30, 90, 120]
    assert {labels.group(c) for c in conditions} == {"all conditions"}
    assert labels.tick_label(conditions[0]) == "+120 · 100 · 5"
    assert labels.axis_label == "condition: Δf [Å] · dose [e/Å²] · C12 [Å]"
    grid = ConditionLabels([condition(defocus, dose) for dose in (100, 400) for defocus in (-50, 50)])
    assert not grid.varies_jointly


def test_in_a_sentence_a_condition_has_as_many_parameters_as_tell_it_apart() -> None:
    jointly = [
        Condition(defocus_A=defocus, dose_e_per_A2=dose, C30=c30, focal_spread_A=spread)
        for defocus, dose, c30, spread in [
            (10, 100, 1e4, 20),
            (10, 200, 2e4, 30),
            (30, 300, 3e4, 40),
            (30, 300, 4e4, 50),
        ]
    ]
    labels = ConditionLabels(jointly)
    assert labels.varies_jointly
    assert [labels.brief(each) for each in jointly] == [
        "Δf +10 Å, 100 e/Å², …",
        "Δf +10 Å, 200 e/Å², …",
        "Δf +30 Å, 300 e/Å², focal spread 40 Å, …",
        "Δf +30 Å, 300 e/Å², focal spread 50 Å, …",
    ]
    apart = ConditionLabels([Condition(defocus_A=each, dose_e_per_A2=400) for each in (-100, 0, 100)])
    assert apart.brief(apart.conditions[2]) == "Δf +100 Å"
