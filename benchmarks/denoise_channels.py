"""Bad channels: Ranvier's live judge beside pyprep and SpikeInterface, on planted faults and on recordings.

    python benchmarks/denoise_channels.py [--json] [--markdown [PAGE]] [--only eeg|probe|recordings] [--rounds 3]

Needs pyprep, spikeinterface and mne beside Ranvier. Times are CPU time of this thread, taken in turns, medians; pyprep
and SpikeInterface judge a whole recording at once, Ranvier block by block as it would live, start included.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import page  # noqa: E402

from ranvier.channels import BadChannels, ChannelVerdicts  # noqa: E402
from ranvier.stage import Run  # noqa: E402
from ranvier.stream import Block, Channels, StreamInfo  # noqa: E402
from tests.channels.planted import eeg, plant  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
EEG_FAULTS = ("flat", "saturated", "lead-off", "mains", "noise", "bridged", "drifting", "uncorrelated", "deviant")
PROBE = {"band": (300.0, 3000.0), "noise": 12000.0, "share": 0.2}


def cpu(call):
    """Return what a call returns, and the CPU time of this thread [s]."""
    begin = time.thread_time()
    out = call()
    return out, time.thread_time() - begin


def live(stage, info, x, block):
    """Push a recording in blocks and return what comes out."""
    run = Run(stage, info)
    return [run.push(Block(x[a : a + block], a)) for a in range(0, len(x), block)]


def cost(stage, info, x, block, times=1):
    """Return the CPU time of a recording so many times as long that goes through in blocks, start included [s]."""

    run, start = cpu(lambda: Run(stage, info))

    def through():
        for a in range(0, len(x), block):
            run.step(Block(x[a : a + block], a))

    return start + times * cpu(through)[1]


def said(info, x, **parameters):
    """Return the reasons for which each channel was ever bad."""
    stage = ChannelVerdicts(**parameters)
    labels, out = stage.describe(info).labels, {}
    for chunk in live(stage, info, x, round(float(info.rate))):
        for e in chunk.table:
            label = labels[int(e["code"])]
            if label.startswith("bad"):
                out.setdefault(info.channels.names[e["source"]], []).append((label[4:], int(e["sample"])))
    return out


def pyprep_bads(x, rate, names, montage, seed=0):
    """Return pyprep's verdicts by kind."""
    import mne
    from pyprep import NoisyChannels

    raw = mne.io.RawArray(x.T.astype(float) * 1e-6, mne.create_info(names, rate, "eeg"), verbose="error")
    if montage is not None:
        raw.set_montage(montage, verbose="error")
    noisy = NoisyChannels(raw, random_state=seed, ransac=montage is not None)
    noisy.find_all_bads()
    return noisy.get_bads(as_dict=True)


def compare_eeg(rounds):
    """Planted faults on 64 channels: each alone, on the positions of BioSemi's cap."""
    import mne

    rate, seconds = 250, 60
    montage = mne.channels.make_standard_montage("biosemi64")
    where = montage.get_positions()["ch_pos"]
    names = list(where)
    places = [tuple(map(float, where[n])) for n in names]
    info = StreamInfo.signal(rate, Channels.of(names, "eeg", "uV", places))
    rows, times = [], {"ranvier": [], "pyprep": []}
    for k, fault in enumerate(("none", *EEG_FAULTS)):
        x, channel = eeg(seconds, rate, 100 + k, places=np.array(places)), 20
        if fault != "none":
            plant(x, fault, channel, 0, len(x), rate, 200 + k)
        x = x.astype("f4")
        live(BadChannels(), info, x[:1000], 250)  # loaded
        mine = said(info, x)
        for _ in range(rounds):
            times["ranvier"].append(cost(BadChannels(), info, x, 25))
            theirs, taken = cpu(lambda x=x: pyprep_bads(x, rate, names, montage))
            times["pyprep"].append(taken)
        kinds = {n: [c for c, v in theirs.items() if n in v and c != "bad_all"] for n in theirs["bad_all"]}
        rows.append({"planted": fault, "channel": names[channel] if fault != "none" else "",
                     "ranvier": {n: sorted({r for r, _ in v}) for n, v in mine.items()}, "pyprep": kinds})  # fmt: skip
    fast = []
    info1000 = StreamInfo.signal(1000, info.channels)
    x = eeg(seconds, 1000, 300, places=np.array(places)).astype("f4")
    for _ in range(max(rounds, 3)):
        fast.append(cost(BadChannels(), info1000, x, 100))
    taken = {k: float(np.median(v)) for k, v in times.items()} | {"ranvier at 1 kHz": float(np.median(fast))}
    return {"rows": rows, "seconds per 60 s of 64 channels": taken}


def probe(seconds, seed, rate=30000, n=384):
    """Return a recording like that of a probe [uV]: smooth fields and noise, a dead and a noisy site, spikes' band."""
    rng = np.random.default_rng(seed)
    depth = np.arange(n) // 2 * 20.0
    centres = np.linspace(0, depth[-1], 40)
    mix = np.exp(-((depth[:, None] - centres) ** 2) / (2 * 150.0**2)).astype("f4")
    samples = round(seconds * rate)
    f = np.fft.rfftfreq(samples, 1 / rate)
    shape = 1 / np.sqrt(1 + (f / 3000) ** 4) * (f > 300)
    sources = np.fft.irfft(np.fft.rfft(rng.standard_normal((samples, 40)), axis=0) * shape[:, None], axis=0, n=samples)
    x = (sources / sources.std(0)).astype("f4") @ (6 * mix.T)
    x += 4 * rng.standard_normal(x.shape, dtype="f4")
    dead, noisy = 100, 200
    x[:, dead] = 1.5 * rng.standard_normal(samples, dtype="f4")
    x[:, noisy] += 40 * rng.standard_normal(samples, dtype="f4")
    places = [(16.0e-6 * (i % 2 * 2 + i // 2 % 2), float(depth[i]) * 1e-6, 0.0) for i in range(n)]
    return x, places, {dead: "dead", noisy: "noise"}


def compare_probe(rounds, seconds=5.0, seeds=(400, 401, 402)):
    """One dead and one noisy site of 384: verdicts for each seed, and cost for the same data."""
    import spikeinterface as si
    from spikeinterface.preprocessing import detect_bad_channels

    si.set_global_job_kwargs(progress_bar=False)
    rate, rows, others = 30000, [], 0
    chunks = round(seconds / 0.3)  # as much as there is, as with 100 chunks of 0.3 s in 30 s
    for seed in seeds:
        x, places, truth = probe(seconds, seed)
        names = [f"AP{i}" for i in range(x.shape[1])]
        info = StreamInfo.signal(rate, Channels.of(names, "spikes", "uV", places))
        recording = si.NumpyRecording([x], rate)
        recording.set_channel_locations(np.array(places)[:, :2] * 1e6)
        recording.set_channel_gains(1.0)
        recording.set_channel_offsets(0.0)

        def theirs(recording=recording):
            return detect_bad_channels(recording, method="coherence+psd", num_random_chunks=chunks, seed=0)

        found, labels = said(info, x, **PROBE), theirs()[1]
        for i, fault in truth.items():
            mine = ", ".join(f"{r} after {n / rate:.0f} s" for r, n in found.pop(names[i], []))
            rows.append({"seed": seed, "planted": fault, "channel": names[i], "ranvier": mine,
                         "spikeinterface": str(labels[i])})  # fmt: skip
        others += len(found) + sum(v != "good" and i not in truth for i, v in enumerate(labels))
    times = {"ranvier": [], "ranvier, all samples": [], "spikeinterface": []}
    for _ in range(rounds):
        times["ranvier"].append(cost(BadChannels(**PROBE), info, x, 300, 30 / seconds))
        times["ranvier, all samples"].append(cost(BadChannels(**PROBE | {"share": 1.0}), info, x, 300, 30 / seconds))
        times["spikeinterface"].append(cpu(theirs)[1] * 30 / seconds)
    taken = {k: float(np.median(v)) for k, v in times.items()}
    return {"rows": rows, "others by either": others, "seconds per 30 s of 384 channels": taken,
            "times faster": taken["spikeinterface"] / taken["ranvier"],
            "times faster, all samples": taken["spikeinterface"] / taken["ranvier, all samples"]}  # fmt: skip


def recordings():
    """What is found in real recordings, and what pyprep finds there."""
    import mne

    out = {}
    cap = mne.channels.make_standard_montage("standard_1005")
    for run in ("S001R01", "S001R03", "S001R04", "S001R06", "S001R14"):
        path = DATA / "eegmmidb_s001" / f"{run}.edf"
        if not path.is_file():
            continue
        raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
        mne.datasets.eegbci.standardize(raw)
        where = cap.get_positions()["ch_pos"]
        places = [tuple(map(float, where[n])) for n in raw.ch_names]
        x = (raw.get_data().T * 1e6).astype("f4")
        out[f"eegmmidb {run}"] = found(x, raw.info["sfreq"], raw.ch_names, places, cap, 60.0)
    raw8 = DATA / "eeg_asr" / "eeg_raw.npy"
    if raw8.is_file():
        x = np.load(raw8)
        x = (x.T if x.shape[0] < x.shape[1] else x).astype("f4")
        out["eeg_asr eeg_raw"] = found(x, 250, [f"E{i}" for i in range(x.shape[1])], None, None, 50.0)
    path = DATA / "eeg_asr" / "eeglab_data.set"
    if path.is_file():
        raw = mne.io.read_raw_eeglab(path, preload=True, verbose="error")
        x = (raw.get_data().T * 1e6).astype("f4")
        out["eeg_asr eeglab_data"] = found(x, raw.info["sfreq"], raw.ch_names, None, None, 60.0)
    return out


def found(x, rate, names, places, montage, mains):
    """Judge one recording both ways."""
    info = StreamInfo.signal(rate, Channels.of(list(names), "eeg", "uV", places))
    valid = np.concatenate([b.valid for b in live(BadChannels(mains=mains), info, x, 64)])
    share = 1 - valid.mean(0)
    mine = {n: {"bad share": round(float(share[names.index(n)]), 3), "reasons": sorted({r for r, _ in v})}
            for n, v in said(info, x, mains=mains).items()}  # fmt: skip
    try:
        theirs = pyprep_bads(x, rate, list(names), montage)
        kinds = {n: [c for c, v in theirs.items() if n in v and c != "bad_all"] for n in theirs["bad_all"]}
    except (OSError, ValueError, IndexError) as e:
        kinds = {"none": f"{type(e).__name__}: {e}"}
    return {"seconds": len(x) / rate, "channels": len(names), "ranvier": mine, "pyprep": kinds}


def why(found):
    """Return channels and reasons in a cell."""
    return "; ".join(f"{n} {', '.join(r)}".strip() for n, r in found.items()) or "none"


def markdown(out):
    """Return the tables."""
    parts = []
    if "eeg" in out:
        rows = [(r["planted"], r["channel"], why(r["ranvier"]), why(r["pyprep"])) for r in out["eeg"]["rows"]]
        parts.append(page.table(("planted, 64 ch x 60 s", "where", "Ranvier", "pyprep"), *rows))
    if "probe" in out:
        keys = ("seed", "planted", "channel", "ranvier", "spikeinterface")
        rows = [[r[k] for k in keys] for r in out["probe"]["rows"]]
        parts.append(page.table(("seed", "planted, 384 ch x 5 s", "where", "Ranvier", "SpikeInterface"), *rows))
        parts.append(f"Other sites found bad, by either: {out['probe']['others by either']}.")
    costs = [("CPU time of one thread [s]", "Ranvier", "the package", "times")]
    if "eeg" in out:
        t = out["eeg"]["seconds per 60 s of 64 channels"]
        costs.append(("60 s of 64 ch, 250 Hz (pyprep)", t["ranvier"], t["pyprep"], t["pyprep"] / t["ranvier"]))
        costs.append(("60 s of 64 ch, 1 kHz", t["ranvier at 1 kHz"], "", ""))
    if "probe" in out:
        t = out["probe"]["seconds per 30 s of 384 channels"]
        for what, key in (("`share=0.2`", "ranvier"), ("all samples", "ranvier, all samples")):
            theirs = t["spikeinterface"]
            costs.append((f"30 s of 384 ch, 30 kHz, {what} (SpikeInterface)", t[key], theirs, theirs / t[key]))
    if len(costs) > 1:
        parts.append(page.table(*costs))
    if "recordings" in out:
        rows = [(name, f"{r['channels']} ch x {r['seconds']:.0f} s",
                 "; ".join(f"{n} {', '.join(v['reasons'])} ({100 * v['bad share']:.0f} %)"
                           for n, v in r["ranvier"].items()) or "none",
                 "; ".join(sorted(r["pyprep"])) or "none") for name, r in out["recordings"].items()]  # fmt: skip
        parts.append(page.table(("recording", "", "Ranvier (how much of the time)", "pyprep"), *rows))
    versions = ", ".join(f"{k} {v}" for k, v in out["versions"].items())
    return "\n\n".join([*parts, f"{versions}; load of the machine {out['load'][0]:.1f}."])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", nargs="?", const="-")
    parser.add_argument("--only", choices=["eeg", "probe", "recordings"])
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    import mne

    mne.set_log_level("error")
    out = {"versions": {p: version(p) for p in ("pyprep", "spikeinterface", "mne", "numpy")}, "load": os.getloadavg()}
    if given.only in (None, "eeg"):
        out["eeg"] = compare_eeg(given.rounds)
    if given.only in (None, "probe"):
        out["probe"] = compare_probe(given.rounds)
    if given.only in (None, "recordings"):
        out["recordings"] = recordings()
    if given.json:
        print(json.dumps(out, indent=1, default=str))
        return
    if given.markdown:
        page.show("channels", markdown(out), given.markdown)
        return
    for title, part in out.items():
        print(f"\n{title}")
        for key, value in part.items() if isinstance(part, dict) else [("", part)]:
            for row in value if isinstance(value, list) else [value]:
                print(
                    f"  {key}: "
                    + (", ".join(f"{k}={v}" for k, v in row.items()) if isinstance(row, dict) else f"{row}")
                )


if __name__ == "__main__":
    main()
