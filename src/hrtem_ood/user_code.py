"""Python files that a user names: what they define, read without running them, and running them.

A file is run by what needs its result only, and never because a checkpoint or anything else in a results folder names
it: its path comes from the configuration or the command line, and its content must have the digest that is meant. What
is taken from it is a class or a function that the file itself defines, which is checked before the file is run, from its
text, and again before it is called.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.suggestions import did_you_mean
from hrtem_ood.user_files import read_bytes

Kind = Literal["class", "function"]

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class UserDefinition:
    """A class or a function in a user's Python file.

    Attributes
    ----------
    path : Path
        Of the file.
    sha256 : str or None
        Of the content that is meant; None takes any.
    name : str
    kind : {"class", "function"}
        What the name must stand for.
    what : str
        What it is for, for messages, e.g. ``the predictor a``.
    advice : str
        What to do where the file has changed, for messages.
    """

    path: Path
    sha256: str | None
    name: str
    kind: Kind
    what: str
    advice: str

    def read(self) -> bytes:
        """Return the content of the file.

        Raises
        ------
        ArtifactError
            Where it cannot be read, is no regular file, is too large, or is not the content that is meant.
        """
        try:
            source = read_bytes(self.path, "Python file")
        except OSError as error:
            raise ArtifactError(
                f"{self.path} cannot be read ({error.strerror}); it defines {self.what}. Put it back."
            ) from error
        if self.sha256 is not None and hashlib.sha256(source).hexdigest() != self.sha256:
            raise ArtifactError(
                f"{self.path} has changed since {self.what} was asked for: its sha256 should begin with "
                f"{self.sha256[:12]}. Put the old file back, or {self.advice}."
            )
        return source

    def errors(self, parameters: Iterable[str], *, positional: int = 0) -> list[str]:
        """Return what is wrong with the definition, as far as its text tells; nothing is run.

        Parameters
        ----------
        parameters : iterable of str
            Names of the keyword arguments that it will be called with.
        positional : int
            Number of arguments before them.

        Raises
        ------
        ArtifactError
            As of :meth:`read`.
        """
        try:
            found = _definitions(self._parse(self.read()))
            definition = self._definition(found)
        except ConfigError as error:
            return [str(error)]
        signature = _signature(definition, found)
        if signature is None:
            return []
        where = f"{self.path}: {self.kind} `{self.name}`"
        return [f"{where} {error}" for error in _call_errors(signature, list(parameters), positional)]

    def load(self) -> Any:
        """Run the file and return the class or function: the very bytes whose digest was taken, not a cached import.

        Raises
        ------
        ArtifactError
            As of :meth:`read`.
        ConfigError
            Where the file cannot be run, or does not define the name.
        """
        source = self.read()
        self._definition(_definitions(self._parse(source)))
        module = self._run(source)
        value = getattr(module, self.name, None)
        of_kind = callable(value) and isinstance(value, type) == (self.kind == "class")
        if not of_kind or getattr(value, "__module__", None) != module.__name__:
            raise ConfigError(
                f"{self.path}: `{self.name}` is no {self.kind} that the file itself defines, once it has run; it is "
                f"{type(value).__name__} of {getattr(value, '__module__', None)!r:.80}."
            )
        return value

    def _parse(self, source: bytes) -> ast.Module:
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(f"{self.path}: is no Python file ({type(error).__name__}: {error!s:.80}).") from error

    def _definition(self, found: dict[str, _Definition]) -> _Definition:
        """Return the statement that defines the name, after checking its kind."""
        definition = found.get(self.name)
        names = [name for name, each in found.items() if isinstance(each, ast.ClassDef) == (self.kind == "class")]
        if definition is None:
            hint = did_you_mean(self.name, names)
            raise ConfigError(
                f"{self.path}: the file defines no {self.kind} `{self.name}`; {hint}"
                f"It defines: {', '.join(names[:10]) or f'no {self.kind}'}."
            )
        if isinstance(definition, ast.ClassDef) and self.kind == "class":
            if not definition.bases:
                raise ConfigError(f"{self.path}: class `{self.name}` must be a subclass of torch.nn.Module.")
        elif not isinstance(definition, ast.FunctionDef) or self.kind == "class":
            is_class = isinstance(definition, ast.ClassDef)
            other = "class" if is_class else "coroutine" if isinstance(definition, ast.AsyncFunctionDef) else "function"
            needed = "a class, a subclass of torch.nn.Module" if self.kind == "class" else "a function"
            raise ConfigError(f"{self.path}: `{self.name}` is a {other}; it must be {needed}.")
        return definition

    def _run(self, source: bytes) -> ModuleType:
        module = ModuleType(f"hrtem_ood_file_{self.sha256 or self.path.stem}")
        module.__file__ = str(self.path)
        sys.modules[module.__name__] = module  # where dataclasses and pickle look for what the file defines
        try:
            exec(compile(source, self.path, "exec"), vars(module))  # noqa: S102  # what a user's file is for
        except (Exception, SystemExit) as error:  # whatever a user's code stumbles on
            raise ConfigError(f"{self.path}: cannot be run ({type(error).__name__}: {error}).") from error
        return module


def _definitions(tree: ast.Module) -> dict[str, _Definition]:
    """Return the classes and functions that the statements of a file define, by name; of several, the last."""
    return {each.name: each for each in _of_block(tree.body)}


def _of_block(block: Sequence[ast.stmt]) -> Iterator[_Definition]:
    for statement in block:
        if isinstance(statement, _Definition):
            yield statement
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _of_block(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                yield from _of_block(handler.body)


class _Signature(NamedTuple):
    """What a definition may be called with.

    Attributes
    ----------
    positional, keyword : tuple of str
        Arguments that may be given by position, and those that may be given by keyword.
    optional : frozenset of str
        Those that have a default.
    any_positional, any_keyword : bool
        Whether it takes further ones, as ``*args`` and ``**kwargs``.
    """

    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    optional: frozenset[str]
    any_positional: bool
    any_keyword: bool


def _signature(definition: _Definition, found: Mapping[str, _Definition]) -> _Signature | None:
    """Return the arguments of a function, or those of a class's ``__init__``; None where the text does not tell."""
    if not isinstance(definition, ast.ClassDef):
        return None if definition.decorator_list else _signature_of(definition.args, leave_out=0)
    seen: set[str] = set()
    while definition.name not in seen and not definition.decorator_list and not definition.keywords:
        seen.add(definition.name)
        own = {each.name: each for each in _of_block(definition.body)}
        maker, base = own.get("__init__"), definition.bases[0] if len(definition.bases) == 1 else None
        if "__new__" in own:
            return None
        if isinstance(maker, ast.FunctionDef):
            return None if maker.decorator_list else _signature_of(maker.args, leave_out=1)
        parent = found.get(base.id) if isinstance(base, ast.Name) else None
        if not isinstance(parent, ast.ClassDef):
            return None
        definition = parent
    return None


def _signature_of(arguments: ast.arguments, *, leave_out: int) -> _Signature:
    """Return a signature without its first arguments, such as ``self``."""
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    first_default = len(positional) - len(arguments.defaults)
    only = [each.arg for each in arguments.kwonlyargs]
    optional = {name for name, default in zip(only, arguments.kw_defaults, strict=True) if default is not None}
    named = positional[max(leave_out, len(arguments.posonlyargs)) :]
    return _Signature(
        tuple(positional[leave_out:]),
        (*named, *only),
        frozenset({*positional[first_default:], *optional}),
        arguments.vararg is not None,
        arguments.kwarg is not None,
    )


def _call_errors(signature: _Signature, given: Sequence[str], positional: int) -> Iterator[str]:
    """Yield why a call with some positional and keyword arguments would fail."""
    if len(signature.positional) < positional and not signature.any_positional:
        yield f"takes {len(signature.positional)} arguments; it is called with {positional}."
        return
    names = [name for name in signature.keyword if name not in signature.positional[:positional]]
    for name in given:
        if name not in names and not signature.any_keyword:
            yield f"takes no parameter `{name}`; {did_you_mean(name, names)}It takes: {', '.join(names) or 'none'}."
    missing = [name for name in names if name not in given and name not in signature.optional]
    if missing:
        yield f"needs the parameters {', '.join(missing)}."
