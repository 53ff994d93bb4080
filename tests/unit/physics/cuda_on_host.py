"""Kernels for a GPU, compiled for the host: the same source, element after element."""

import ctypes
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from shutil import which

import numpy as np
import pytest

TYPES = {
    "float32": "float",
    "float64": "double",
    "complex64": "complex<float>",
    "int32": "int",
    "uint64": "unsigned long long",
}

PREAMBLE = """
#include <cmath>
#include <complex>
#include <cstddef>
using std::complex;
template <class T> static T atomicAdd(T* place, T value) { T before = *place; *place += value; return before; }
"""


@lru_cache
def compiled(inputs: str, outputs: str, operation: str) -> ctypes.CDLL:
    """Compile a kernel with the host's compiler; skip the test where there is none."""
    compiler = which("g++") or which("c++")
    if compiler is None:
        pytest.skip("kernels are tested with a C++ compiler, and there is none")
    arguments, before = [], []
    for place, declared in enumerate(parameters(inputs) + parameters(outputs)):
        *raw, kind, name = declared.split()
        pointer = f"{TYPES[kind]}* p{place}"
        arguments.append(pointer)
        before.append(f"auto* {name} = p{place};" if raw else f"auto& {name} = p{place}[steps[{place}] * i];")
    source = (
        f'{PREAMBLE}\nextern "C" void kernel(ptrdiff_t n, const ptrdiff_t* steps, {", ".join(arguments)}) {{\n'
        f"for (ptrdiff_t i = 0; i < n; ++i) {{ {' '.join(before)}\n{operation};\n}} }}\n"
    )
    with tempfile.TemporaryDirectory() as name:
        file, library = Path(name) / "kernel.cpp", Path(name) / "kernel.so"
        file.write_text(source, encoding="utf-8")
        subprocess.run([compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", library, file], check=True)
        return ctypes.CDLL(str(library))


def parameters(text: str) -> list[str]:
    """Split the parameters of a kernel."""
    return [each.strip() for each in text.split(",") if each.strip()]


def run(inputs: str, outputs: str, operation: str, values: list[object], size: int | None) -> None:
    """Run a kernel on NumPy's arrays and on numbers; the outputs are the last arrays."""
    declared = parameters(inputs) + parameters(outputs)
    assert len(declared) == len(values), "CuPy takes every parameter"
    arrays, steps, sizes = [], [], set()
    for parameter, value in zip(declared, values, strict=True):
        *raw, kind, _ = parameter.split()
        whole = isinstance(value, np.ndarray)
        array = value if isinstance(value, np.ndarray) else np.array(value, kind)
        assert array.dtype == kind, f"{parameter} is given {array.dtype}"
        assert array.flags.c_contiguous
        arrays.append(array)
        steps.append(int(whole))
        if whole and not raw:
            sizes.add(array.size)
    assert len(sizes | {size or -1}) == (1 if size else 2), "arrays of one size, or none and a size"
    library = compiled(inputs, outputs, operation)
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in arrays]
    library.kernel(ctypes.c_ssize_t(size or sizes.pop()), (ctypes.c_ssize_t * len(steps))(*steps), *pointers)
