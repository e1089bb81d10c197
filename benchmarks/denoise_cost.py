"""What each cleaning stage costs: python benchmarks/denoise_cost.py [--markdown PAGE].

CPU time of one thread, blocks of 100 ms, the median of turns in which the stages take their places one after the other;
of a core in real time, and for one channel and second. PAGE: a Markdown file with the marks for this table, or - to
print it.
"""

import argparse
import os
import time

import numpy as np
from page import show, table

from ranvier import channels, denoise, features
from ranvier.evaluate.bench._clean import describe
from ranvier.record import from_array
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

TURNS, SECONDS = 5, 3.0
SEED = 11


def probe(n):
    """Return sites of a probe of four columns, 20 um apart."""
    places = [(2e-5 * (i % 4), 2e-5 * (i // 4), 0.0) for i in range(n)]
    return StreamInfo.signal(30_000, Channels.of(n, "spikes", "uV", places))


def learned(stage, info):
    """Return a stage fitted on 40 s of noise (2 s of spike band)."""
    n = int(min(40 * info.rate, 60_000))
    x = 20 * np.random.default_rng(SEED).standard_normal((n, info.n_channels)).astype("f4")
    c = info.channels
    rec = from_array(x, info.rate, c.names, kind=c.kinds, positions=c.positions, events=[(0, "rest")], name=info.name)
    return stage.fit(rec, rec.trials({"rest": "rest"}, tmin=0.0, tmax=(n - 1) / float(info.rate)))


def asked():
    """Yield the name of a stage, the stage and the stream that it is given."""
    head = describe(64)
    eyes = StreamInfo.signal(1000, Channels.of(64, "eeg") + Channels.of(["VEOG", "HEOG"], "eog"))
    small, large, many = probe(64), probe(384), probe(1024)
    yield "denoise.Integrity(flat=1)", denoise.Integrity(flat=1.0), head
    yield "channels.BadChannels", channels.BadChannels(), head
    yield "channels.RobustReference", channels.RobustReference(), head
    yield "channels.Interpolate", channels.Interpolate(), head
    yield "denoise.LineNoise(50)", denoise.LineNoise(50.0), head
    yield "denoise.LineNoise()", denoise.LineNoise(), head
    yield "denoise.ZapLine(50)", denoise.ZapLine(50.0), head
    yield "denoise.ZapLine()", denoise.ZapLine(), head
    yield "denoise.ASR", learned(denoise.ASR(), head), head
    yield "denoise.RLS, 2 EOG", denoise.RLS(("eog",)), eyes
    yield "denoise.LMS, 2 EOG", denoise.LMS(("eog",)), eyes
    yield "denoise.PARRM", denoise.PARRM(period=7.69, window=10.0), head
    yield "denoise.Template", denoise.Template(period=230.7, length=0.002), small
    yield "denoise.Blank", denoise.Blank(period=230.7, length=0.002, fill="line"), small
    yield "channels.BadChannels(share=0.2)", spikes(0.2), large
    yield "channels.CommonReference", channels.CommonReference(), many
    yield "channels.LocalReference", channels.LocalReference(inner=3e-5, outer=6e-5), many
    yield "channels.Laplacian", channels.Laplacian(), many
    yield "channels.Deskew", channels.Deskew.mux([i // 2 % 12 for i in range(384)], 13, 30_000), large
    yield "denoise.Whiten, 9 nearest", learned(denoise.Whiten(neighbours=9), large), large
    yield "denoise.Whiten, all", learned(denoise.Whiten(), large), large
    yield "features.Spikes", features.Spikes(), large


def spikes(share):
    return channels.BadChannels(band=(300.0, 3000.0), noise=12_000.0, mains=0.0, ransac=0, share=share)


def measure():
    """Return rows: stage, channels, rate, percent of a core, ns a channel and sample."""
    runs = []
    for name, stage, info in asked():
        n = int(info.rate / 10)
        x = 20 * np.random.default_rng(SEED).standard_normal((n, info.n_channels)).astype("f4")
        run = Run(stage, info)
        for k in range(15 if info.rate < 5000 else 5):
            run.step(Block(x, k * n))
        runs.append((name, info, run, x, [k * n + n], []))
    for _ in range(TURNS):
        for _, info, run, x, at, spent in runs:
            blocks = round(SECONDS * 10 if info.rate < 5000 else SECONDS * 3)
            begun = time.thread_time()
            for _ in range(blocks):
                run.step(Block(x, at[0]))
                at[0] += len(x)
            spent.append((time.thread_time() - begun) / blocks / 0.1)
    rows = [("stage", "channels", "rate [Hz]", "of a core [%]", "a channel and second [us]")]
    for name, info, _, _, _, spent in runs:
        part = float(np.median(spent))
        each = 1e6 * part / info.n_channels
        rows.append((name, info.n_channels, f"{float(info.rate):g}", f"{100 * part:.2g}", f"{each:.3g}"))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", default="-", metavar="PAGE")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    show("cost", table(*measure()) + f"\n\nLoad of the machine before: {load:.1f}.", given.markdown)
