"""A small ONNX file, written without a library: weighted sums of a window, added to half of what came before."""

from __future__ import annotations

from typing import Any

import numpy as np

FLOAT32 = 1


def recurrent(length: int, n_channels: int, n_outputs: int, seed: int) -> bytes:
    """Return a model with input ``x`` (1, n_channels, length), state ``h`` -> ``h_next``, output ``y`` (1, n_outputs).

    ``h_next = h / 2 + flat(x) @ weights``, ``y = tanh(h_next)``.
    """
    n = length * n_channels
    weights = np.random.default_rng(seed).standard_normal((n, n_outputs)).astype("<f4") / (20 * np.sqrt(n))
    graph = _message(
        (1, _node("Flatten", ("x",), "rows")),
        (1, _node("MatMul", ("rows", "weights"), "push")),
        (1, _node("Mul", ("h", "half"), "rest")),
        (1, _node("Add", ("rest", "push"), "h_next")),
        (1, _node("Tanh", ("h_next",), "y")),
        (2, b"example"),
        (5, _tensor("weights", weights.astype("<f4"))),
        (5, _tensor("half", np.array([0.5], "<f4"))),
        (11, _port("x", (1, n_channels, length))),
        (11, _port("h", (1, n_outputs))),
        (12, _port("y", (1, n_outputs))),
        (12, _port("h_next", (1, n_outputs))),
    )
    return _message((1, 8), (7, graph), (8, _message((1, b""), (2, 17))))


def _node(operator: str, inputs: tuple[str, ...], output: str) -> bytes:
    return _message(*[(1, name.encode()) for name in inputs], (2, output.encode()), (4, operator.encode()))


def _tensor(name: str, a: Any) -> bytes:
    return _message(*[(1, n) for n in a.shape], (2, FLOAT32), (8, name.encode()), (9, a.tobytes()))


def _port(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = _message(*[(1, _message((1, n))) for n in shape])
    return _message((1, name.encode()), (2, _message((1, _message((1, FLOAT32), (2, sizes))))))


def _message(*fields: tuple[int, int | bytes]) -> bytes:
    """Write a protobuf message: whole numbers, and texts or messages within."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += _varint(number << 3) + _varint(value)
        else:
            out += _varint(number << 3 | 2) + _varint(len(value)) + value
    return out


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
