"""A condition as people state it: ``defocus_A=120,dose_e_per_A2=300``."""

from pydantic import ValidationError

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.quoting import quoted, shortened
from hrtem_ood.suggestions import valid_names

EXAMPLE = "defocus_A=120,focal_spread_A=20,dose_e_per_A2=300"


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Parameters
    ----------
    text : str
        Pairs of key and value with commas between, see :data:`EXAMPLE`. Keys are those of
        :class:`hrtem_ood.physics.optics.condition.Condition`; what is left out has its default.

    Returns
    -------
    Condition

    Raises
    ------
    ConfigError
        With every mistake in the text.
    """
    values: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, sign, value = (part.strip() for part in pair.partition("="))
        if not sign or not value:
            raise ConfigError(f"--condition: {quoted(pair)} is no key=value. Write it like {EXAMPLE}.")
        if key in values:
            raise ConfigError(f"--condition: {key} is there twice.")
        values[key] = value
    try:
        return Condition.model_validate(values)
    except ValidationError as error:
        told = [_told("".join(map(str, each["loc"])), each["type"], each["msg"], values) for each in error.errors()]
    raise ConfigError("\n  ".join([f"--condition {quoted(text)}:", *told]))


def _told(key: str, kind: str, message: str, values: dict[str, str]) -> str:
    fields = Condition.model_fields
    if kind == "extra_forbidden":
        return f"{key}: unknown key; {valid_names(key, fields, title='Valid keys')}"
    if kind == "missing":
        return f"{key}: is missing. It is: {fields[key].description}"
    valid = message.replace("Input should be", "must be").removeprefix("Value error, ").partition(", unable")[0]
    if key not in values:  # of several keys that do not go together
        return f"{valid}."
    return f"{key}: {valid}, not {shortened(values[key])}. It is: {fields[key].description}"
