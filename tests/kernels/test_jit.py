"""Kernels for several types: only what is asked for is compiled, and scipy is left alone without being forgotten."""

import os
import subprocess
import sys

import pytest

SPARED = """
import sys
from ranvier.kernels._jit import kernel
from ranvier.kernels._linear import linear
linear["f4"]
assert "scipy.linalg" not in sys.modules, "scipy.linalg was imported"
import numba, numpy as np
from numba.np import arraymath
product = numba.njit(lambda a, b: a @ b)
a = np.arange(6.0).reshape(2, 3)
assert np.array_equal(product(a, a.T.copy()), a @ a.T)
assert arraymath._HAVE_BLAS
assert "scipy.linalg" in sys.modules
"""


def test_numba_finds_scipy_when_it_needs_it_and_not_before():
    pytest.importorskip("scipy")
    subprocess.run([sys.executable, "-c", SPARED], check=True)


def test_numba_works_without_scipy():
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        + SPARED.split("import numba")[0]
        + ("from numba.np import arraymath; import sys; del sys.modules['scipy']; assert arraymath.ensure_blas")
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_type_is_compiled_at_a_time(tmp_path):
    code = """
from ranvier.kernels._linear import linear
from ranvier.kernels._watch import compiling
with compiling() as found:
    one = linear["float32"]
    assert found == ["_linear.linear"], found
    assert linear["float32"] is one
    assert linear["float64"] is not one
    assert found == 2 * ["_linear.linear"], found
assert one.nopython_signatures[0].args[0].dtype.bitwidth == 32
assert not one._can_compile
try:
    linear["int16"]
except KeyError:
    pass
else:
    raise SystemExit("an unknown type was taken")
"""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
