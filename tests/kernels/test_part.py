"""Parts of kernels: machine code is made of them with their kernel only, and kept with it; nothing else is compiled."""

import os
import subprocess
import sys

PARTS = """
import numpy as np
from numba import njit
from ranvier.kernels._part import _Library, body, inner
from ranvier.kernels._watch import compiling

@body
def twice(x):
    return x + x

@inner
def each(a):
    total = 0.0
    for x in a:
        total += twice(x)
    return total

with compiling() as found:
    @njit("float64(float64[::1])", cache=True)
    def kernel(a):
        return each(a) + 1.0

assert kernel(np.arange(4.0)) == 13.0
made = [result for part in (twice, each) for result in part.overloads.values()]
assert all(type(result.library) is _Library for result in made)
print(len(found), len(made))
"""

CHAINS = """
from ranvier.channels import CommonReference, Scale
from ranvier.kernels._watch import compiling
from ranvier.stage import Run
from ranvier.stream import StreamInfo

info = StreamInfo.signal(1000, 32)
with compiling() as found:
    Run(Scale(2.0) | CommonReference(), info)
    print(len(found))
    Run(CommonReference(), info)
print(*found[1:])
"""


def said(program, folder):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "RANVIER_CACHE": str(folder / "ranvier")}
    run = subprocess.run([sys.executable, program], check=True, env=env, capture_output=True, text=True)
    return run.stdout.split()


def test_a_part_is_compiled_with_its_kernel_and_kept_with_it(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PARTS)
    assert said(program, tmp_path / "cache") == ["1", "2"]
    assert said(program, tmp_path / "cache") == ["0", "0"]


def test_a_reference_in_a_loop_compiles_no_kernels_of_its_own(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(CHAINS)
    assert said(program, tmp_path / "cache") == ["1", "_reference.means", "_reference.subtract"]
