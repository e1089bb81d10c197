"""What is left of known artefacts, and of the brain: ASR and adaptive filters beside their peers, on fixed scenes.

    python benchmarks/denoise_artefacts.py [--json FILE] [--cutoff 5] [--kinds blinks] [--methods ASR]

Peers work on the whole second half at once; ours is fed 32 samples at a time, calibration and all, and its delay
taken off. Peers that are not installed, or that fail, are left out and named.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import time
import warnings

import numpy as np
from denoise_scenes import KINDS, REFERENCES, SEEDS, clean, make

from ranvier import denoise, record
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo, Trials

CUTOFF = {"now": 5.0}  # of the peers and of the Euclidean ASR; --cutoff
EDGE = 0.5  # not scored at both ends of the second half [s]
PEERS = {"meegkit": "meegkit", "asrpy": "asrpy", "eegprep": "eegprep", "mne-denoise": "mne_denoise"}


def info_of(scene):
    kinds, units = ["eog"] + ["motion"] * 3, ["uV"] + ["m/s^2"] * 3
    channels = Channels.of(scene.names) + Channels.of(REFERENCES, kinds, units)
    return StreamInfo.signal(round(scene.rate), channels, dtype=np.float64)


def signal(scene):
    return np.hstack([np.vstack([scene.calibration, scene.mixed]), scene.references])


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
    run, x = Run(stage, info_of(scene)), signal(scene)
    late = round(float(run.info.delay * run.info.rate))
    x = np.vstack([x, np.repeat(x[-1:], late, axis=0)])
    parts = [run.push(Block(x[a : a + block], a)).data for a in range(0, len(x), block)]
    return np.concatenate(parts)[late:][len(scene.calibration) :, : len(scene.names)]


def asr(**options):
    return lambda scene: stream(fit(denoise.ASR(**options), scene), scene)


def euclidean(scene):
    return stream(fit(denoise.ASR(CUTOFF["now"], method="euclidean"), scene), scene)


def adaptive(make_filter, then=None):
    def method(scene):
        stage = make_filter()
        return stream(stage if then is None else stage | then(scene), scene)

    return method


def after(scene):
    return fit(denoise.ASR(), scene)


def meegkit(method, step):
    def run(scene):
        from meegkit.asr import ASR

        peer = ASR(sfreq=scene.rate, cutoff=CUTOFF["now"], method=method)
        peer.fit(scene.calibration.T)
        x = scene.mixed.T
        size = x.shape[1] if step is None else round(step * scene.rate)
        return np.hstack([peer.transform(x[:, a : a + size]) for a in range(0, x.shape[1], size)]).T

    return run


def asrpy(scene):
    from asrpy.asr import asr_calibrate, asr_process

    m, t = asr_calibrate(scene.calibration.T, scene.rate, cutoff=CUTOFF["now"])
    late = int(0.25 * scene.rate)
    x = np.hstack([scene.mixed.T, np.zeros((len(scene.names), late))])
    return asr_process(x, scene.rate, m, t)[:, late:].T


def eegprep(scene):
    from eegprep.plugins.clean_rawdata.asr_calibrate import asr_calibrate
    from eegprep.plugins.clean_rawdata.asr_process import asr_process

    state = asr_calibrate(scene.calibration.T, scene.rate, cutoff=CUTOFF["now"])
    late = round(0.25 * scene.rate)
    x = np.hstack([scene.mixed.T, np.zeros((len(scene.names), late))])
    return asr_process(x, scene.rate, state, lookahead=0.25, max_mem=4096)[0][:, : len(scene.mixed)].T


def mne_denoise(scene):
    from mne_denoise.asr import ASR

    peer = ASR(sfreq=scene.rate, cutoff=CUTOFF["now"])
    return peer.fit(scene.calibration.T).transform(scene.mixed.T).T


METHODS = {
    "as it is": lambda scene: scene.mixed,
    "ASR": asr(),
    "ASR, no look-ahead": asr(lookahead=0.0),
    "ASR euclidean": euclidean,
    "RLS motion": adaptive(lambda: denoise.RLS(("motion",), taps=8)),
    "LMS motion": adaptive(lambda: denoise.LMS(("motion",), taps=8)),
    "RLS EOG": adaptive(lambda: denoise.RLS(("eog",))),
    "RLS motion, then ASR": adaptive(lambda: denoise.RLS(("motion",), taps=8), after),
    "meegkit whole": meegkit("euclid", None),
    "meegkit 1-s blocks": meegkit("euclid", 1.0),
    "meegkit riemann, 1-s": meegkit("riemann", 1.0),
    "asrpy": asrpy,
    "eegprep": eegprep,
    "mne-denoise": mne_denoise,
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


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json")
    options.add_argument("--kinds", nargs="*", default=list(KINDS))
    options.add_argument("--methods", nargs="*", help="beginnings of their names")
    options.add_argument("--seeds", type=int, default=len(SEEDS), help="how many of them")
    options.add_argument("--cutoff", type=float, default=5.0)
    given = options.parse_args()
    CUTOFF["now"] = given.cutoff
    warnings.simplefilter("ignore")
    wanted = [m for m in METHODS if not given.methods or any(m.startswith(g) for g in given.methods)]
    base, rows, failed, seeds = clean(), [], {}, SEEDS[: given.seeds]
    print(f"{'scene':8}{'method':22}{'rmse':>8}{'touched':>9}{'rest':>7}{'blink %':>9}{'alpha %':>9}{'cpu s':>7}")
    for kind in given.kinds:
        for name in wanted:
            if name in failed:
                continue
            found, used = [], 0.0
            try:
                for seed in seeds:
                    scene = make(kind, seed, base)
                    begin = time.thread_time()
                    with contextlib.redirect_stdout(io.StringIO()):
                        out = METHODS[name](scene)
                    used += time.thread_time() - begin
                    found.append(score(scene, out))
            except Exception as e:  # a peer that cannot run here is named, not hidden
                failed[name] = f"{type(e).__name__}: {e}"
                continue
            mean = {k: float(np.mean([f[k] for f in found])) for k in found[0]}
            row = {"kind": kind, "method": name, **mean, "cpu_s": used / len(seeds)}
            rows.append(row)
            print(
                f"{kind:8}{name:22}{row['rmse']:8.2f}{row['rmse_touched']:9.2f}{row['rmse_untouched']:7.2f}"
                f"{row['blink_left']:9.1f}{row['alpha_kept']:9.1f}{row['cpu_s']:7.2f}",
                flush=True,
            )
    versions = {}
    for peer in PEERS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[peer] = importlib.metadata.version(peer)
    for name, why in failed.items():
        print(f"{name}: did not run: {why}")
    print("versions:", versions)
    if given.json:
        with open(given.json, "w") as f:
            json.dump(
                {
                    "schema": 1,
                    "cutoff": given.cutoff,
                    "rows": rows,
                    "failed": failed,
                    "versions": versions,
                    "seeds": SEEDS,
                },
                f,
                indent=1,
            )


if __name__ == "__main__":
    main()
