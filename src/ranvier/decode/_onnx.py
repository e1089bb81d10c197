"""What stands between an ONNX file that somebody sent and the library that runs it.

onnxruntime interprets models. What it would do for a hostile one, read files named in it (also of a model in memory:
from the working directory), draw chance, repeat for ever, take all memory, is refused or bounded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ranvier.errors import ContractError

MOST = 64 << 20  # bytes of a model
ROOM = 512 << 20  # bytes that all networks of a process may work with
CHANCE = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}
TAKEN = ("ai.onnx", "com.microsoft", "com.ms.", "com.xilinx", "org.pytorch")  # in which onnxruntime has operators
# onnx.proto: message -> field -> the message in it, on all ways to a tensor or an operator
INSIDE = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
EXTERNAL = {13, 14}  # of a tensor: external_data, data_location


def need_harmless(data: memoryview) -> None:
    """Refuse a model that is no ONNX file, or that wants more than to compute."""
    if not 0 < len(data) <= MOST:
        raise ContractError(
            f"Network needs an ONNX model of 1 byte to {MOST >> 20} MiB; got {len(data)} bytes. Export a smaller one."
        )
    ours, used = set(DOMAINS), set()
    for kind, message in _messages(data):
        if kind == "Tensor" and any(number in EXTERNAL and value for number, value in message):
            raise _refused("a tensor whose numbers lie in another file", "Export it with all weights inside")
        if kind == "Function":
            domain = _text(message, 10)
            ours |= set() if domain.startswith(TAKEN) else {domain}
        if kind == "Node":
            name = _text(message, 4)
            used.add((name, _text(message, 7)))
            given = [value for number, value in message if number == 1]
            if name in CHANCE or (name == "Dropout" and len(given) > 2 and len(given[2])):
                raise _refused(f"{name}, which draws chance", "Export it in evaluation mode")
            if name == "Loop":
                raise _refused("Loop, which may never end", "Export it for one fixed length, unrolled")
    for name, domain in sorted(used):
        if domain not in ours:
            raise _refused(f"the operator {domain}.{name}", "Export it with standard ONNX operators only")


def _refused(what: str, advice: str) -> ContractError:
    return ContractError(f"Network needs an ONNX model that only computes; got {what}. {advice}.")


def _text(message: list[tuple[int, Any]], field: int) -> str:
    found = [value for number, value in message if number == field and isinstance(value, memoryview)]
    return bytes(found[-1]).decode("utf-8", "replace") if found else ""


def _messages(data: memoryview) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
    """Yield every message on a way to a tensor or an operator: its kind, its fields in order."""
    waiting = [("Model", data)]
    while waiting:
        kind, piece = waiting.pop()
        message = list(_fields(piece))
        yield kind, message
        waiting += [
            (INSIDE[kind][number], value)
            for number, value in message
            if number in INSIDE[kind] and isinstance(value, memoryview)
        ]


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of every field of a protobuf message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire, size = key & 7, 0
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        if wire not in (1, 2, 5) or size > len(data) - at:
            raise _damaged()
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise _damaged()


def _damaged() -> ContractError:
    return ContractError("Network needs a whole ONNX model; got bytes that are none. Fetch or export it again.")


def open_session(ort: Any, data: bytes) -> Any:
    """Return a session that gives the same bits each time: one thread, one order, nothing but the CPU.

    Constants are not worked out beforehand: that would happen outside the memory that is bounded by `ROOM`.
    """
    ort.disable_telemetry_events()
    _bound_memory(ort)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    for key, value in (
        ("session.load_model_format", "ONNX"), ("session.use_env_allocators", "1"),
        ("session.intra_op.allow_spinning", "0"), ("session.inter_op.allow_spinning", "0"),
    ):  # fmt: skip
        options.add_session_config_entry(key, value)
    try:
        return ort.InferenceSession(
            data, options, providers=["CPUExecutionProvider"], disabled_optimizers=["ConstantFolding"]
        )
    except Exception as e:  # its errors have no common base
        raise ContractError(
            f"Network needs a model that onnxruntime can run; got {said(e)}. Export it again."
        ) from None


_bounded: list[bool] = []


def _bound_memory(ort: Any) -> None:
    """Let sessions that ask for it share memory of at most `ROOM` bytes."""
    if _bounded:
        return
    where = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    unset = {"initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    ort.create_and_register_allocator(where, ort.OrtArenaCfg({"max_mem": ROOM, "arena_extend_strategy": 1, **unset}))
    _bounded.append(True)


def said(error: Exception) -> str:
    """Return what onnxruntime said, in one short line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 240 else f"{text[:120]} ... {text[-110:]}"
