"""Loading of campaigns from YAML files; every mistake is reported with its key and the valid values."""

import re
import types
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hrtem_ood.artifacts.files import damaged
from hrtem_ood.base_model import NAME_PATTERN, PYTHON_NAME_PATTERN, SHA256_PATTERN
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.checks import config_errors
from hrtem_ood.campaign.micrograph_files import with_labelled_files
from hrtem_ood.config.campaign import CampaignConfig
from hrtem_ood.config.plain_values import key_text, plain_value_errors
from hrtem_ood.config.renamed_keys import renamed_key, renamed_value
from hrtem_ood.config.text import parse_json, parse_yaml
from hrtem_ood.errors import ConfigError
from hrtem_ood.quoting import quoted, shortened
from hrtem_ood.suggestions import valid_names
from hrtem_ood.user_files import FileKind, file_sha256, read_text

DEFAULT = Path("config/config.yaml")
"""The configuration on which all others are merged, by the Snakefile and by the command line alike."""


_NO_DEFAULT = f"{DEFAULT}, on which others are merged, is not in {{folder}}; run the command in the folder that has it"

MOST_MISTAKES = 20
"""Largest number of mistakes that one message lists."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML file, or one JSON file, in UTF-8.

    Raises
    ------
    ConfigError
        When it is missing, no regular file or too large, is not YAML, or is not a mapping.
    """
    is_json = path.suffix == ".json"
    try:
        text = read_text(path, "saved configuration" if is_json else "configuration")
        # YAML 1.1 reads JSON's 1e-05 as text
        content = parse_json(text) if is_json else parse_yaml(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). Give the path of a YAML file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not text in UTF-8 (byte {error.start}: {error.reason}).") from error
    except (yaml.YAMLError, ValueError) as error:
        problem = _describe_parser_error(error, path)
        raise ConfigError(f"{path}: is not valid {'JSON' if is_json else 'YAML'}.\n{problem}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values; see docs/configuration.md.")
    return content


def _describe_parser_error(error: Exception, path: Path) -> str:
    """Return a parser's message about a file, with line and column, and with long lines shortened."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return "\n".join(shortened(line, 200) for line in str(error).splitlines()[:5])
    return f"{shortened(problem, 200)}\n  in {path}, line {mark.line + 1}, column {mark.column + 1}"


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two configurations as Snakemake's ``--configfile`` does: mappings key by key, anything else replaced."""
    result = dict(base)
    for key, value in override.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def read_configs(paths: Sequence[Path]) -> dict[str, Any]:
    """Read configurations as ``snakemake --configfile`` would: on top of the default one, where that exists.

    One that the workflow wrote, below ``results/configs``, is complete and is read alone.
    """
    paths = list(paths)
    is_complete = any(map(_is_kept, paths))
    if DEFAULT.exists() and not is_complete and not any(path.resolve() == DEFAULT.resolve() for path in paths):
        paths.insert(0, DEFAULT)
    if not paths:
        raise ConfigError(
            f"there is no configuration: {_NO_DEFAULT.format(folder=Path.cwd())}, or name a configuration."
        )
    merged: dict[str, Any] = {}
    for path in paths:
        merged = merge(merged, read_yaml(path))
    return merged


def _is_kept(path: Path) -> bool:
    """Whether a configuration is one that the workflow wrote."""
    return path.parent.name == "configs" and path.suffix == ".json"


def load_campaign_from_files(paths: Sequence[Path]) -> Campaign:
    """Read and validate configurations, and return their campaign.

    Parameters
    ----------
    paths : sequence of Path
        As of :func:`read_configs`.

    Raises
    ------
    ConfigError
    ArtifactError
        Where one that the workflow wrote is damaged: its name holds the digest of its content.
    """
    if len(paths) == 1 and _is_kept(paths[0]) and re.search(r"-[0-9a-f]{10}$", paths[0].stem):
        return load_kept_campaign(paths[0])
    return load_campaign(read_configs(paths))


def load_kept_campaign(path: Path) -> Campaign:
    """Load a configuration that the workflow wrote, and check its content against the id in its name.

    Raises
    ------
    ConfigError
        Where it is not valid, or no longer valid.
    ArtifactError
        Where it is damaged.
    """
    raw = read_yaml(path)
    try:
        campaign = load_campaign(raw)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if campaign.config_id != path.stem:
        raise damaged(path, f"its content has the id {campaign.config_id}")
    return campaign


def load_campaign(raw: Mapping[str, Any]) -> Campaign:
    """Validate a configuration and return its campaign.

    Parameters
    ----------
    raw : mapping
        As read from YAML. A key with the value null counts as not written, so that a merged file can remove entries.

    Raises
    ------
    ConfigError
        Lists all mistakes.
    """
    problems = list(islice(plain_value_errors(raw), MOST_MISTAKES))
    if problems:
        raise _config_error(problems)
    written = _with_file_digests(_without_nulls(raw))
    try:
        config = CampaignConfig.model_validate(written)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        missing = [str(each["loc"][0]) for each in mistakes if each["type"] == "missing" and len(each["loc"]) == 1]
        if missing and not DEFAULT.exists():
            folder = _NO_DEFAULT.format(folder=Path.cwd())
            raise _config_error([f"{folder}. Without it, {', '.join(missing)} are missing."]) from None
        raise _config_error(
            [_describe_error(details, written) for details in mistakes[:MOST_MISTAKES]], len(mistakes)
        ) from None
    campaign = Campaign(config)
    errors = config_errors(campaign)
    if errors:
        raise _config_error(errors)
    return campaign


def _config_error(messages: Sequence[str], number: int = 0) -> ConfigError:
    unique = list(dict.fromkeys(messages))
    more = max(number, len(messages)) - MOST_MISTAKES
    if more > 0:
        unique = [*unique[:MOST_MISTAKES], f"and {more} more."]
    head = "The configuration has a mistake:" if len(unique) == 1 else f"The configuration has {len(unique)} mistakes:"
    return ConfigError("\n  ".join([head, *unique]))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _with_file_digests(raw: dict[str, Any]) -> dict[str, Any]:
    """Add the digests of files that entries name, so that ids depend on their content, not on their names."""
    result = dict(raw)
    kinds: tuple[tuple[str, str | None, FileKind, str], ...] = (
        ("materials", None, "crystal", "a crystal file that ASE reads (CIF, extxyz, …)"),
        ("structure_sets", None, "structures", "a file of structures that ASE reads (extxyz, …)"),
        ("networks", "architecture", "Python file", "the Python file that defines the architecture"),
        ("predictors", None, "Python file", "the Python file that defines the predictor"),
    )
    for section, key, kind, what in kinds:
        entries = raw.get(section)
        if not isinstance(entries, dict):
            continue
        result[section] = dict(entries)
        for name, entry in entries.items():
            if key is None:
                result[section][name] = _with_digest(entry, f"{section}.{name}", kind, what)
            elif isinstance(entry, dict) and key in entry:
                items = entry[key]
                with_digests = [
                    _with_digest(item, f"{section}.{name}.{key}", kind, what)
                    for item in (items if isinstance(items, list) else [items])
                ]
                result[section][name] = {**entry, key: with_digests if isinstance(items, list) else with_digests[0]}
    if isinstance(raw.get("test_suites"), dict):
        try:
            result["test_suites"] = with_labelled_files(raw["test_suites"])
        except ConfigError as error:
            raise _config_error([str(error)]) from None
    return result


def _with_digest(entry: Any, key: str, kind: FileKind, what: str) -> Any:
    """Add the digest of a file to a mapping that names the file."""
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        return entry
    path = Path(entry["file"])
    try:
        digest = file_sha256(path, kind)
    except OSError as error:
        raise _config_error(
            [
                f"{key}.file: {shortened(str(path), 200)} cannot be read ({error.strerror}); "
                f"give the path of {what}, relative to the working directory."
            ]
        ) from None
    if entry.get("sha256", digest) != digest:
        raise _config_error(
            [
                f"{key}.sha256: {path} has the digest {digest}; it is another file. Restore the expected one, or remove the key."
            ]
        )
    return {**entry, "sha256": digest}


# --- error messages ---------------------------------------------------------------------------

PATTERNS = {
    NAME_PATTERN: "must be a letter from A to Z, then letters, digits, `_`, `.` or `-`",
    PYTHON_NAME_PATTERN: "must be a name as Python has it: a letter or `_`, then letters, digits or `_`",
    SHA256_PATTERN: "must be a sha256: 64 digits 0 to 9 and a to f",
}
"""What a text that does not match a pattern must be."""


def _describe_error(details: ErrorDetails, written: Any) -> str:
    kind, given = details["type"], details["input"]
    path = _written_path(details["loc"], written, missing=kind == "missing")
    key = key_text(path)
    valid = _valid_keys(path[:-1], written)
    keys = tuple(part for part in path if isinstance(part, str))
    if kind == "extra_forbidden":
        new = renamed_key(keys)
        if new is not None and new in valid:  # else another key had that name
            return f"{key}: this key is called `{new}` now."
        return f"{key}: unknown key; {valid_names(str(path[-1]), valid, title='Valid keys')}"
    meaning = _meaning(path, written)
    if kind == "missing":
        return f"{key}: is missing. {meaning}".rstrip()
    if kind == "too_short" and given in ([], (), {}):
        return f"{key}: the grid is empty; give at least one value. {meaning}".rstrip()
    if kind in ("model_type", "dict_type"):
        return f"{key}: must be a mapping of keys to values, not {quoted(given)}. {meaning}".rstrip()
    message = details["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if kind == "string_pattern_mismatch":
        message = PATTERNS.get(details["ctx"]["pattern"], message)
    # YAML has no tuples
    message = message.replace("a valid tuple", "a list").replace("Tuple should have", "must have")
    message = message.removesuffix(f", not {details.get('ctx', {}).get('actual_length')}").replace(
        " after validation", ""
    )
    new_value = renamed_value(keys, given)
    if new_value is not None:
        return f"{key}: `{given}` is written `{new_value}` now."
    suffix = f", not {quoted(given)}" if kind != "value_error" and not isinstance(given, dict) else ""
    return f"{key}: {message}{suffix}. {meaning}".rstrip()


def _written_path(loc: Sequence[str | int], written: Any, *, missing: bool) -> list[str | int]:
    """Return the path of keys to a mistake, as it is written in the file.

    It omits the index of a grid's only value that is written without a list, and the names of choices of type.
    """
    path: list[str | int] = []
    for part in loc:
        if isinstance(written, list):
            written = dict(enumerate(written))
        if isinstance(written, Mapping) and part in written:
            written = written[part]
            path.append(part)
    return [*path, loc[-1]] if missing else path


def _meaning(path: Sequence[str | int], written: Any) -> str:
    """Return the description of the field at a path, or of the field around it, if there is one."""
    if _model_at(path, written) and not _model_at(
        path[:-1], written
    ):  # a named entry; the description of its section does not apply
        return ""
    for length in range(len(path) - 1, -1, -1):
        model = _model_at(path[:length], written)
        field = model.model_fields.get(str(path[length])) if model else None
        if field is not None:
            return f"It is: {field.description}" if field.description else ""
    return ""


def _valid_keys(path: Sequence[str | int], written: Any) -> list[str]:
    model = _model_at(path, written)
    return list(model.model_fields) if model else []


def _model_at(path: Sequence[str | int], written: Any) -> type[BaseModel] | None:
    """Return the model that the configuration has at a path of keys; of several, the best match."""
    current: Any = CampaignConfig
    for part in path:
        current = _plain(current, written)
        if get_origin(current) is tuple:
            current = _plain(get_args(current)[0], written)
            if isinstance(part, int):
                written = written[part] if isinstance(written, list) and part < len(written) else None
                continue
            # else a grid of models written as one model
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        elif get_origin(current) is dict:
            current = get_args(current)[1]
        else:
            return None
        if current is None:
            return None
        written = written.get(part) if isinstance(written, Mapping) else None
    current = _plain(current, written)
    if get_origin(current) is tuple:
        current = _plain(get_args(current)[0], written)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _plain(annotation: Any, written: Any) -> Any:
    """Return an annotation without ``Annotated`` and ``| None``; of several models, the best match of the written keys."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    choices = [_plain(item, written) for item in get_args(annotation) if item is not type(None)]
    keys = set(written) if isinstance(written, Mapping) else set()

    def likeness(choice: Any) -> int:
        return len(keys & set(choice.model_fields)) if isinstance(choice, type) and issubclass(choice, BaseModel) else 0

    return max(choices, key=likeness)
