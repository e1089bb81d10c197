"""What is left of known artefacts, and of the brain: ASR and adaptive filters beside their peers, on fixed scenes.

    python benchmarks/denoise_artefacts.py [--markdown] [--json FILE] [--jobs 2] [--methods ASR] [--quick]

Everybody's cutoff is swept over one grid on the tuning seeds; the one with the lowest RMSE, averaged over scenes and
seeds, is scored on seeds that nothing was chosen on, and on the scene of everything, which is not tuned on. Peers work
on the whole second half at once; ours is fed 32 samples at a time, calibration and all, and its delay taken off. Peers
that are not installed, or fail, are named.
"""

import argparse
import contextlib
import copy
import importlib.metadata
import io
import json
import multiprocessing
import time
import types
import warnings
from pathlib import Path

import numpy as np
from denoise_scenes import KINDS, REFERENCES, SEEDS, clean, make

from ranvier import denoise, record
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo, Trials

GRID = (3.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
TUNING = SEEDS[:2]
HELD_OUT = (5301, 5302, 5303)  # first looked at when all was chosen
EDGE = 0.5  # not scored at both ends of the second half [s]
PEERS = ("meegkit", "asrpy", "eegprep", "numpy")


def info_of(scene):
    kinds, units = ["eog"] + ["motion"] * 3, ["uV"] + ["m/s^2"] * 3
    channels = Channels.of(scene.names) + Channels.of(REFERENCES, kinds, units)
    return StreamInfo.signal(round(scene.rate), channels, dtype=np.float64)


def fit(recipe, scene):
    """Fit on the first half, as one trial."""
    info, n = info_of(scene), len(scene.calibration)
    c = info.channels
    x = np.hstack([scene.calibration, scene.references[:n]])
    rec = record.from_array(x, info.rate, c.names, kind=c.kinds, unit=c.units)
    whole = Trials(
        onset=np.zeros(1, np.int64), label=np.array(["rest"]), group=np.array([""]), recording=np.zeros(1, np.int64),
        tmin=0.0, tmax=n / scene.rate, rate=info.rate,
    )  # fmt: skip
    return recipe.fit(rec, whole)


def stream(stage, scene, block=32):
    """Return the second half as it comes out of a stage that heard everything, its delay taken off."""
    x = np.hstack([np.vstack([scene.calibration, scene.mixed]), scene.references])
    run = Run(stage, info_of(scene))
    late = round(float(run.info.delay * run.info.rate))
    x = np.vstack([x, np.repeat(x[-1:], late, axis=0)])
    parts = [run.push(Block(x[a : a + block], a)).data for a in range(0, len(x), block)]
    return np.concatenate(parts)[late:][len(scene.calibration) :, : len(scene.names)]


def asr(before=None, **options):
    def fitted(scene, cutoff):
        stage = fit(denoise.ASR(cutoff, **options), scene)
        return lambda s: stream(stage if before is None else before | stage, s)

    return fitted


def adaptive(stage):
    return lambda scene, cutoff: lambda s: stream(stage, s)


def meegkit(method, **options):
    def fitted(scene, cutoff):
        from meegkit.asr import ASR

        peer = ASR(sfreq=scene.rate, cutoff=cutoff, method=method, **options)
        peer.fit(scene.calibration.T)
        return lambda s: copy.deepcopy(peer).transform(s.mixed.T).T

    return fitted


def mend_asrpy():
    """Let asrpy 0.0.8 run: it makes a whole number of an array of one, which numpy no longer does."""
    from asrpy import asr_utils

    single = lambda a: np.diff(a) if np.size(a) != 2 else np.diff(a)[0]  # noqa: E731
    asr_utils.np = types.SimpleNamespace(**{**vars(np), "diff": single})


def asrpy(scene, cutoff):
    from asrpy.asr import asr_calibrate, asr_process

    mend_asrpy()
    m, t = asr_calibrate(scene.calibration.T, scene.rate, cutoff=cutoff)
    late = int(0.25 * scene.rate)

    def run(s):
        x = np.hstack([s.mixed.T, np.zeros((len(s.names), late))])
        return asr_process(x, s.rate, m, t)[:, late:].T

    return run


def eegprep(scene, cutoff):
    from eegprep.plugins.clean_rawdata.asr_calibrate import asr_calibrate
    from eegprep.plugins.clean_rawdata.asr_process import asr_process

    state = asr_calibrate(scene.calibration.T, scene.rate, cutoff=cutoff)
    late = round(0.25 * scene.rate)

    def run(s):
        x = np.hstack([s.mixed.T, np.zeros((len(s.names), late))])
        return asr_process(x, s.rate, copy.deepcopy(state), lookahead=0.25, max_mem=4096)[0][:, : len(s.mixed)].T

    return run


METHODS = {  # name: whether it has a cutoff, and what makes it ready
    "as it is": (False, lambda scene, cutoff: lambda s: s.mixed),
    "ASR": (True, asr()),
    "ASR, no look-ahead": (True, asr(lookahead=0.0)),
    "ASR euclidean": (True, asr(method="euclidean")),
    "meegkit euclid": (True, meegkit("euclid")),
    "meegkit riemann": (True, meegkit("riemann", estimator="lwf")),  # its default refuses what is not full rank
    "asrpy": (True, asrpy),
    "eegprep": (True, eegprep),
    "RLS motion": (False, adaptive(denoise.RLS(("motion",), taps=8))),
    "LMS motion": (False, adaptive(denoise.LMS(("motion",), taps=8))),
    "RLS EOG": (False, adaptive(denoise.RLS(("eog",)))),
    "LMS EOG": (False, adaptive(denoise.LMS(("eog",)))),
    "RLS motion, RLS EOG": (False, adaptive(denoise.RLS(("motion",), taps=8) | denoise.RLS(("eog",)))),
    "both, then ASR": (True, asr(denoise.RLS(("motion",), taps=8) | denoise.RLS(("eog",)))),
}


def band_power(x, rate, low=8.0, high=12.0):
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))[:, None], axis=0)) ** 2
    f = np.fft.rfftfreq(len(x), 1 / rate)
    return spectrum[(f >= low) & (f <= high)].sum()


def score(scene, out):
    """Return errors [uV], what is left of blinks and what is kept of alpha [%]."""
    edge = int(EDGE * scene.rate)
    part = slice(edge, len(scene.truth) - edge)
    wrong, touched = (out - scene.truth)[part], scene.touched[part]
    rms = lambda e: float(np.sqrt((e**2).mean())) if e.size else float("nan")  # noqa: E731
    row = {"rmse": rms(wrong), "rmse_touched": rms(wrong[touched]), "rmse_untouched": rms(wrong[~touched])}
    front = [scene.names.index(n) for n in ("Fp1", "Fp2", "Fpz")]
    peaks = scene.blinks[(scene.blinks > edge) & (scene.blinks < part.stop)]
    left, was = (out - scene.truth)[peaks][:, front], scene.artefact[peaks][:, front]
    row["blink_left"] = float(100 * np.abs(left.mean(axis=1)).mean() / was.mean()) if len(peaks) else float("nan")
    back = [scene.names.index(n) for n in ("O1", "Oz", "O2")]
    row["alpha_kept"] = (
        100 * band_power(out[part][:, back], scene.rate) / band_power(scene.truth[part][:, back], scene.rate)
    )
    return row


def rows_of(asked):
    """Choose a method's cutoff on the tuning seeds, and score it on the others; return rows or what went wrong."""
    name, kinds, tuning, held, grid = asked
    warnings.simplefilter("ignore")
    swept, make_ready = METHODS[name]
    base, sweep, rows, fitted = clean(), {}, [], {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for cutoff in grid if swept else ():
                fitted[cutoff] = make_ready(make("none", 0, base), cutoff)
                scenes = (make(k, s, base) for k in kinds if k != "all" for s in tuning)
                sweep[cutoff] = float(np.mean([score(s, fitted[cutoff](s))["rmse"] for s in scenes]))
            best = min(sweep, key=sweep.__getitem__) if swept else None
            ready = fitted[best] if swept else make_ready(make("none", 0, base), None)
            for kind in kinds:
                for seed in held:
                    scene, begin = make(kind, seed, base), time.thread_time()
                    out = ready(scene)
                    row = {"method": name, "cutoff": best, "kind": kind, "seed": seed}
                    rows.append(row | {"cpu_s": time.thread_time() - begin} | score(scene, out))
    except Exception as e:  # a peer that cannot run here is named, not hidden
        return name, [], {}, f"{type(e).__name__}: {e}"
    return name, rows, sweep, None


def cell(rows, kind, what):
    """Return median and range."""
    v = [r[what] for r in rows if r["kind"] == kind]
    return f"{np.median(v):.1f} [{min(v):.1f}, {max(v):.1f}]" if what == "rmse" else f"{np.median(v):.0f}"


def table(found, kinds, markdown):
    """Return RMSE in each scene, blinks left alone and in everything, alpha kept where it is kept worst."""
    lines = [["method", "cutoff", *kinds, "blink left [%]", "alpha kept [%]"]]
    if markdown:
        lines.append(["---"] * len(lines[0]))
    for name, rows, _, _ in found:
        if not rows:
            continue
        blinks = ", ".join(cell(rows, k, "blink_left") for k in ("blinks", "all") if k in kinds)
        alpha = [float(cell(rows, k, "alpha_kept")) for k in kinds]
        cutoff = "" if rows[0]["cutoff"] is None else f"{rows[0]['cutoff']:g}"
        worst = f"{max(alpha, key=lambda v: abs(v - 100)):.0f}"
        lines.append([name, cutoff, *(cell(rows, k, "rmse") for k in kinds), blinks, worst])
    return "\n".join("| " + " | ".join(line) + " |" if markdown else "  ".join(f"{c:20}" for c in line)
                     for line in lines)  # fmt: skip


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json")
    options.add_argument("--markdown", action="store_true")
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--kinds", nargs="*", default=list(KINDS))
    options.add_argument("--methods", nargs="*", help="beginnings of their names")
    options.add_argument("--join", nargs="*", help="print what earlier runs wrote, of some methods each")
    options.add_argument("--quick", action="store_true", help="one seed each: to see that it runs")
    given = options.parse_args()
    if given.join:
        rows = [r for name in given.join for r in json.loads(Path(name).read_text())["rows"]]
        found = [(m, [r for r in rows if r["method"] == m], {}, None) for m in METHODS]
        print(table(found, given.kinds, given.markdown))
        return
    wanted = [m for m in METHODS if not given.methods or any(m.startswith(g) for g in given.methods)]
    seeds = [s[: 1 if given.quick else None] for s in (TUNING, HELD_OUT)]
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        found = pool.map(rows_of, [(m, given.kinds, *seeds, GRID) for m in wanted], chunksize=1)
    print(table(found, given.kinds, given.markdown))
    versions = {}
    for peer in PEERS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[peer] = importlib.metadata.version(peer)
    failed = {name: why for name, _, _, why in found if why}
    print("\n".join(["", *(f"{name}: did not run: {why}" for name, why in failed.items()), f"Versions: {versions}"]))
    if given.json:
        rows, sweeps = [r for f in found for r in f[1]], {f[0]: f[2] for f in found}
        with open(given.json, "w") as f:
            beside = {"failed": failed, "versions": versions, "tuning": TUNING}
            json.dump({"schema": 1, "rows": rows, "sweeps": sweeps, **beside}, f)


if __name__ == "__main__":
    main()
