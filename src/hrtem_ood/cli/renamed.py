"""Renamed verbs and options: the message for an old name gives the new one."""

RENAMED_COMMANDS = {
    "results": "study-page",
    "analyze": "stage metrics`, `stage report` or `stage index",
    "build": "stage build",
    "simulate": "stage simulate",
    "image": "stage image",
    "train": "stage train",
    "suite": "stage suite",
    "evaluate": "stage evaluate",
    "transfer": "stage transfer",
    "predictors": "stage predictors",
}
"""Old verb to new verb."""

RENAMED_OPTIONS = {
    ("design", "--use"): "--target-conditions",
    ("design", "--by"): "--predictor",
    ("design", "--budget"): "--n-conditions",
    ("design", "--limit"): "--time-limit",
    ("status", "--every"): "--interval",
    ("train", "--asked"): "--resources",
    ("evaluate", "--asked"): "--resources",
    ("predict", "--pixel-A"): "--pixel-size-A",
}
"""Verb and old option to new option."""


def renamed_command(name: str) -> str | None:
    """Return the message for the old name of a verb; None for any other name."""
    new = RENAMED_COMMANDS.get(name)
    return None if new is None else f"No such command '{name}'. It is called `{new}` now."


def renamed_option(command: str, option: str) -> str | None:
    """Return the message for the old name of an option of a verb; None for any other name."""
    new = RENAMED_OPTIONS.get((command, option))
    return None if new is None else f"No such option '{option}'. It is called `{new}` now."
