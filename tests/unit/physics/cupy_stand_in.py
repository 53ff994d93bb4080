"""A stand-in for CuPy on the host: its names and no others, nothing that NumPy would convert by itself, calls counted.

Arrays are NumPy's inside. ``cupy_names.json`` holds the public names of CuPy, of its arrays and of its FFT modules: code
that uses another name fails here as it would with CuPy. Conversions between the two libraries that CuPy refuses, or that
would move data silently, fail too: NumPy's arrays come in by ``asarray`` and ``array`` only, and go out by ``get``.

What the stand-in does not know is how CuPy differs in numbers, memory and time.
"""

import json
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.fft
from tests.unit.physics import cuda_on_host

from hrtem_ood.array_module import ArrayModule

NAMES: dict[str, list[str]] = json.loads(Path(__file__).with_name("cupy_names.json").read_text(encoding="utf-8"))

UPLOADS = {"array", "asarray", "asanyarray", "ascontiguousarray"}
VIEWS = {
    *("reshape", "transpose", "permute_dims", "broadcast_to", "broadcast_arrays", "expand_dims", "squeeze", "swapaxes"),
    *("moveaxis", "ravel", "shape", "ndim", "broadcast_shapes", "result_type", "can_cast", "issubdtype", "empty"),
    *("empty_like", "view", "real", "imag", "T", "mT", "isscalar", "size"),
}
"""Names that start no kernel."""

BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")

calls: Counter[str] = Counter()
"""Calls since the last :func:`counted`: kernels ("elementwise", "fft"), "upload" and "download"."""


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the calls within the block."""
    before = calls.copy()
    counts: Counter[str] = Counter()
    yield counts
    counts.update({kind: number - before[kind] for kind, number in calls.items() if number != before[kind]})


def _inside(value: Any, *, uploads: bool = False) -> Any:
    """Replace the stand-in's arrays by NumPy's, and refuse NumPy's own."""
    if isinstance(value, Array):
        return value._data
    if isinstance(value, np.ndarray) and not uploads:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: CuPy takes no array of NumPy's here")
    if isinstance(value, (list, tuple)) and not uploads:
        return type(value)(_inside(each) for each in value)
    return value


def _outside(value: Any) -> Any:
    """Replace NumPy's arrays and numbers by the stand-in's arrays: CuPy's reductions give arrays without axes."""
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(np.asarray(value))
    if isinstance(value, (list, tuple)) and any(isinstance(each, np.ndarray) for each in value):
        return type(value)(_outside(each) for each in value)
    return value


def _calling(function: Callable[..., Any], name: str, kind: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        uploads = name in UPLOADS and any(
            isinstance(each, np.ndarray) or not isinstance(each, Array) for each in arguments[:1]
        )
        out = options.get("out")
        inside = [_inside(each, uploads=uploads) for each in arguments]
        result = function(*inside, **{key: _inside(each) for key, each in options.items()})
        if uploads:
            calls["upload"] += 1
        elif name not in VIEWS | UPLOADS:
            calls[kind] += 1
            # an inverse transform is followed by a kernel that divides by the number of points
            calls["elementwise"] += kind == "fft" and name.startswith("i") and options.get("norm") != "forward"
        return out if out is not None else _outside(result)

    return call


class Array:
    """An array on the pretended device."""

    __array_ufunc__ = None  # an operation with NumPy's arrays on the left comes to this class, which refuses
    __hash__ = None  # type: ignore[assignment]  # as NumPy's

    def __init__(self, data: np.ndarray) -> None:
        self._data = data

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def get(
        self, stream: Any = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True
    ) -> np.ndarray:
        calls["download"] += 1
        assert order == "C"
        if not blocking:
            assert isinstance(stream, Stream)
            assert out is not None
            _copying(out)
        if out is None:
            return self._data.copy()
        out[...] = self._data
        return out

    def set(self, array: np.ndarray, stream: "Stream | None" = None) -> None:
        if stream is not None:
            assert isinstance(stream, Stream)
            _copying(array)
        if array.dtype != self._data.dtype or array.shape != self._data.shape:
            raise ValueError("Shape or type mismatch")
        calls["upload"] += 1
        self._data[...] = array

    def item(self) -> Any:
        calls["download"] += 1
        return self._data.item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __index__(self) -> int:
        return operator.index(self.item())

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["Array"]:
        return (Array(np.asarray(each)) for each in self._data)

    def __getitem__(self, key: Any) -> "Array":
        inside = _inside(key)
        # indices gather, slices are views
        calls["elementwise"] += any(
            isinstance(each, np.ndarray) for each in (inside if isinstance(inside, tuple) else (inside,))
        )
        return Array(np.asarray(self._data[inside]))

    def __setitem__(self, key: Any, value: Any) -> None:
        calls["elementwise"] += 1
        self._data[_inside(key)] = _inside(value)

    def __getattr__(self, name: str) -> Any:
        if name not in NAMES["cupy.ndarray"]:
            raise AttributeError(f"CuPy's arrays have no {name}")
        value = getattr(self._data, name)
        return _calling(value, name, "elementwise") if callable(value) else _outside(value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_data":
            object.__setattr__(self, name, value)
        elif name in {"real", "imag"}:
            calls["elementwise"] += 1
            setattr(self._data, name, _inside(value))
        else:
            raise AttributeError(f"CuPy's arrays have no {name} that can be set")


def _give_operators() -> None:
    def binary(name: str) -> None:
        plain, inplace = getattr(operator, f"__{name}__"), getattr(operator, f"__i{name}__", None)

        def left(self: Array, other: Any) -> Any:
            return _calling(plain, name, "elementwise")(self, other)

        def right(self: Array, other: Any) -> Any:
            return _calling(plain, name, "elementwise")(other, self)

        def in_place(self: Array, other: Any) -> Array:
            assert inplace is not None
            _calling(inplace, name, "elementwise")(self, other)
            return self

        setattr(Array, f"__{name}__", left)
        if name not in COMPARISONS:
            setattr(Array, f"__r{name}__", right)
            setattr(Array, f"__i{name}__", in_place)

    for name in (*BINARY, *COMPARISONS):
        binary(name)
    for name in ("neg", "pos", "abs", "invert"):
        setattr(Array, f"__{name}__", _calling(getattr(operator, f"__{name}__"), name, "elementwise"))


_give_operators()


class ElementwiseKernel:
    """A kernel, compiled by the host's compiler from the same source; every call counts as one."""

    def __init__(self, inputs: str, outputs: str, operation: str, name: str) -> None:
        self.inputs, self.outputs, self.operation, self.name = inputs, outputs, operation, name

    def __call__(self, *values: Any, size: int | None = None) -> Any:
        inside = [_inside(each) for each in values]
        if len(inside) == len(cuda_on_host.parameters(self.inputs)):  # an output that is left out is made
            whole = next(each for each in inside if isinstance(each, np.ndarray))
            inside.append(np.empty(whole.shape, self.outputs.split()[0]))
            values = (*values, Array(inside[-1]))
        cuda_on_host.run(self.inputs, self.outputs, self.operation, inside, size)
        calls["elementwise"] += 1
        return values[-1]


class Plan:
    """A plan of cuFFT for transforms of the last two axes, not normalised."""

    def __init__(self, array: Array, shape: Any = None, axes: Any = None, value_type: str = "C2C") -> None:
        assert len(axes) == 2
        assert axes[-1] == array.ndim - 1
        self.value_type, self.input = value_type, array.shape
        self.points = shape or array.shape[-2:]

    def fft(self, array: Array, out: Array, direction: int) -> None:
        assert array.shape == self.input
        assert direction == (-1 if self.value_type == "R2C" else 1) or self.value_type == "C2C"
        calls["fft"] += 1
        inside, result = array._data, out._data
        if self.value_type == "R2C":
            result[...] = scipy.fft.rfft2(inside)
        elif self.value_type == "C2R":
            result[...] = scipy.fft.irfft2(inside, self.points, norm="forward")
            inside[...] = np.nan  # cuFFT may use it for its own work
        else:
            result[...] = scipy.fft.fft2(inside) if direction == -1 else scipy.fft.ifft2(inside, norm="forward")


class PinnedMemory(bytearray):
    """Page-locked memory, which may not be given back while it is copied: CuPy would give it out again."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.copies = [0]

    def __del__(self) -> None:
        if self.copies[0]:
            given_back_early.append(len(self))


given_back_early: list[int] = []
"""Sizes of page-locked memory that was given back between a copy and the synchronisation with an event behind it."""


class Stream:
    """The stream of all work. Everything is done at once, but counts as under way until an event behind it is waited for."""

    def synchronize(self) -> None:
        for copies in everything:
            copies[0] = 0
        under_way.clear()
        everything.clear()


class Event:
    """A place in a stream."""

    def __init__(self, disable_timing: bool) -> None:
        assert disable_timing
        self.before: list[list[int]] = []

    def record(self, stream: Stream) -> None:
        assert isinstance(stream, Stream)
        self.before += under_way
        under_way.clear()

    def synchronize(self) -> None:
        while self.before:
            copies = self.before.pop()
            copies[0] = max(0, copies[0] - 1)


under_way: list[list[int]] = []
"""Counts of copies of page-locked memory, of those that have no event behind them yet."""

everything: list[list[int]] = []
"""All of them since the stream was last waited for."""


def _copying(array: np.ndarray) -> None:
    memory = _owner(array)
    assert isinstance(memory, PinnedMemory), "a copy that does not wait needs page-locked memory"
    memory.copies[0] += 1
    under_way.append(memory.copies)
    everything.append(memory.copies)


def _owner(array: Any) -> Any:
    while isinstance(array, (np.ndarray, memoryview)):
        array = array.base if isinstance(array, np.ndarray) else array.obj
    return array


RUNTIME = SimpleNamespace(
    getDevice=lambda: 0, getDeviceProperties=lambda _: {"name": b"pretended"}, runtimeGetVersion=lambda: 13020
)
CUDA = SimpleNamespace(get_current_stream=Stream, Event=Event, alloc_pinned_memory=PinnedMemory, runtime=RUNTIME)
OWN = {"cuda": CUDA, "ndarray": Array, "ElementwiseKernel": ElementwiseKernel, "get_fft_plan": Plan}
"""What the stand-in has in place of a function of NumPy's or SciPy's."""


class Module:
    """A module that has the listed names and no others.

    Parameters
    ----------
    listed : str
        Key of :data:`NAMES`.
    inside : module
        Of NumPy or SciPy, which computes.
    kind : str
        Of its calls.
    """

    def __init__(self, listed: str, inside: Any, kind: str) -> None:
        self._listed, self._names, self._inside, self._kind = listed, set(NAMES[listed]), inside, kind

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"{self._listed} has no {name}")
        if name == "fft" and self._listed == "cupy":
            return Module("cupy.fft", np.fft, "fft")
        if name in OWN:
            return OWN[name]
        value = getattr(self._inside, name)
        if isinstance(value, type) or not callable(value):
            return value  # types and constants
        return _calling(value, name, "elementwise" if "freq" in name else self._kind)


def stand_in() -> ArrayModule:
    """Return the stand-in as the array module of a GPU."""
    cupy: Any = Module("cupy", np, "elementwise")
    fft: Any = Module("cupyx.scipy.fft", scipy.fft, "fft")
    return ArrayModule("gpu", cupy, fft)
