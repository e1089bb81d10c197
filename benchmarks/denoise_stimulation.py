"""Stimulation artefacts, causal against two-sided PyPARRM: python benchmarks/denoise_stimulation.py [--json].

Needs the recordings of ../shared/data/dbs_artifact and PyPARRM (pip install pyparrm), whose period and filter stand
beside ours in the same run. RMSE and beta power (13-30 Hz) are taken against the artefact-free truth where there is
one; on the real recording, the line left at the stimulation frequency is told, and beta power beside two-sided PyPARRM.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyparrm
from scipy.signal import welch

from ranvier.denoise import PARRM, Blank, Template, find_period
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "dbs_artifact"
SEED = 44
BETA = (13.0, 30.0)


def power(x, rate, low, high):
    """Mean power density between two frequencies, 2-s windows."""
    f, p = welch(x, rate, nperseg=round(2 * rate))
    return float(p[(f >= low) & (f <= high)].mean())


def line_db(x, rate, frequency):
    """How far the line at a frequency stands above its neighbours at 2-5 Hz from it [dB]."""
    f, p = welch(x, rate, nperseg=round(10 * rate))
    away = np.abs(f - frequency)
    return float(10 * np.log10(p[away <= 0.2].max() / np.median(p[(away >= 2) & (away <= 5)])))


def causal(stage, x, rate):
    """Run a stage over a recording; return what came out, its mask, and CPU time for a channel and second [ms]."""
    info = StreamInfo.signal(rate, x.shape[1], dtype="f8")
    Run(stage, info).push(Block(x[:10]))
    run = Run(stage, info)
    begin = time.thread_time()
    out = run.push(Block(x))
    cost = (time.thread_time() - begin) * 1e3 / (x.shape[0] / rate) / x.shape[1]
    return out.data, out.valid, cost


def two_sided(x, rate, frequency, direction="both", **settings):
    """Period and result of PyPARRM, with the settings of its example unless others are given."""
    wanted = {"filter_half_width": 2000, "omit_n_samples": 20, "period_half_width": 0.01, **settings}
    parrm = pyparrm.PARRM(np.ascontiguousarray(x.T), rate, frequency, verbose=False)
    begin = time.process_time()
    parrm.find_period(random_seed=SEED)
    spent = time.process_time() - begin
    parrm.create_filter(filter_direction=direction, **wanted)
    return float(parrm.period), parrm.filter_data().T, spent


def truth(rows):
    """The 200-Hz set with its artefact-free truth."""
    x, g = (np.load(DATA / f"{n}.npy").T.astype(float) for n in ("example_data", "example_data_artefact_free"))
    rate, frequency = 200, 150.0
    begin = time.process_time()
    period = find_period(x, rate, frequency)
    ours = time.process_time() - begin
    theirs, both, spent = two_sided(x, rate, frequency)
    rows.append({"set": "truth", "method": "find_period", "period": period, "cpu_s": ours})
    rows.append({"set": "truth", "method": "PyPARRM find_period", "period": theirs, "cpu_s": spent})
    later = slice(4000, None)  # where the longest window is full, for all alike

    def row(method, y, ok=None, cost=None):
        good = np.ones(len(y), bool) if ok is None else ok[:, 0]
        k = np.flatnonzero(good[later]) + 4000
        r = {"set": "truth", "method": method, "rmse": float(np.sqrt(np.mean((y[k] - g[k]) ** 2)))}
        r["beta_bias_percent"] = 100 * (power(y[later, 0], rate, *BETA) / power(g[later, 0], rate, *BETA) - 1)
        rows.append({**r, "valid_from": int(good.argmax()), "cpu_ms_per_channel_s": cost})

    row("raw", x)
    row("PyPARRM, two-sided", both)
    for label, p in (("own period", period), ("PyPARRM's period", theirs)):
        row(f"PARRM 10 s, {label}", *causal(PARRM(p), x, rate))
    row("PARRM 20 s, own period", *causal(PARRM(period, window=20.0), x, rate))
    row("PARRM 10 s, period off by 1e-6", *causal(PARRM(period * (1 + 1e-6)), x, rate))
    row("PARRM 10 s, period off by 1e-5", *causal(PARRM(period * (1 + 1e-5)), x, rate))


def real(rows):
    """ECoG and LFP with stimulation at 1 kHz."""
    x = np.load(DATA / "ecog_lfp_data.npy").T.astype(float)
    rate = 1000
    begin = time.process_time()
    period = find_period(x, rate, 130.0)
    ours = time.process_time() - begin
    theirs, both, spent = two_sided(x[:30_000], rate, 130.0)
    full = pyparrm.PARRM(np.ascontiguousarray(x.T), rate, 130.0, verbose=False)
    full._period = theirs
    rows.append({"set": "real", "method": "find_period", "period": period, "cpu_s": ours})
    rows.append({"set": "real", "method": "PyPARRM find_period, first 30 s", "period": theirs, "cpu_s": spent})
    full.create_filter(filter_half_width=5000, omit_n_samples=20, period_half_width=0.01 * theirs)
    both = full.filter_data().T
    later = slice(10_000, 50_000)
    ways = [
        ("raw", (x, None, None)),
        ("PyPARRM, two-sided, 5 s each way", (both, None, None)),
        ("PARRM 10 s", causal(PARRM(period), x, rate)),
        ("PARRM 5 s, half width 0.01", causal(PARRM(period, window=5.0, half_width=0.01), x, rate)),
        ("Template 7 ms (8 samples a period)", causal(Template(period=period, length=0.007, memory=200), x, rate)),
        (
            "Blank 2 ms, line (artefact is longer)",
            causal(Blank(period=period, length=0.002, fill="line", mark=False), x, rate),
        ),
    ]
    for method, (y, _, cost) in ways:
        for c, name in enumerate(("ECoG", "LFP")):
            r = {"set": f"real {name}", "method": method, "line_db": line_db(y[later, c], rate, rate / period)}
            r["second_db"] = line_db(y[later, c], rate, 2 * rate / period)
            beside = power(both[later, c], rate, *BETA)
            r["beta_beside_two_sided_percent"] = 100 * (power(y[later, c], rate, *BETA) / beside - 1)
            rows.append({**r, "cpu_ms_per_channel_s": cost})


def looks_ahead(rows):
    """Which way PyPARRM's filter_direction looks: what of a lone 1 comes out before it."""
    x = np.zeros((1, 6000))
    parrm = pyparrm.PARRM(x, 1000, 130.0, verbose=False)
    parrm._period = 1000 / 130
    x[0, 3000] = 1.0
    for direction in ("past", "future"):
        parrm.create_filter(filter_half_width=2000, omit_n_samples=20, filter_direction=direction)
        y = parrm.filter_data(x)[0]
        before, after = float(np.abs(y[:3000]).max()), float(np.abs(y[3001:]).max())
        rows.append({"set": "PyPARRM", "method": f"filter_direction={direction}", "before": before, "after": after})


def main():
    rows: list[dict] = []
    truth(rows)
    real(rows)
    looks_ahead(rows)
    versions = {"pyparrm": version("pyparrm"), "numpy": np.__version__, "scipy": version("scipy")}
    if "--json" in sys.argv:
        print(json.dumps({"versions": versions, "rows": rows}, indent=1))
        return
    print(", ".join(f"{k} {v}" for k, v in versions.items()))
    for r in rows:
        numbers = (f"{k} {v:.9g}" if k == "period" else f"{k} {v:.4g}" for k, v in list(r.items())[2:] if v is not None)
        print(f"{r['set']:<10} {r['method']:<38} {'  '.join(numbers)}")


if __name__ == "__main__":
    main()
