"""What is left of real blinks, and of alpha between them: ASR and RLS beside their peers, on whole recordings.

    python benchmarks/denoise_blinks.py FIGURES.json... [--markdown]

FIGURES.json is what `denoise_artefacts.py --json` wrote, of all methods or of some each: each works with the cutoff
chosen there, on scenes, and with the one that it has by itself. Everybody hears the same signal,
behind a causal 0.5-Hz high-pass. Peers are calibrated on the windows of the whole file that clean_windows finds clean,
ours on the whole file, which it goes through by itself; ours then runs causally. The truth is not known: blinks are
averaged, in which the rest of the signal cancels.
"""

import argparse
import contextlib
import io
import json
import types
import warnings
from pathlib import Path

import numpy as np
from denoise_artefacts import asrpy, eegprep, meegkit, mend_asrpy
from denoise_scenes import DATA

from ranvier import denoise, record
from ranvier.stage import Run
from ranvier.stream import Block, Trials

SKIP = 3.0  # until the high-pass has settled [s]


def recordings():
    """Yield name, rate, channels, their kinds, signal [uV], where blinks are seen and alpha is, and till when [s]."""
    import mne

    raw = mne.io.read_raw_eeglab(DATA / "eeg_asr/eeglab_data.set", verbose="error")
    names = raw.ch_names
    kinds = ["eog" if n.startswith("EOG") else "eeg" for n in names]
    back = [i for i, n in enumerate(names) if n[0] in "OP"]
    yield "EEGLAB, 32 ch", round(raw.info["sfreq"]), names, kinds, 1e6 * raw.get_data().T, names.index("FPz"), back, 1e9
    lines = (DATA / "eeg_asr/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt").read_text().splitlines()
    rows = [line.split(",")[1:9] for line in lines if line[0].isdigit() and line.count(",") > 10]
    yield "OpenBCI, 8 ch", 250, [f"E{i}" for i in range(8)], ["eeg"] * 8, np.array(rows, float), 0, [6, 7], 80.0


def peaks(x, rate, until):
    """Return where blinks are, from 1 to 10 Hz of the channel next to the eyes: 100 uV and more, either way."""
    from scipy.signal import butter, find_peaks, sosfiltfilt

    y = sosfiltfilt(butter(4, [1, 10], "band", fs=rate, output="sos"), x)
    y *= np.sign(y[np.abs(y).argmax()]) if until > 1e6 else -1.0
    at = find_peaks(y, height=100, distance=int(0.4 * rate))[0]
    return at[(at > rate) & (at < min(len(x), until * rate) - rate)]


def score(x, out, rate, eye, back, at):
    """Return what is left of the averaged blink, alpha kept, and the rms of what was changed between blinks."""
    from scipy.signal import welch

    def height(v):
        wave = np.mean([v[a - int(0.6 * rate) : a + int(0.1 * rate), eye] for a in at], axis=0)
        peak = wave[int(0.55 * rate) : int(0.65 * rate)].mean()
        return peak - wave[: int(0.2 * rate)].mean()

    near = np.zeros(len(x), bool)
    for a in at:
        near[max(a - rate, 0) : a + rate] = True

    def alpha(v):
        total, ends = 0.0, np.flatnonzero(np.diff(np.r_[True, near, True].astype(int)))
        for a, b in ends.reshape(-1, 2):
            if b - a >= 2 * rate:
                f, p = welch(v[a:b, back], rate, nperseg=2 * rate, axis=0)
                total += p[(f >= 8) & (f <= 12)].sum() * (b - a)
        return total

    changed = 100 * np.sqrt(((out - x)[~near] ** 2).mean() / (x[~near] ** 2).mean())
    return 100 * height(out) / height(x), 100 * alpha(out) / alpha(x), changed


def ours(x, rate, names, kinds, cutoff, lookahead, before=None):
    rec = record.from_array(x, rate, names, kind=kinds, unit=["uV"] * len(names))
    trial = Trials(
        onset=np.zeros(1, np.int64), label=np.array(["rest"]), group=np.array([""]), recording=np.zeros(1, np.int64),
        tmin=0.0, tmax=len(x) / rate, rate=rec.info.rate,
    )  # fmt: skip
    stage = before
    if cutoff is not None:
        recipe = denoise.ASR(cutoff, lookahead=lookahead)
        stage = (recipe if before is None else before | recipe).fit(rec, trial)
    run = Run(stage, rec.info.but(dtype=np.dtype(float)))
    late = round(float(run.info.delay * rate))
    padded = np.vstack([x, np.repeat(x[-1:], late, axis=0)])
    return np.concatenate([run.push(Block(padded[a : a + 32], a)).data for a in range(0, len(padded), 32)])[late:]


def methods(x, rate, names, kinds, cutoffs):
    """Yield name, cutoff and what gives the cleaned signal."""
    from asrpy.asr import clean_windows

    mend_asrpy()
    clean = clean_windows(x.T, rate, max_bad_chans=0.075, zthresholds=[-3.5, 5.5])[0].T
    scene = types.SimpleNamespace(rate=rate, names=names, calibration=clean, mixed=x)
    all_eeg = ["eeg"] * len(names)
    own = cutoffs["ASR"]
    usual = {"ASR": denoise.ASR().cutoff, "meegkit euclid": 5.0, "meegkit riemann": 5.0, "asrpy": 20.0, "eegprep": 20.0}
    for cutoff in dict.fromkeys((own, usual["ASR"])):
        for name, ahead in (("ASR", 0.25), ("ASR, no look-ahead", 0.0)):
            yield name, cutoff, lambda cutoff=cutoff, ahead=ahead: ours(x, rate, names, all_eeg, cutoff, ahead)
    if "eog" in kinds:
        yield "RLS EOG", None, lambda: ours(x, rate, names, kinds, None, 0.0, denoise.RLS(("eog",)))
        yield (
            "RLS EOG, then ASR",
            usual["ASR"],
            lambda: ours(x, rate, names, kinds, usual["ASR"], 0.25, denoise.RLS(("eog",))),
        )
    peers = {"meegkit euclid": meegkit("euclid"), "meegkit riemann": meegkit("riemann", estimator="lwf"),
             "asrpy": asrpy, "eegprep": eegprep}  # fmt: skip
    for name, peer in peers.items():
        for cutoff in dict.fromkeys((cutoffs[name], usual[name])):
            yield name, cutoff, lambda peer=peer, cutoff=cutoff: peer(scene, cutoff)(scene)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("figures", nargs="+")
    options.add_argument("--markdown", action="store_true")
    given = options.parse_args()
    warnings.simplefilter("ignore")
    found = [json.loads(Path(name).read_text())["rows"] for name in given.figures]
    cutoffs = {r["method"]: r["cutoff"] for rows in found for r in rows}
    lines = [["recording", "method", "cutoff", "blink left [%]", "alpha kept [%]", "changed between blinks [% rms]"]]
    for said, rate, names, kinds, x, eye, back, until in recordings():
        rec = record.from_array(x, rate, len(names))
        high = Run(denoise.Highpass(0.5), rec.info.but(dtype=np.dtype(float)))
        x = high.push(Block(x)).data[int(SKIP * rate) : int(min(len(x) / rate, until) * rate)]
        at = peaks(x[:, eye], rate, until)
        for name, cutoff, make in methods(x, rate, names, kinds, cutoffs):
            with contextlib.redirect_stdout(io.StringIO()):
                left, kept, changed = score(x, make(), rate, eye, back, at)
            threshold = "" if cutoff is None else f"{cutoff:g}"
            lines.append([f"{said}, {len(at)} blinks", name, threshold, f"{left:.0f}", f"{kept:.0f}", f"{changed:.1f}"])
    if given.markdown:
        lines.insert(1, ["---"] * len(lines[0]))
    print("\n".join("| " + " | ".join(v) + " |" if given.markdown else "  ".join(f"{c:26}" for c in v) for v in lines))


if __name__ == "__main__":
    main()
