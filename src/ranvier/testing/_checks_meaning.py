"""Checks of what a stage says about itself: linear, delay, channel order, errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import Stage
from ranvier.stream import Block, EventInfo, Origin, StreamInfo
from ranvier.testing._checks_stream import Infos, outputs, seconds_for
from ranvier.testing._compare import need, numbers
from ranvier.testing._scene import flow, scene


def _one_signal(infos: Infos) -> StreamInfo | None:
    first = infos[0]
    return first if len(infos) == 1 and isinstance(first, StreamInfo) else None


def _floats(infos: Infos) -> Infos:
    return tuple(i.but(dtype=np.dtype(np.float64)) if isinstance(i, StreamInfo) else i for i in infos)


def check_linear(stage: Stage, infos: Infos) -> None:
    """Superposition holds where the tags say that the stage is linear."""
    info = _one_signal(infos)
    if not stage.tags.linear or info is None:
        return
    seconds = seconds_for(stage, infos)
    wide = infos if info.dtype.kind != "i" else _floats(infos)
    x, y = scene(wide, seconds, 151), scene(wide, seconds, 152)
    both = x.with_blocks(lambda b, _: Block(2.0 * b.data - 0.5 * y.chunks[0].data, b.start, None, b.at))
    cast = both.with_blocks(lambda b, i: Block(b.data.astype(i.dtype), b.start, None, b.at))
    fx, fy, fz = (outputs(flow(stage, wide, s.pieces([s.n]))[0])[0] for s in (x, y, cast))
    wanted = 2.0 * fx.data.astype(float) - 0.5 * fy.data.astype(float)
    scale = np.abs(wanted).max(initial=0.0) + np.abs(cast.chunks[0].data).max(initial=0.0) * 0.1
    worst = np.abs(wanted - fz.data).max(initial=0.0)
    limit = 2e-4 if fz.data.dtype == np.float32 else 1e-8
    need(worst <= limit * scale, f"superposition fails by {worst:g} on a scale of {scale:g}")


def check_delay(stage: Stage, infos: Infos) -> None:
    """Of linear signal stages: the declared delay is the measured one, within one input sample."""
    info = _one_signal(infos)
    if not stage.tags.linear or info is None or not info.is_signal or not info.rate:
        return
    out = stage.describe(info.but(dtype=np.dtype(np.float64)))
    if not isinstance(out, StreamInfo) or not out.is_signal or out.shape != info.shape or out.origin.step != 1:
        return
    wide = info.but(dtype=np.dtype(np.float64))
    n = min(max(4 * out.support, 512), 200_000)
    at = n // 4
    x = np.zeros((n, *info.shape))
    x[at] = 1.0
    h = outputs(flow(stage, (wide,), [(Block(x),)])[0])[0]
    response = np.zeros((n, *info.shape))
    response[: len(h.data)] = h.data
    response = np.roll(response, int(h.index[0]) if len(h.index) else 0, axis=0)[at:, 0]
    if not np.abs(response).max() > 0:
        return
    time = np.arange(len(response))
    spectrum = np.fft.rfft(response)
    power = np.abs(spectrum) ** 2
    band = power > power.max() / 4
    band[[0, -1]] = False
    if not band.any():
        return
    delays = np.real(np.fft.rfft(time * response)[band] / spectrum[band]) / float(info.rate)
    declared = float(out.delay - info.delay)
    sample = 1 / float(info.rate)
    need(
        delays.min() - sample <= declared <= delays.max() + sample,
        f"a delay of {declared:g} s is declared; measured in the pass band: {delays.min():g} to {delays.max():g} s",
    )


def check_channel_order(stage: Stage, infos: Infos) -> None:
    """Channels permuted in are channels permuted out, where the tags say so."""
    info = _one_signal(infos)
    if not stage.tags.permutable or info is None or info.n_channels < 2:
        return
    order = np.random.default_rng(161).permutation(info.n_channels)
    turned = info.but(channels=info.channels.take([int(i) for i in order]))
    given = scene(infos, seconds_for(stage, infos), 162, masked=True)
    moved = given.with_blocks(
        lambda b, _: Block(
            np.ascontiguousarray(b.data[..., order]), b.start, np.ascontiguousarray(b.valid[..., order]), b.at
        )
    )
    a = outputs(flow(stage, infos, given.pieces([given.n]))[0])[0]
    b = outputs(flow(stage, (turned,), moved.pieces([given.n]))[0])[0]
    described, other = stage.describe(*infos), stage.describe(turned)
    if isinstance(described, EventInfo):
        need([described.sources[i] for i in order] == list(other.sources), "the sources are not permuted")
        back = np.argsort(np.argsort(order))
        table = b.data.copy()
        table["source"] = order[table["source"]] if len(table) else table["source"]
        keys = np.lexsort((table["source"], table["sample"]))
        need(back is not None and np.array_equal(table[keys], a.data), "the events are not permuted")
        return
    need(list(other.channels.names) == [described.channels.names[i] for i in order], "the names are not permuted")
    numbers(a.data[..., order], b.data, stage.tags, "channels permuted")
    need(np.array_equal(a.valid[..., order], b.valid), "channels permuted: the masks differ")


def check_errors(stage: Stage, infos: Infos) -> None:
    """Wrong ports and shapes raise `ContractError` at `describe`, saying what is needed and what was got."""
    for i, info in enumerate(infos):
        wrong: list[Any] = [_other_kind(info)]
        if isinstance(info, StreamInfo):
            wrong.append(_deeper(info))
        for bad in wrong:
            given = (*infos[:i], bad, *infos[i + 1 :])
            try:
                stage.describe(*given)
            except ContractError as e:
                need("needs" in str(e) or "fitted" in str(e), f"an error needs to say what is needed; got: {e}")
                need("got" in str(e), f"an error needs to say what was got; got: {e}")
            else:
                shape = getattr(bad, "shape", "events")
                need(False, f"describe accepted {shape} at input {i}, where {getattr(info, 'shape', 'events')} belongs")


def _other_kind(info: Any) -> Any:
    if isinstance(info, StreamInfo):
        return EventInfo(name="wrong", rate=info.origin.rate, origin=Origin(source="wrong", rate=info.origin.rate))
    return StreamInfo.signal(info.rate, 2, name="wrong")


def _deeper(info: StreamInfo) -> StreamInfo:
    return info.but(shape=(3, 5, *info.shape))
