"""How functions are compiled that are called by compiled code only: once, as part of the kernel that needs them.

Numba makes machine code of every function, and of all that it calls, before it looks at who calls it: what lies four
calls deep is optimised and written five times. A part is typed and translated by itself, and left to its kernel.
"""

from __future__ import annotations

from typing import Any

from numba import _dynfunc, njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import InlineOverloads, NativeLowering, NopythonRewrites
from numba.core.untyped_passes import DeadBranchPrune, InlineClosureLikes, InlineInlinables

IDLE = (DeadBranchPrune, InlineClosureLikes, InlineInlinables, InlineOverloads, NopythonRewrites)  # nothing to do here


class _Library(JITCodeLibrary):  # type: ignore[misc]
    """Code that waits, as it is, to be linked into other code."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        """Leave that to the kernel."""

    def _finalize_final_module(self) -> None:
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):  # type: ignore[misc]
    """Translate, and let others call it, without machine code."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        made = state.cr.fndesc
        name = _dynfunc.make_function(made.lookup_module(), made.qualname, "", 0, state.cr.env, (state.library,))
        state.targetctx.insert_user_function(name, made, [state.library])  # what calls it finds it by that
        state.reload_init.extend(state.library._reload_init)
        state.cr = state.cr._replace(cfunc=name)
        return True


class _Compiler(CompilerBase):  # type: ignore[misc]
    def define_pipelines(self) -> list[Any]:
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes = [(_Lowering if each is NativeLowering else each, said) for each, said in manager.passes]
        manager.passes = [(each, said) for each, said in passes if each not in IDLE]
        manager.finalize()
        return [manager]


inner = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=_Compiler)
body = njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=_Compiler)
