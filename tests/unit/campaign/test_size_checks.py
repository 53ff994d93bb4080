"""What is too large is refused before it is expanded, by key and limit; what holds no counts, too."""

import pytest

from hrtem_ood.errors import ConfigError

AXIS = list(range(300))
TOO_LARGE = {
    "conditions": (
        {"conditions": {"dose": {"C12": AXIS, "C30": AXIS, "C50": AXIS, "C23": AXIS}}},
        ["conditions.dose: defines 16,200,000,000 conditions", "the limit is 5,000"],
    ),
    "networks": (
        {
            "networks": {
                "unet": {
                    "seed": AXIS,
                    "batch_size": [1 + i for i in AXIS],
                    "steps": [2 + i for i in AXIS],
                    "epochs": None,
                }
            }
        },
        ["networks.unet: defines 108,000,000 networks", "the limit is 100,000"],
    ),
    "datasets": (
        {
            "conditions": {"dose": {"C12": AXIS, "dose_e_per_A2": list(range(100, 110))}},
            "test_suites": {f"t{i}": {"structure_set": "test", "conditions": "dose"} for i in range(4)},
        },
        ["training_sets.mixed: defines 3,003 datasets", "the limit is 10,000"],
    ),
    "shards": (
        {
            "structure_sets": {"train": {"n_structures": 100_000}, "test": {"n_structures": 9}},
            "execution": {"structures_per_shard": 1},
        },
        ["structure_sets.train: defines 100,000 shards", "execution.structures_per_shard"],
    ),
    "points of a wave": (
        {"simulation": {"sampling_A": 0.01}, "structure_sets": {"train": {"cell_A": 500}, "test": {"cell_A": 500}}},
        ["simulation.sampling_A: 0.01 Å makes 50,000² points of cell_A = 500 Å", "the limit is 10,000²"],
    ),
    "slices": (
        {
            "simulation": {"slice_thickness_A": 0.05},
            "structure_sets": {"train": {"substrate": {"thickness_A": 2000, "density_per_A3": 0.001}}},
        },
        ["simulation.slice_thickness_A: 0.05 Å cuts 2034 Å into 40,680 slices", "the limit is 20,000"],
    ),
    "atoms": (
        {"structure_sets": {"train": {"cell_A": 204.8, "substrate": {"thickness_A": 2000}}}},
        ["structure_sets.train.substrate.thickness_A: a structure may have about 9.3e+06 atoms"],
    ),
    "channels": (
        {"networks": {"unet": {"architecture": {"base_channels": 512, "depth": 5}}}},
        ["networks.unet.architecture.base_channels: 512 doubled 5 times are 16,384", "8,192"],
    ),
    "points of the transfer": (
        {"transfer": {"radial_points": 8192, "azimuthal_points": 720}, "conditions": {"dose": {"C12": AXIS}}},
        ["transfer.radial_points: 5,898,240 points", "use fewer points"],
    ),
    "electrons": (
        {"conditions": {"dose": {"dose_e_per_A2": 1e7}}, "imaging": {"detector": {"gain": 1e4}}},
        ["conditions.dose.dose_e_per_A2: 1e+07 e/Å²", "a gain of 10000", "the largest stored number is 4,294,967,295"],
    ),
    "electrons with jitter": (
        {
            "conditions": {"dose": {"dose_e_per_A2": 1e7, "dose_sd_e_per_A2": 3e6}},
            "imaging": {"detector": {"gain": 100}},
        },
        ["conditions.dose.dose_e_per_A2: 2.2e+07 e/Å²"],
    ),
    "no electrons": (
        {
            "conditions": {"dose": {"dose_e_per_A2": 0.01}},
            "structure_sets": {name: {"cell_A": 25.6, "particles": {"radius_A": [5, 6]}} for name in ("train", "test")},
        },
        ["conditions.dose.dose_e_per_A2: 0.01 e/Å² on a cell of 25.6 Å are 6.6 electrons", "0.015 e/Å² or more"],
    ),
    "counts rounded to nothing": (
        {"imaging": {"detector": {"gain": 0.001}}},
        ["imaging.detector.gain: 0.001 makes numbers of", "all rounded to 0"],
    ),
    "a band that ends before it begins": (
        {"transfer": {"q_min_per_A": 2}},
        ["transfer.q_min_per_A: must be below the Nyquist frequency of imaging.pixel_size_A = 0.4 Å, 1.25 1/Å, not 2"],
    ),
    "an unknown palette": (
        {"report": {"palette": "crsest"}},
        ["report.palette: seaborn has no colour map 'crsest'; try crest"],
    ),
}


@pytest.mark.parametrize(("change", "expected"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_or_blank_is_refused(changed, change, expected):
    with pytest.raises(ConfigError) as caught:
        changed(change)
    for words in expected:
        assert words in str(caught.value)


@pytest.mark.parametrize("palette", ["viridis_r", "light:seagreen", "ch:s=.25,rot=-.25", "icefire"])
def test_palettes_of_seaborn_are_taken(changed, palette):
    assert changed({"report": {"palette": palette}}).config.report.palette == palette


NONSENSE = (
    ("simulation", "slice_thickness_A", 1e-300),
    ("simulation", "sampling_A", 1e-6),
    ("simulation", "phonon_sigma_A", 1e-9),
    ("imaging", "pixel_size_A", 1e-9),
    ("transfer", "q_max_per_A", 1e300),
    ("transfer", "q_min_per_A", 1e300),
    ("labels", "phase_threshold_rad", 1e-300),
    ("execution", "structures_per_shard", 10**18),
)


@pytest.mark.parametrize(("section", "key", "value"), NONSENSE)
def test_numbers_beyond_all_physics_are_refused(changed, section, key, value):
    with pytest.raises(ConfigError, match=rf"{section}\.{key}: must be"):
        changed({section: {key: value}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dose_e_per_A2", 1e-300),
        ("focal_spread_A", 1e-300),
        ("C30_sd", 1e9),
        ("phi12_sd", 10),
        ("dose_sd_e_per_A2", 1e9),
    ],
)
def test_conditions_beyond_all_physics_are_refused(changed, key, value):
    with pytest.raises(ConfigError, match=rf"conditions\.dose\.{key}: must be"):
        changed({"conditions": {"dose": {key: value, "C12": 10}}})


@pytest.mark.parametrize(("key", "value"), [("epochs", 10**18), ("batch_size", 10**9), ("learning_rate", 1e-300)])
def test_networks_beyond_all_sense_are_refused(changed, key, value):
    with pytest.raises(ConfigError, match=rf"networks\.unet\.{key}: must be"):
        changed({"networks": {"unet": {key: value}}})


def test_film_beyond_all_sense_is_refused(changed):
    with pytest.raises(ConfigError, match=r"substrate\.thickness_A: must be less than or equal to 2000, not 1e\+300"):
        changed({"structure_sets": {"train": {"substrate": {"thickness_A": 1e300}}}})
