"""Network: a model from another program's training, run by onnxruntime one sample at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from ranvier.decode._linear import Link
from ranvier.decode._links import sigmoid, softmax
from ranvier.decode._onnx import MOST, need_harmless, open_session, said
from ranvier.decode._regression import need_rate
from ranvier.decode._sample import real_dtype
from ranvier.decode._training import library
from ranvier.errors import ContractError, FormatError, ModelError
from ranvier.stage import BlockStage, Contract, Scratch, State, Tags
from ranvier.stream import Array, Block, Channels, Info, StreamInfo, is_all_valid

KINDS = {"tensor(float)": np.dtype(np.float32), "tensor(double)": np.dtype(np.float64)}
Port = tuple[str, tuple[int, ...], Any]  # name, shape with batch 1, dtype


@final
@dataclass(frozen=True, eq=False)
class Network(BlockStage):
    """Run a neural network from an ONNX file on every window or feature vector; recurrent ones keep their state.

    Parameters
    ----------
    network
        The file's bytes, uint8. They travel with the stage, so a model file needs no second one.
    names, units
        Of the outputs: the labels of classes with unit ``1``, or targets with theirs.
    contract
        The stream that it was trained on.
    link
        What is done to the outputs: nothing (``identity``), or what makes scores probabilities, as in `Linear`.
    kind
        ``class`` where the largest output is the decision, ``target`` where outputs are values.
    axes
        How the network wants windows. Axes of length 1, such as the batch, may stand anywhere.
    states
        Names of the input and the output of each thing that it remembers: ``(("h_in", "h_out"),)``. They are 0 at
        the start of a segment.
    memory
        With `states`: after how many samples one is no longer felt (1e-6), as many as were trained on in a row.

    Notes
    -----
    *In*: windows ``(length, n)`` or vectors ``(n,)``, converted to the network's numbers, float32 or float64. *Out*:
    one number an output. Delay: none declared. Support: `memory` is added; settle: none. A sample with an invalid
    number gives an invalid one and leaves the state as it was; so does one whose result is not finite.

    The network sees one sample at a time, batch 1, on one thread, in a fixed order, with all of onnxruntime's graph
    optimisations but constant folding: no result depends on a cut. Exact, for one version of onnxruntime on one CPU.
    Models that are not data alone are refused: weights in other files, operators of others, chance, endless loops,
    more than 64 MiB, or more than 512 MiB to work with. Needs onnxruntime: ``pip install 'ranvier[decode]'``.

    References
    ----------
    ONNX operators and file format, https://onnx.ai/onnx. EEGNet: Lawhern et al., J. Neural Eng. 15 (2018) 056013.
    """

    network: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]
    contract: Contract
    link: Link = "identity"
    kind: Literal["class", "target"] = "class"
    axes: Literal["channel time", "time channel"] = "channel time"
    states: tuple[tuple[str, str], ...] = ()
    memory: int = 0

    def __post_init__(self) -> None:
        a = self.network
        if not isinstance(a, np.ndarray) or a.dtype != np.uint8 or a.ndim != 1:
            got = f"{a.dtype} {a.shape}" if isinstance(a, np.ndarray) else type(a).__name__
            raise ContractError(f"Network needs network as uint8 (n,), the bytes of a file; got {got}. Use from_onnx.")
        need_harmless(memoryview(np.ascontiguousarray(a)))
        if not self.names or len(self.names) != len(self.units):
            raise ContractError(
                f"Network needs a name and a unit for each output; got {len(self.names)} and {len(self.units)}. "
                "Give one each."
            )
        if bool(self.states) != (self.memory > 0):
            raise ContractError(
                f"Network needs memory > 0 with states, and 0 without; got memory={self.memory} and "
                f"{len(self.states)} states. Say after how many samples one is no longer felt."
            )

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        return Tags(exactness="exact", recursive=bool(self.states))

    @cached_property
    def _session(self) -> Any:
        return open_session(library(self, "onnxruntime", "onnxruntime"), self.network.tobytes())

    @cached_property
    def _ports(self) -> tuple[list[Port], list[Port]]:
        """Inputs and outputs, the signal first, then states in the order of `states`."""
        ins, outs = ([*map(_port, found)] for found in (self._session.get_inputs(), self._session.get_outputs()))
        before, after = ([pair[i] for pair in self.states] for i in (0, 1))
        return _sorted(ins, before, "input"), _sorted(outs, after, "output")

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = self.contract.check(self, given)
        if self.states:
            need_rate(self, info)
        (source, *before), (result, *after) = self._ports
        for old, new in zip(before, after, strict=True):
            if old[1:] != new[1:]:
                raise ContractError(
                    f"Network needs states that go round; got {old[0]!r} of {old[2]} {old[1]} and {new[0]!r} of "
                    f"{new[2]} {new[1]}. Pair the right names."
                )
            if prod(old[1]) * old[2].itemsize > MOST:
                raise ContractError(
                    f"Network needs states of at most {MOST >> 20} MiB; got {old[0]!r} of {old[2]} {old[1]}. "
                    "Export it with a smaller state."
                )
        wanted = _squeezed(self._turned(info.shape))
        if len(info.shape) > 2 or _squeezed(source[1]) != wanted:
            raise ContractError(
                f"Network needs samples that fit its input {source[0]!r} of {source[1]}; got {info.shape}, "
                f"{self._turned(info.shape)} as {self.axes!r} would have it. Export it for these samples with fixed "
                "sizes (free ones count as 1), or set axes."
            )
        if prod(result[1]) != len(self.names) or len(_squeezed(result[1])) > 1:
            raise ContractError(
                f"Network needs {len(self.names)} outputs, {', '.join(self.names[:6])}; got {result[0]!r} of "
                f"{result[1]}. Name each of its outputs, and let it give those of one sample."
            )
        memory = int(-(-self.memory * info.origin.step // 1))
        return info.but(
            shape=(len(self.names),), channels=Channels.of(self.names, self.kind, self.units),
            dtype=np.dtype(real_dtype(info)), support=info.support + memory,
        )  # fmt: skip

    def _turned(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[::-1] if self.axes == "channel time" else shape

    def prepare(self, info: StreamInfo) -> State:
        out = self.describe(info)
        names = [f"state{i}" for i in range(len(self.states))]
        state = State(**{n: np.zeros(p[1], p[2]) for n, p in zip(names, self._ports[0][1:], strict=True)})
        state.design = (_Bound(self._session, *self._ports, list(state.arrays.values())), Scratch(out.shape, out.dtype))
        state.design[0].run()  # what is allocated at the first sample is allocated here
        return state

    def step(self, state: State, block: Block) -> Block:
        bound, scratch = state.design
        y, w = scratch.take(block.n)
        used = np.ones(block.n, bool)
        if block.n and not is_all_valid(block.valid):
            used = np.asarray(block.valid.reshape(block.n, -1).all(axis=1))
        room = bound.room(self._turned(block.data.shape[1:]))
        with np.errstate(all="ignore"):  # what overflows is marked invalid
            for i in np.flatnonzero(used):
                room[...] = block.data[i].T if self.axes == "channel time" else block.data[i]
                y[i] = self._linked(bound.run())
                used[i] = bound.is_finite() and np.isfinite(y[i]).all()
                if used[i]:
                    bound.keep()
        if used.all():
            return Block(y, block.start, None, block.at)
        y[~used] = 0
        w[...] = used[:, None]
        return Block(y, block.start, w, block.at)

    def _linked(self, score: Array) -> Array:
        if self.link == "identity":
            return score
        wide = score.astype(np.float64)
        return softmax(wide) if self.link == "softmax" else sigmoid(wide)

    @classmethod
    def from_onnx(
        cls,
        source: str | Path | bytes,
        fitted_on: StreamInfo | Contract,
        *,
        classes: tuple[str, ...] = (),
        names: tuple[str, ...] = (),
        units: tuple[str, ...] = (),
        link: Link = "identity",
        axes: Literal["channel time", "time channel"] = "channel time",
        states: tuple[tuple[str, str], ...] = (),
        memory: int = 0,
    ) -> Network:
        """Take in a model that was exported as ONNX, in evaluation mode, for one sample of fixed size.

        Parameters
        ----------
        source
            Path or bytes.
        fitted_on
            The stream that it was trained on, or its contract.
        classes
            Labels of its outputs, where the largest is the decision; or
        names, units
            of its outputs, where they are values; units are ``1`` unless given.
        link, axes, states, memory
            As for `Network`.

        Raises
        ------
        ContractError
            For what is refused, see Notes, and what does not fit the stream. FormatError: for an unreadable file.
        """
        if bool(classes) == bool(names):
            raise ContractError(
                f"Network.from_onnx needs classes, or names of targets; got {len(classes)} and {len(names)}. Give one."
            )
        data = source if isinstance(source, bytes) else _read(Path(source))
        outputs, kind = (classes, "class") if classes else (names, "target")
        contract = fitted_on if isinstance(fitted_on, Contract) else Contract.of(fitted_on)
        made = cls(
            np.frombuffer(data, np.uint8), tuple(outputs), tuple(units) or ("1",) * len(outputs), contract, link,
            kind, axes, tuple((a, b) for a, b in states), memory,
        )  # fmt: skip
        if isinstance(fitted_on, StreamInfo):
            made.describe(fitted_on)
        return made


class _Bound:
    """A session with memory of its own for what goes in and out of it."""

    def __init__(self, session: Any, ins: list[Port], outs: list[Port], states: list[Array]) -> None:
        self._session, self._states = session, states
        self._in = np.zeros(ins[0][1], ins[0][2])
        self._outs = [np.zeros(shape, kind) for _, shape, kind in outs]
        self._binding = session.io_binding()
        for (name, shape, kind), a in zip(ins, (self._in, *states), strict=True):
            self._binding.bind_input(name, "cpu", 0, kind, shape, a.ctypes.data)
        for (name, shape, kind), a in zip(outs, self._outs, strict=True):
            self._binding.bind_output(name, "cpu", 0, kind, shape, a.ctypes.data)

    def room(self, shape: tuple[int, ...]) -> Array:
        """Return where a sample is written."""
        return self._in.reshape(shape)

    def run(self) -> Array:
        """Return the outputs for what was written, in lent memory."""
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as e:  # its errors have no common base
            raise ModelError(
                f"Network needs a model that runs on its samples; got {said(e)}. Export it again."
            ) from None
        return self._outs[0].reshape(-1)

    def is_finite(self) -> bool:
        """Say whether all that came out is finite, states included."""
        return all(np.isfinite(a).all() for a in self._outs)

    def keep(self) -> None:
        """Remember the states that came out."""
        for a, new in zip(self._states, self._outs[1:], strict=True):
            a[...] = new


def _port(found: Any) -> Port:
    if found.type not in KINDS:
        raise ContractError(
            f"Network needs inputs and outputs of float32 or float64; got {found.name!r} of {found.type}. "
            "Export it with those."
        )
    return found.name, tuple(n if isinstance(n, int) and n > 0 else 1 for n in found.shape), KINDS[found.type]


def _sorted(ports: list[Port], states: list[str], what: str) -> list[Port]:
    """Return the port of the signal, then those of the states."""
    by_name = {p[0]: p for p in ports}
    rest = [p for p in ports if p[0] not in states]
    if len(rest) != 1 or len(set(states)) < len(states) or any(s not in by_name for s in states):
        raise ContractError(
            f"Network needs one {what} besides its states; got {', '.join(by_name)} and states "
            f"{', '.join(states) or 'none'}. Name the pairs of states, and export no other {what}."
        )
    return [rest[0], *[by_name[s] for s in states]]


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST + 1)
    except OSError as e:
        raise FormatError(f"Network needs an ONNX file; {path} cannot be read: {e.strerror}. Check the path.") from e
