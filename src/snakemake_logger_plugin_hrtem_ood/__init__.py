"""Keeps Snakemake from running expressions that a configuration holds, and its scheduler from working in vain.

Snakemake hands every YAML configuration to the template engine YTE, which runs the Python expressions in it where it has
the key ``__use_yte__``. Files of ``--configfile`` are read before the Snakefile is, also for a dry run, so a check in the
Snakefile comes too late. But Snakemake's command line first imports the plugins that are installed, which it recognises
by their names. This is one, of the kind that changes nothing unless it is chosen; importing it lets Snakemake read
configurations as data only. That holds for all workflows that run in this Python environment. Profiles are still read
by YTE: they hold expressions and commands anyway. The scheduler: see :mod:`~snakemake_logger_plugin_hrtem_ood.scheduling`.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from logging import LogRecord
from pathlib import Path
from typing import IO, Any

import snakemake.common.configfile
import yaml
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_logger_plugins.base import LogHandlerBase

from snakemake_logger_plugin_hrtem_ood.scheduling import let_sleep

KEY = "__use_yte__"
SAFE_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where there is one: it reads a configuration several times as fast."""


class LogHandler(LogHandlerBase):
    """What makes this a plugin: a handler that writes nothing, for those who choose it with ``--logger hrtem-ood``."""

    writes_to_stream = False
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        """Write nothing."""


@contextmanager
def _opened(source: str | Path | IO[str], filetype: str) -> Iterator[IO[str]]:
    if not isinstance(source, str | Path):
        with source as file:
            yield file
        return
    try:
        with Path(source).open(encoding="utf-8") as file:
            yield file
    except FileNotFoundError:
        raise WorkflowError(f"{filetype} file {source} not found.") from None
    except OSError as error:  # a folder, or no right to read it
        raise WorkflowError(f"{filetype} file {source} cannot be read ({error.strerror}).") from None


def read_as_data(configpath_or_obj: str | Path | IO[str], filetype: str = "Config") -> Any:
    """Read a configuration as JSON, or else as YAML, as Snakemake does, but run nothing of it.

    Raises
    ------
    WorkflowError
        Where it is neither, has tags that stand for Python objects, or has the key ``__use_yte__``.
    """
    name = getattr(configpath_or_obj, "name", configpath_or_obj)
    try:
        with _opened(configpath_or_obj, filetype) as file:
            text = file.read()
        try:
            content: Any = json.loads(text, object_pairs_hook=OrderedDict)
        except ValueError:
            content = yaml.load(text, SAFE_LOADER)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WorkflowError(f"{filetype} file {name} is not valid JSON or YAML: {error!s:.300}") from None
    if isinstance(content, dict) and KEY in content:
        raise WorkflowError(
            f"{filetype} file {name}: the key {KEY} is refused, as Snakemake would run expressions that the file holds. "
            "Write what they give, and remove the key. (hrtem-ood, which is installed here, refuses it.)"
        )
    return content


if not hasattr(snakemake.common.configfile, "_load_configfile"):
    raise WorkflowError(
        "This version of Snakemake reads configurations in another way than hrtem-ood can make safe; install the version "
        "in envs/cpu.lock."
    )
snakemake.common.configfile._load_configfile = read_as_data
let_sleep()
