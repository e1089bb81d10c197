"""LineNoise and ZapLine beside meegkit and mne-denoise: python benchmarks/denoise_mains.py [--json FILE] [--markdown].

Scenes and seeds were fixed before anything was tuned; parameters were tuned on the first seed. Peers see the whole
recording, and once more blocks of 1 s; they are told the frequency. Ours run causally, in blocks of 0.1 s, and find it.
Peers are left out where they are not installed (pip install meegkit mne-denoise statsmodels). Everything is scored over
the same samples, steps of the mains' amplitude included, of which whole-file methods know beforehand. What no causal
method can do is shown by rows of an oracle, which gives the truth but for all of mains' change in the first 20 or 40 ms
after each step; "later" is the error beside the line without the second that follows a step.
"""

import argparse
import contextlib
import importlib.metadata as metadata
import io
import json
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from scipy.signal import welch

from ranvier.denoise import LineNoise, Notch, ZapLine
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo

SEEDS = (1601, 1602, 1603)
RATE, SECONDS, CHANNELS, LINE = 500, 100, 32, 50.0
STEPS = (40, 70)  # s, where the amplitude steps
FROM = 15  # s from which on everything is scored
SCENES = ("steady", "two", "drift", "step", "death")
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def brain(rng, n, channels):
    """Return pink sources and alpha, mixed into all channels, and a little white noise [uV]."""
    spectrum = np.fft.rfft(rng.standard_normal((n, channels)), axis=0)
    f = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 0.5)[:, None]
    sources = np.fft.irfft(spectrum / np.sqrt(f), n, axis=0)
    alpha = np.fft.irfft(
        np.fft.rfft(rng.standard_normal((n, 2)), axis=0) * np.exp(-0.5 * ((f - 10) / 0.7) ** 2), n, axis=0
    )
    sources[:, :2] += 3 * alpha / alpha.std(axis=0) * sources.std()
    mixed = sources @ rng.standard_normal((channels, channels))
    return 10 * mixed / mixed.std() + 0.3 * rng.standard_normal((n, channels))


def scene(kind, seed):
    """Return truth, mains in each harmonic with its phasor, mask, and phase of the first harmonic."""
    rng = np.random.default_rng(seed)
    n = RATE * SECONDS
    t = np.arange(n) / RATE
    truth = brain(rng, n, CHANNELS)
    frequency = LINE + (0.3 * np.clip((t - 20) / 60, 0, 1) if kind == "drift" else 0.0)
    phase = 2 * np.pi * np.cumsum(frequency * np.ones(n)) / RATE + rng.uniform(0, 2 * np.pi)
    size = np.where((t > STEPS[0]) & (t < STEPS[1]), 3.0, 1.0) if kind == "step" else np.ones(n)
    mains = np.zeros((n, CHANNELS))
    for h, level in ((1, 8.0), (2, 2.0), (3, 3.0)):
        for _ in range(2 if kind == "two" else 1):
            place = rng.standard_normal(CHANNELS)
            mains += level * size[:, None] * np.cos(h * phase + rng.uniform(0, 2 * np.pi))[:, None] * place
    valid = np.ones((n, CHANNELS), bool)
    if kind == "death":
        valid[n // 2 :, 3] = False
    return truth, mains, valid, phase


def ours(stage, x, valid, rate, block=None):
    """Return what a stage makes of a recording, fed in blocks, and the CPU seconds of the thread."""
    run = Run(stage, StreamInfo.signal(rate, x.shape[1]))
    out, block, cpu = [], block or max(round(rate / 10), 1), 0.0
    x = x.astype("f4")
    for a in range(0, len(x), block):
        one = Block(x[a : a + block], a, valid[a : a + block])
        begin = time.thread_time()
        y = run.step(one)
        cpu += time.thread_time() - begin
        out.append(y.data.copy())
    return np.concatenate(out).astype(float), cpu


def meegkit_line(x, rate, line, **kw):
    from meegkit.dss import dss_line

    return dss_line(x[:, :, None].copy(), line, rate, **kw)[0][:, :, 0]


def meegkit_iter(x, rate, line):
    from meegkit.dss import dss_line_iter

    with np.errstate(all="ignore"):
        return np.asarray(dss_line_iter(x[:, :, None].copy(), line, rate, nfft=min(512, len(x)))[0])[:, :, 0]


def mne_zapline(x, rate, line, **kw):
    from mne_denoise.zapline import ZapLine as Peer

    kw = {"nfft": min(1024, len(x)), **kw}
    return Peer(sfreq=rate, line_freq=line, **kw).fit_transform(x.T.copy()).T


PEERS = {
    "meegkit dss_line": (meegkit_line, "meegkit"),
    "meegkit dss_line nremove=3": (partial(meegkit_line, nremove=3), "meegkit"),
    "meegkit dss_line_iter": (meegkit_iter, "meegkit"),
    "mne-denoise ZapLine": (mne_zapline, "mne-denoise"),
    "mne-denoise ZapLine-plus": (partial(mne_zapline, adaptive=True), "mne-denoise"),
}


def stages(line):
    return {
        "LineNoise": LineNoise(),
        f"LineNoise({line:g})": LineNoise(line),
        "ZapLine": ZapLine(),
        f"ZapLine({line:g})": ZapLine(line),
        f"Notch({line:g})": Notch(line, quality=line / 0.5, harmonics=3),
    }


def quiet(function, *args):
    """Return what a peer says, or its error; it prints and warns."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            begin = time.thread_time()
            return function(*args), time.thread_time() - begin
        except Exception as e:
            return f"{type(e).__name__}: {e}"[:60], 0.0


def db(a, b):
    return 10 * np.log10(np.maximum(a, 1e-30) / np.maximum(b, 1e-30))


def score(y, truth, mains, phase, keep):
    """Return what is left of the line, and changes and errors of power, all in dB.

    ``left`` is the part of mains, over that put in, that a regression on truth and mains finds in the result, for each
    channel and harmonic; ``on`` the power within 0.5 Hz of the harmonics over that of the truth; ``beside`` the same
    1.5 to 2.5 Hz from them, where ``error`` is what differs from the truth.
    """
    from_ = FROM * RATE
    y, truth, mains, phase = y[from_:, keep], truth[from_:, keep], mains[from_:, keep], phase[from_:]
    size = 2 * RATE
    m = len(y) // size
    left = put = 0.0
    for h in (1, 2, 3):
        wave = np.exp(-1j * h * phase[: m * size]).reshape(m, size)
        z = [np.einsum("mt,mtc->cm", wave, v[: m * size].reshape(m, size, -1)) / size for v in (y, truth, mains)]
        for got, own, line in zip(*z, strict=True):
            part = np.linalg.lstsq(np.stack([own, line], axis=1), got, rcond=None)[0][1]
            power = (np.abs(line) ** 2).sum()
            left, put = left + np.abs(part) ** 2 * power, put + power
    f, clean = welch(truth, RATE, nperseg=8 * RATE, axis=0)
    got = welch(y, RATE, nperseg=8 * RATE, axis=0)[1]
    error = welch(y - truth, RATE, nperseg=8 * RATE, axis=0)[1]
    at = abs(f[:, None] - LINE * np.array([1, 2, 3]))
    on, beside = (at <= 0.5).any(axis=1), ((at >= 1.5) & (at <= 2.5)).any(axis=1)
    low = (f >= 8) & (f <= 30)
    later, own = calm(y - truth, at), calm(truth, at)
    return {
        "left": db(left, put),
        "on": db(got[on].sum(), clean[on].sum()),
        "beside": db(got[beside].sum(), clean[beside].sum()),
        "beside error": db(error[beside].sum(), clean[beside].sum()),
        "later": db(later, own),
        "8-30 Hz error": db(error[low].sum(), clean[low].sum()),
    }


def calm(x, at):
    """Return the power 1.5 to 2.5 Hz beside the line in pieces that hold no second after a step."""
    beside = ((at >= 1.5) & (at <= 2.5)).any(axis=1)
    edges = [0, *(s + k - FROM for s in STEPS for k in (0, 1)), SECONDS - FROM]
    total = seconds = 0.0
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        part = welch(x[a * RATE : b * RATE], RATE, nperseg=8 * RATE, axis=0)[1]
        total, seconds = total + (b - a) * part[beside].sum(), seconds + b - a
    return total / seconds


def oracle(truth, mains, length):
    """Return the truth with what mains changed by at each step, for some time [s]: the least that is not foreseen."""
    y = truth.copy()
    for step, before, after in zip(STEPS, (1.0, 3.0), (3.0, 1.0), strict=True):
        a = step * RATE + 1
        b = a + round(length * RATE)
        y[a:b] += mains[a:b] * (after - before) / after
    return y


def dependence(whole, blocks, from_):
    """Return the largest difference of a run in blocks [uV]."""
    return float(np.abs(whole - blocks)[from_:].max())


def methods(x, valid, rate, line):
    """Yield name, result, CPU seconds, largest difference when fed in blocks of 1 s, of everything that runs."""
    for name, stage in stages(line).items():
        y, cpu = ours(stage, x, valid, rate)
        other = ours(stage, x, valid, rate, rate)[0]
        yield name, y, cpu, dependence(y, other, 0)
    filled = np.where(valid, x, 0)
    for name, (peer, package) in PEERS.items():
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        y, cpu = quiet(peer, filled, rate, line)
        if isinstance(y, str):
            yield name, y, cpu, np.nan
            continue
        parts = [quiet(peer, filled[a : a + rate], rate, line)[0] for a in range(0, len(x), rate)]
        bad = [p for p in parts if isinstance(p, str)]
        yield name, y, cpu, np.nan if bad else dependence(y, np.concatenate(parts), FROM * rate)


def synthetic(kinds, seeds):
    rows = []
    for kind in kinds:
        found = {}
        for seed in seeds:
            truth, mains, valid, phase = scene(kind, seed)
            keep = valid.all(axis=0)
            for name, y, cpu, apart in methods(truth + mains, valid, RATE, LINE):
                if isinstance(y, str):
                    found.setdefault(name, []).append({"error": y})
                else:
                    one = score(y, truth, mains, phase, keep)
                    found.setdefault(name, []).append({**one, "blocks": apart, "cpu": 100 * cpu / SECONDS})
            for length in (0.02, 0.04) if kind == "step" else ():
                one = score(oracle(truth, mains, length), truth, mains, phase, keep)
                found.setdefault(f"oracle after {1000 * length:g} ms", []).append({**one, "blocks": 0.0, "cpu": 0.0})
        for name, scores in found.items():
            errors = [s["error"] for s in scores if "error" in s]
            good = [s for s in scores if "error" not in s]
            mean = {k: float(np.mean([s[k] for s in good])) for k in (good[0] if good else {})}
            rows.append({"scene": kind, "method": name, **mean, **({"error": errors[0]} if errors else {})})
    return rows


def recordings():
    """Yield name, samples [uV], rate and mains of real recordings."""
    import mne

    mne.set_log_level("ERROR")
    raw = mne.io.read_raw_edf(SHARED / "eegmmidb_s001" / "S001R01.edf")
    yield "eegmmidb S001R01", raw.get_data().T * 1e6, 160, 60.0
    yield "eeg_asr eeg_raw", np.load(SHARED / "eeg_asr" / "eeg_raw.npy").T, 250, 50.0
    raw = mne.io.read_raw_fif(SHARED / "kalunga2016_ssvep" / "sub-01_run-1_raw.fif").pick("eeg")
    yield "kalunga sub-01 run-1", raw.get_data().T * 1e6, 256, 50.0
    raw = mne.io.read_raw_fif(SHARED / "kalunga2016_ssvep" / "sub-03_run-1_raw.fif").pick("eeg")
    yield "kalunga sub-03 run-1", raw.get_data().T * 1e6, 256, 50.0
    pair = np.stack([np.load(SHARED / "lfp_samples" / f"{k}.npy") for k in ("ca1", "ec3")], axis=1)
    yield "lfp ca1+ec3", pair.astype(float), 1250, 60.0


def real_score(y, x, rate, line):
    """Return line over its neighbours, before and after, and the change beside it, in dB."""
    from_ = FROM * rate
    f, before = welch(x[from_:], rate, nperseg=4 * rate, axis=0)
    after = welch(y[from_:], rate, nperseg=4 * rate, axis=0)[1]
    at = np.abs(f[:, None] - line * np.arange(1, max(int(np.ceil(rate / 2 / line)), 2))[:3])
    on, near = (at <= 0.5).any(axis=1), ((at >= 1.5) & (at <= 2.5)).any(axis=1)

    def bump(p):
        return db(p[on].mean(), before[near].mean())

    low = (f >= 8) & (f <= 30)
    return {
        "line before": bump(before), "line after": bump(after), "beside": db(after[near].sum(), before[near].sum()),
        "8-30 Hz": db(after[low].sum(), before[low].sum()),
    }  # fmt: skip


def real():
    rows = []
    for name, x, rate, line in recordings():
        x = x - x.mean(axis=0)
        for method, y, cpu, apart in methods(x, np.ones(x.shape, bool), rate, line):
            if isinstance(y, str):
                rows.append({"scene": name, "method": method, "error": y})
            else:
                one = {k: float(v) for k, v in real_score(y, x, rate, line).items()}
                one |= {"blocks": apart, "cpu": 100 * cpu / (len(x) / rate)}
                rows.append({"scene": name, "method": method, **one})
    return rows


def show(rows, title):
    columns = [k for k in dict.fromkeys(k for r in rows for k in r) if k not in ("scene", "method", "error")]
    print(f"\n{title}\n{'scene':22}{'method':28}" + "".join(f"{c:>15}" for c in columns))
    for r in rows:
        cells = r.get("error") or "".join(f"{r.get(c, np.nan):15.3g}" for c in columns)
        print(f"{r['scene']:22}{r['method']:28}{cells}")


def worse(row, rows):
    """Return in what a stage is worse than the best package, of those that leave less than -20 dB in that scene."""
    peers = [r for r in rows if r["scene"] == row["scene"] and r["method"] in PEERS and r.get("left", 0) < -20]
    found = []
    for what in ("left", "beside error"):
        best = min(peers, key=lambda r: r[what])
        if row[what] > best[what]:
            found.append(f"{what} by {row[what] - best[what]:.1f} dB ({best['method']})")
    return "; ".join(found) or "nothing"


def markdown(seeds):
    """Return a table of each seed: what is left, the error beside the line, and where ours is worse."""
    columns = ("left", "on", "beside error", "later", "8-30 Hz error")
    lines = [
        f"| scene | seed | method | {' | '.join(f'{c} [dB]' for c in columns)} | worse than the best package in |",
        "|" + "---|" * (len(columns) + 4),
    ]
    for seed, rows in seeds.items():
        for r in rows:
            cells = " | ".join(f"{r[c]:.1f}" if c in r else "" for c in columns)
            ours = r["method"].startswith(("LineNoise", "ZapLine"))
            said = worse(r, rows) if ours else r.get("error", "")
            lines.append(f"| {r['scene']} | {seed} | {r['method']} | {cells} | {said} |")
    return "\n".join(lines)


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--json", type=Path)
    ask.add_argument("--scenes", nargs="*", default=SCENES)
    ask.add_argument("--seeds", nargs="*", type=int, default=SEEDS)
    ask.add_argument("--no-real", action="store_true")
    ask.add_argument(
        "--markdown", action="store_true", help="a table of each seed for docs/denoise-figures.md, and no more"
    )
    args = ask.parse_args()
    if args.markdown:
        print(markdown({seed: synthetic(args.scenes, [seed]) for seed in args.seeds}))
        return
    names = ("ranvier", "meegkit", "mne-denoise", "numpy", "scipy", "numba")
    versions = {}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    print(versions)
    rows = synthetic(args.scenes, args.seeds)
    show(rows, f"Synthetic, {CHANNELS} channels, {RATE} Hz: dB; blocks in uV; cpu in % of a core")
    found = [] if args.no_real or not SHARED.is_dir() else real()
    if found:
        show(found, "Real recordings: dB; blocks in uV; cpu in % of a core")
    if args.json:
        args.json.write_text(json.dumps({"name": "mains", "versions": versions, "synthetic": rows, "real": found}))


if __name__ == "__main__":
    main()
