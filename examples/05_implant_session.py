"""An implant live: spikes as Intan's RHX serves them, counted, a Kalman filter, a guarded cursor, a recording."""

import tempfile
from pathlib import Path

import numpy as np

from ranvier import acquire, act, channels, decode, denoise, features, record, session
from ranvier.stream import Targets
from ranvier.twin import RhxServer

RATE, N, BIN = 30_000, 32, 600  # samples per second, electrodes, samples in 20 ms
rng = np.random.default_rng(11)
tuning = rng.standard_normal((2, N))


def implant(seconds, phase):
    """Return a recording of electrodes whose spikes follow a hand, and the hand's velocity, 50 values a second."""
    t = np.arange(seconds * 50) / 50 + phase
    velocity = np.stack([np.sin(2 * np.pi * 0.4 * t), np.cos(2 * np.pi * 0.55 * t)], axis=1)
    counts = rng.poisson(np.clip(0.5 + 0.4 * velocity @ tuning, 0, None))  # spikes in each 20 ms
    signal = rng.standard_normal((len(t) * BIN, N), dtype=np.float32) * 6  # [uV]
    spike = -90 * np.exp(-0.5 * ((np.arange(30) - 8) / 2.5) ** 2)
    for b, c in np.argwhere(counts):
        for at in b * BIN + rng.integers(0, BIN - 30, counts[b, c]):
            signal[at : at + 30, c] += spike
    raw, names = np.round(signal / 0.195).astype(np.int16), [f"A-{k:03d}" for k in range(N)]
    return record.from_array(raw, RATE, names, kind="spikes", scale=0.195), velocity


earlier, hand = implant(12, phase=0.0)
recipe = (
    channels.CommonReference()
    | denoise.Bandpass(low=300, high=6000)
    | ((features.Spikes() | features.BinnedCounts(0.02)) & features.SpikeBandPower(0.02))
    | decode.Kalman()
)
decoder = recipe.fit(earlier, [Targets(names=("vx", "vy"), units=("1/s", "1/s"), values=np.repeat(hand, BIN, axis=0))])
today, hand = implant(8, phase=40.0)
limits = [act.Limits(name=v, unit="1/s", low=-2, high=2, rate=50, beyond="clamp") for v in ("vx", "vy")]
cursor = act.Cursor(low=(-1.0, -1.0), high=(1.0, 1.0))

with tempfile.TemporaryDirectory() as folder, RhxServer(today, port=0) as device:
    live = session.Session(
        acquire.IntanRHX(port=device.port, channels="A-000..A-031"), decoder | act.Map(), actuator=cursor,
        guard=act.Guard(*limits, max_age=0.1), budget=session.Budget(age=0.1), record=Path(folder) / "live.rvr",
    )  # fmt: skip
    with live:
        report = live.run(stop=lambda: device.ended)
    said = [(n.sample, n.payload["given"]) for n in record.open(live.record).log("command") if "given" in n.payload]
    verdict = session.replay(live.record).check()

late = [(given, hand[sample // BIN]) for sample, given in said if RATE < sample < len(hand) * BIN]
given, truth = (np.array(x) for x in zip(*late, strict=True))
fit = [np.corrcoef(given[:, k], truth[:, k])[0, 1] for k in (0, 1)]
age = report.latency["input age"]
print(f"{len(said)} commands in {report.seconds:.1f} s; the cursor is at", np.round(cursor.position(), 2))
print(f"input age {age['p50'] / 1e3:.1f} ms (p50), {age['p99'] / 1e3:.1f} ms (p99); replay: {verdict.identical}")
print(f"correlation with the hand, which it had not seen: {fit[0]:.2f} (x), {fit[1]:.2f} (y)")
