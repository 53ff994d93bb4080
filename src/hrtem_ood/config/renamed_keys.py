"""Renamed configuration keys and values: old and current names, so that errors about old files give the new name."""

RENAMED_KEYS: dict[str, dict[str, str]] = {
    "": {"suites": "test_suites"},
    "structure_sets": {"structures": "n_structures", "scenes": "file"},
    "simulation": {"phonons": "n_frozen_phonons"},
    "labels": {"coverage": "mask_threshold"},
    "imaging": {
        "pixel_A": "pixel_size_A",
        "expected_counts": "store_noise_free",
        "coherence": "temporal_coherence",
        "integrate_pixels": "apply_pixel_mtf",
    },
    "training_sets": {
        "structures": "structure_set",
        "images": "n_images",
        "validation": "n_validation_structures",
        "mix": "mixture",
    },
    "test_suites": {"structures": "structure_set"},
    "networks": {
        "channels": "base_channels",
        "schedule": "lr_schedule",
        "decay": "lr_decay",
        "noise": "resample_noise",
        "arithmetic": "numeric_precision",
        "weights": "stored_dtype",
    },
    "transfer": {"weight": "weighting"},
    "predictors": {"nearer": "direction"},
    "analysis": {
        "score": "metric",
        "reference": "baseline_predictor",
        "forecast": "forecast_predictor",
        "resamples": "bootstrap_resamples",
        "level": "confidence_level",
        "coverage": "forecast_level",
        "leave_out": "exclude_predictors",
        "compare": "compare_training_sets",
    },
    "execution": {"launcher": "network_jobs", "save_every_s": "checkpoint_interval_s"},
}
"""By section (the first key of the path; "" is the top level): old key to new key."""

RENAMED_VALUES: dict[tuple[str, str], dict[object, object]] = {
    ("simulation", "engine"): {"fast": "builtin"},
    ("execution", "network_jobs"): {"pack": "grouped", "submitit": "individual"},
    ("networks", "numeric_precision"): {"float32": "32-true", "bfloat16": "bf16-mixed"},
    ("networks", "resample_noise"): {"stored": "false", "fresh": "true"},
}
"""By section and key: old value to new value."""


def renamed_key(path: tuple[str, ...]) -> str | None:
    """Return the current name of a renamed key at a path of keys, or None for any other key."""
    section = path[0] if len(path) > 1 else ""
    return RENAMED_KEYS.get(section, {}).get(path[-1])


def renamed_value(path: tuple[str, ...], value: object) -> object | None:
    """Return the current form of a renamed value of the key at a path, or None for any other value."""
    return RENAMED_VALUES.get((path[0], path[-1]), {}).get(value) if isinstance(value, str) and path else None
