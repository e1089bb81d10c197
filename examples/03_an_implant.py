"""An implant: 128 channels at 30 kHz, common average, spikes, counts, and a Kalman filter for the hand's velocity."""

import numpy as np

from ranvier import channels, decode, denoise, features, record
from ranvier.stage import Run
from ranvier.stream import Targets

rate, seconds, n = 30_000, 12, 128
rng = np.random.default_rng(11)
t = np.arange(seconds * 50) / 50
velocity = np.stack([np.sin(2 * np.pi * 0.4 * t), np.cos(2 * np.pi * 0.55 * t)], axis=1)  # 50 values a second
tuning = rng.standard_normal((2, n))
counts = rng.poisson(np.clip(0.35 + 0.35 * velocity @ tuning, 0, None))  # spikes in each 20 ms

noise = rng.standard_normal((seconds * rate, n)).astype(np.float32) * 6  # [uV]
spike = -90 * np.exp(-0.5 * ((np.arange(30) - 8) / 2.5) ** 2).astype(np.float32)
for b, c in np.argwhere(counts):
    for at in b * 600 + rng.integers(0, 570, counts[b, c]):
        noise[at : at + 30, c] += spike
raw = np.round(noise / 0.195).astype(np.int16)

rec = record.from_array(raw, rate, kind="spikes", unit="uV", scale=0.195)  # stands for a raw binary file
recipe = (
    channels.CommonReference()
    | denoise.Bandpass(low=300, high=6000)
    | ((features.Spikes() | features.BinnedCounts(0.02)) & features.SpikeBandPower(0.02))
    | decode.Kalman()
)
held = np.repeat(velocity, 600, axis=0)
cut = 8 * rate
decoder = recipe.fit(rec, [Targets(names=("vx", "vy"), units=("1/s", "1/s"), values=held[:cut])])

run = Run(decoder, rec.info)
outs = [run.push(b) for b in rec.blocks(30)]  # 1 ms blocks, as they would come live
decoded = np.concatenate([o.data for o in outs])
truth = velocity[: len(decoded)]
test = slice(8 * 50 + 25, len(decoded))
r2 = 1 - ((decoded[test] - truth[test]) ** 2).sum(axis=0) / ((truth[test] - truth[test].mean(axis=0)) ** 2).sum(axis=0)
print(f"R2 of the velocity on {seconds - 8} s that it had not seen: {r2[0]:.2f} (x), {r2[1]:.2f} (y)")
