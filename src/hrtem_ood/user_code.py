"""Python files that a user names: reading their definitions without running them, and running them.

A file is run only where its result is needed. Its path comes from the configuration or the command line, never from a
checkpoint or another file in a results folder, and its content must have the expected digest. Only a class or a function
that the file itself defines is used. This is checked in the text before the file is run, and again before the call.
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
from hrtem_ood.suggestions import valid_names
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
        Of the expected content; None accepts any.
    name : str
    kind : {"class", "function"}
        Required kind of definition.
    what : str
        Its purpose, for messages, e.g. ``the predictor a``.
    advice : str
        What to do if the file has changed, for messages.
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
            Where it cannot be read, is no regular file, is too large, or has another content than expected.
        """
        try:
            source = read_bytes(self.path, "Python file")
        except OSError as error:
            raise ArtifactError(
                f"{self.path} cannot be read ({error.strerror}); it defines {self.what}. Put it back."
            ) from error
        if self.sha256 is not None and hashlib.sha256(source).hexdigest() != self.sha256:
            raise ArtifactError(
                f"{self.path} has changed since {self.what} was configured: its sha256 should begin with "
                f"{self.sha256[:12]}. Put the old file back, or {self.advice}."
            )
        return source

    def errors(self, parameters: Iterable[str], *, positional: int = 0) -> list[str]:
        """Return the errors of the definition that its text reveals, without running it.

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
            definitions = _definitions(self._parse(self.read()))
            definition = self._definition(definitions)
        except ConfigError as error:
            return [str(error)]
        signature = _signature(definition, definitions)
        if signature is None:
            return []
        where = f"{self.path}: {self.kind} `{self.name}`"
        return [f"{where} {error}" for error in _call_errors(signature, list(parameters), positional)]

    def load(self) -> Any:
        """Run the file and return the class or function, from the bytes whose digest was checked, not from a cached import.

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
                f"{self.path}: `{self.name}` is no {self.kind} that the file itself defines; after running, it is "
                f"{type(value).__name__} of {getattr(value, '__module__', None)!r:.80}."
            )
        return value

    def _parse(self, source: bytes) -> ast.Module:
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(f"{self.path}: is no Python file ({type(error).__name__}: {error!s:.80}).") from error

    def _definition(self, definitions: dict[str, _Definition]) -> _Definition:
        """Return the statement that defines the name, after checking its kind."""
        definition = definitions.get(self.name)
        names = [name for name, each in definitions.items() if isinstance(each, ast.ClassDef) == (self.kind == "class")]
        if definition is None:
            valid = valid_names(self.name, names, title="It defines")
            raise ConfigError(f"{self.path}: the file defines no {self.kind} `{self.name}`; {valid}")
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
        sys.modules[module.__name__] = module  # dataclasses and pickle look up the file's definitions here
        try:
            exec(compile(source, self.path, "exec"), vars(module))  # noqa: S102  # users' files are meant to be run
        except (Exception, SystemExit) as error:  # a user's code may raise anything
            raise ConfigError(f"{self.path}: cannot be run ({type(error).__name__}: {error}).") from error
        return module


def _definitions(tree: ast.Module) -> dict[str, _Definition]:
    """Return the classes and functions that the statements of a file define, by name; of equal names, the last."""
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
    """Arguments of a definition.

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


def _signature(definition: _Definition, definitions: Mapping[str, _Definition]) -> _Signature | None:
    """Return the arguments of a function, or those of a class's ``__init__``; None where the text does not determine them."""
    if not isinstance(definition, ast.ClassDef):
        return None if definition.decorator_list else _signature_of(definition.args, leave_out=0)
    visited: set[str] = set()
    while definition.name not in visited and not definition.decorator_list and not definition.keywords:
        visited.add(definition.name)
        methods = {each.name: each for each in _of_block(definition.body)}
        init, base = methods.get("__init__"), definition.bases[0] if len(definition.bases) == 1 else None
        if "__new__" in methods:
            return None
        if isinstance(init, ast.FunctionDef):
            return None if init.decorator_list else _signature_of(init.args, leave_out=1)
        parent = definitions.get(base.id) if isinstance(base, ast.Name) else None
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
    """Yield the reasons why a call with these positional and keyword arguments would fail."""
    if len(signature.positional) < positional and not signature.any_positional:
        yield f"takes {len(signature.positional)} arguments; it is called with {positional}."
        return
    names = [name for name in signature.keyword if name not in signature.positional[:positional]]
    for name in given:
        if name not in names and not signature.any_keyword:
            yield f"takes no parameter `{name}`; {valid_names(name, names, title='It takes')}"
    missing = [name for name in names if name not in given and name not in signature.optional]
    if missing:
        yield f"needs the parameters {', '.join(missing)}."
