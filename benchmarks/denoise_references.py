"""References, estimates, deskewing and whitening beside MNE and SpikeInterface.

    python benchmarks/denoise_references.py [--json] [--markdown [PAGE]]

First how far we are from them where they say the same (a mask that does not change), in single precision; then what a
lost electrode does to the others; then CPU time of the thread for 10 ms, in turns, medians. Needs mne, spikeinterface.
"""

import argparse
import json
import os
import time
from importlib.metadata import version

import mne
import numpy as np
import page
import spikeinterface as si
import spikeinterface.preprocessing as sp
from probeinterface import Probe

from ranvier.channels import (
    CommonReference,
    Deskew,
    Interpolate,
    Laplacian,
    LocalReference,
    Reref,
    RobustReference,
)
from ranvier.denoise import Whiten
from ranvier.features import RejectSimultaneous
from ranvier.stage import Run, Samples
from ranvier.stream import EVENT, Block, Channels, EventInfo, Events, StreamInfo

SEED = 5303
RATE = 30_000
BAD = (3, 17, 40)
TURNS = 41


def flow(stage, info, x, ok=None):
    """Return what comes out of a stage for a whole recording."""
    return Run(stage, info).push(Block(x, 0, ok))


def head():
    """Return 64 positions of the 10-05 system with 20 uV of spatially smooth noise, and MNE's view of it."""
    montage = mne.channels.make_standard_montage("biosemi64")
    rng = np.random.default_rng(SEED)
    made = mne.create_info(montage.ch_names, 1000, "eeg")
    made.set_montage(montage)
    where = np.array([c["loc"][:3] for c in made["chs"]])
    near = np.exp(-((np.linalg.norm(where[:, None] - where[None], axis=2) / 0.06) ** 2))
    x = (20 * rng.standard_normal((2000, 64)) @ near).astype("f4")
    info = StreamInfo.signal(1000, Channels.of(montage.ch_names, positions=[tuple(p) for p in where.tolist()]))
    return info, x, mne.io.RawArray(x.T.astype("f8"), made, verbose=False)


def probe(n=384, rate=RATE, seconds=1.0):
    """Return two columns of contacts, 20 um apart, with a common mode and noise, and SpikeInterface's view of it."""
    rng = np.random.default_rng(SEED)
    where = np.column_stack([32.0 * (np.arange(n) % 2), 20.0 * (np.arange(n) // 2)])
    x = 10 * rng.standard_normal((round(seconds * rate), n)) + 30 * rng.standard_normal((round(seconds * rate), 1))
    made = Probe(ndim=2, si_units="um")
    made.set_contacts(positions=where, shapes="circle", shape_params={"radius": 6})
    made.set_device_channel_indices(np.arange(n))
    recording = si.NumpyRecording(x.astype("f4"), rate)
    recording = recording.set_probe(made) or recording  # older releases return a new one
    places = [(a * 1e-6, b * 1e-6, 0.0) for a, b in where.tolist()]
    return StreamInfo.signal(rate, Channels.of(n, "spikes", positions=places)), x.astype("f4"), recording


def against_mne():
    """Yield (what, differences)."""
    info, x, raw = head()
    ok = np.ones(x.shape, bool)
    ok[:, BAD] = False
    good = np.setdiff1d(np.arange(64), BAD)
    origin = (0.0, 0.0, 0.0)
    plain = raw.copy().set_eeg_reference("average", projection=False, verbose=False).get_data().T
    yield "RobustReference, MNE set_eeg_reference('average')", flow(RobustReference(), info, x).data - plain
    yield "CommonReference, the same", flow(CommonReference(), info, x).data - plain
    pairs = (("C3", "Cz"), ("C4", "Cz"))
    named = mne.set_bipolar_reference(raw, ["C3", "C4"], ["Cz", "Cz"], verbose=False).get_data(["C3-Cz", "C4-Cz"]).T
    yield "Reref bipolar, MNE set_bipolar_reference", flow(Reref("bipolar", pairs=pairs), info, x).data - named
    raw.info["bads"] = [info.channels.names[i] for i in BAD]
    raw.interpolate_bads(origin=origin, verbose=False)
    found = raw.get_data().T
    ours = flow(Interpolate(centre=origin), info, x, ok).data
    yield "Interpolate spline, MNE interpolate_bads", ours - found
    raw.set_eeg_reference("average", projection=False, verbose=False)
    robust = flow(RobustReference(centre=origin), info, x, ok).data
    average = flow(CommonReference(), info, x, ok).data
    yield "RobustReference, both after each other (3 bad)", (robust - raw.get_data().T)[:, good]
    yield "CommonReference, both after each other (3 bad)", (average - raw.get_data().T)[:, good]


def against_spikeinterface():
    """Yield (what, differences)."""
    info, x, recording = probe()
    ring = LocalReference(inner=30e-6, outer=55e-6, neighbours=5)
    theirs = sp.common_reference(
        recording, reference="local", operator="average", local_radius=(30, 55), min_local_neighbors=5
    ).get_traces()
    yield "LocalReference, common_reference('local')", flow(ring, info, x).data - theirs
    ok = np.ones(x.shape, bool)
    ok[:, BAD] = False
    theirs = sp.interpolate_bad_channels(recording, list(BAD), sigma_um=20.0).get_traces()
    ours = flow(Interpolate("gaussian", sigma=20e-6, least=1), info, x, ok).data
    yield "Interpolate gaussian, interpolate_bad_channels", ours - theirs
    order = (np.arange(384) // 2 % 12).tolist()
    late = np.array(order) / 12
    t = np.arange(len(x))[:, None] / RATE
    rng = np.random.default_rng(SEED)
    for low, high in ((300, 6000), (6000, 10_000), (10_000, 13_000)):
        tones = rng.uniform(low, high, 40)
        phase = rng.uniform(0, 2 * np.pi, 40)
        sampled, true = (
            sum(np.sin(2 * np.pi * f * (t + shift / RATE) + p) for f, p in zip(tones, phase, strict=True))
            for shift in (late[None], np.zeros((1, 1)))
        )
        shifted = sp.phase_shift(si.NumpyRecording(sampled, RATE), inter_sample_shift=late).get_traces()
        wide = info.but(dtype=np.dtype("f8"))
        ours = flow(Deskew.mux(order, 12, RATE), wide, sampled).data[31:]
        inside = slice(2000, -2000)  # their margins
        rms = np.sqrt(np.mean(true**2))
        yield f"Deskew, phase_shift, {low}-{high} Hz, of rms", (ours - shifted[16:-15])[inside] / rms
        yield f"Deskew, the truth, {low}-{high} Hz, of rms", (ours - true[16:-15])[inside] / rms
        yield f"phase_shift, the truth, {low}-{high} Hz, of rms", (shifted - true)[inside] / rms


def shared_noise(n=384, seconds=1.0):
    """Return a probe whose noise neighbours share, SpikeInterface's view of it, and that noise's covariance."""
    info, x, recording = probe(n, seconds=seconds)
    rng = np.random.default_rng(SEED)
    near = 0.7 ** (np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / 2)
    mix = np.linalg.cholesky(near) * 10
    x = (rng.standard_normal(x.shape) @ mix.T).astype("f4")
    made = si.NumpyRecording(x, RATE)
    made = made.set_probe(recording.get_probe()) or made
    return info, x, made, mix @ mix.T


def fitted(info, x, **how):
    """Return a whitening stage learned from all samples."""
    return Whiten(**how).fit_samples(info, Samples(x=x, y=np.zeros(len(x)), stretch=np.zeros(len(x), np.int64)))


def whitening():
    """Yield (what, differences): where definitions agree, and what is left of the noise where spikes were learned from.

    Theirs goes through the same samples, all of them; spikes are 0.5 ms of -150 uV, 20 a second on every channel.
    """
    info, x, made, noise = shared_noise(64, 2.0)
    whole = {"num_chunks_per_segment": 1, "chunk_size": len(x), "seed": 0}
    theirs = sp.whiten(made, dtype="float32", mode="global", **whole).get_traces()
    yield "Whiten (no threshold), whiten global", flow(fitted(info, x, threshold=1e5, floor=0.0), info, x).data - theirs
    theirs = sp.whiten(made, dtype="float32", mode="local", radius_um=45.0, **whole).get_traces()
    ours = flow(fitted(info, x, threshold=1e5, floor=0.0, neighbours=8), info, x).data
    inside = slice(4, -4)  # the ends of the probe have fewer within a radius
    yield "Whiten 8 nearest, whiten local 45 um, but the ends", (ours - theirs)[:, inside]
    rng, spiky = np.random.default_rng(SEED), x.copy()
    for c in range(64):
        for at in rng.integers(20, len(x) - 40, 40):
            spiky[at : at + 15, c] -= 150
    made = si.NumpyRecording(spiky, RATE)
    away = np.eye(64)
    left = fitted(info, spiky).matrix
    yield "Whiten, noise left correlated, spikes in the calibration", left @ noise @ left.T - away
    left = sp.whiten(made, dtype="float32", mode="global", **whole)._kwargs["W"]
    left = np.array(left).T
    yield "whiten, the same", left @ noise @ left.T - away


def artefacts():
    """Yield (what, shares [%]): what `RejectSimultaneous` leaves out of a scene in which it is known what each is.

    64 channels, 20 s: neurons of 5 spikes a second on each, 20 of them seen on 8 neighbours too; 40 artefacts on 40
    channels, jitter of 0.1 ms.
    """
    rng, n, length = np.random.default_rng(SEED), 64, 20 * RATE
    rows = []  # sample, channel, what: 0 neuron, 1 neuron seen by neighbours, 2 artefact
    for c in range(n):
        rows += [(t, c, 0) for t in rng.integers(0, length, 100)]
    for first in rng.integers(0, n - 8, 20):
        rows += [(t + k % 2, first + k, 1) for t in rng.integers(0, length - 9, 100) for k in range(8)]
    for t in rng.integers(0, length - 9, 40):
        rows += [(t + rng.integers(0, 4), c, 2) for c in rng.choice(n, 40, replace=False)]
    rows = sorted({(t, c): (t, c, what) for t, c, what in rows}.values())
    table = np.zeros(len(rows), EVENT)
    table["sample"], table["source"], what = np.array(rows).T
    info = EventInfo.of(StreamInfo.signal(RATE, n), {0: "spike"}, sources=tuple(f"AP{i}" for i in range(n)))
    run = Run(RejectSimultaneous(), info)
    kept = run.push(Events(0, length + 100, table)).table
    there = {(e["sample"], e["source"]) for e in kept}
    gone = np.array([(t, c) not in there for t, c, _ in rows])
    for k, name in enumerate(("spikes of neurons", "spikes that 8 neighbours see", "artefacts on 40 of 64 channels")):
        yield f"RejectSimultaneous leaves out of {name} [%]", np.array(100 * gone[what == k].mean())


def steps():
    """Yield (what, jumps from sample to sample of the healthy electrodes), while one is lost and comes back."""
    info, x, _ = head()
    x = (x * 0.02 + np.random.default_rng(SEED).standard_normal(64) * 1000).astype("f4")  # offsets, little else
    ok = np.ones(x.shape, bool)
    ok[500:1200, 31] = False
    good = np.arange(64) != 31
    stages = {
        "CommonReference": CommonReference(),
        "RobustReference, fade 0": RobustReference(fade=0.0),
        "RobustReference, fade 50 ms": RobustReference(),
        "CommonReference, median": CommonReference("median"),
        "Laplacian, fade 0": Laplacian(fade=0.0),
        "Laplacian, fade 50 ms": Laplacian(),
        "nothing": Interpolate(fade=0.0, mark=True),
    }
    for name, stage in stages.items():
        out = flow(stage, info, x, ok)
        yield f"step [uV]: {name}", np.diff(out.data[:, good], axis=0)


def costs():
    """Yield (what, ms of CPU for 10 ms of data: median, least)."""
    grid = [(0.0004 * (i % 32), 0.0004 * (i // 32), 0.0) for i in range(1024)]
    rng = np.random.default_rng(SEED)
    for rate in (1000, RATE):
        info = StreamInfo.signal(rate, Channels.of(1024, "ecog", positions=grid))
        n = rate // 100
        x = (20 * rng.standard_normal((n, 1024))).astype("f4")
        dead, flicker = np.ones(x.shape, bool), rng.random(x.shape) > 1e-4
        dead[:, 5] = False
        stages = {
            "LocalReference (ring, 11 neighbours)": LocalReference(inner=0.0006, outer=0.00101),
            "Laplacian (4)": Laplacian(),
            "RobustReference (none)": RobustReference("none"),
            "CommonReference": CommonReference(),
            "Interpolate (gaussian)": Interpolate("gaussian"),
            "Deskew (32 taps)": Deskew(tuple(i % 13 / 13 / rate for i in range(1024))),
        }
        runs, taken = {}, {}
        for name, stage in stages.items():
            for what, v in (("all valid", None), ("one lost", dead), ("flicker 1e-4", flicker)):
                runs[name, what], taken[name, what] = (Run(stage, info), v), []
        for k in range(TURNS):
            for key, (run, v) in runs.items():
                block = Block(x, k * n, v)
                before = time.thread_time()
                run.step(block)
                taken[key].append(1e3 * (time.thread_time() - before))
        for (name, what), ms in taken.items():
            yield f"1,024 ch, {rate} Hz: {name}, {what}", float(np.median(ms[5:])), float(min(ms))
    info, x, made, _ = shared_noise()
    stages = {"all": fitted(info, x, threshold=1e5), "9 nearest": fitted(info, x, threshold=1e5, neighbours=9)}
    theirs = sp.whiten(made, dtype="float32", mode="global")
    runs, taken = {k: Run(s, info) for k, s in stages.items()}, {k: [] for k in ("all", "9 nearest", "SpikeInterface")}
    for k in range(TURNS):
        begin, end = 300 * (k % 90), 300 * (k % 90 + 1)
        for name, run in runs.items():
            before = time.thread_time()
            run.step(Block(x[begin:end], 300 * k))
            taken[name].append(1e3 * (time.thread_time() - before))
        before = time.thread_time()
        theirs.get_traces(start_frame=begin, end_frame=end)
        taken["SpikeInterface"].append(1e3 * (time.thread_time() - before))
    for name, ms in taken.items():
        yield f"384 ch, 30000 Hz: Whiten, {name}", float(np.median(ms[5:])), float(min(ms))


def markdown(found):
    """Return the tables."""
    first = [(r["what"], r["largest"]) for r in found["rows"] if "largest" in r]
    parts = [page.table(("what against what", "largest difference [uV, or of rms]"),
                        *(r for r in first if "step" not in r[0] and "[%]" not in r[0] and "noise left" not in r[0]
                          and r[0] != "whiten, the same"))]  # fmt: skip
    others = [r for r in first if "step" in r[0] or "[%]" in r[0] or "noise left" in r[0] or r[0] == "whiten, the same"]
    parts.append(page.table(("what", "figure"), *others))
    costs = [r for r in found["rows"] if "median_ms" in r]
    parts.append(page.table(("CPU time of 10 ms of data [ms]", "median", "least"),
                            *((r["what"], r["median_ms"], r["least_ms"]) for r in costs)))  # fmt: skip
    versions = ", ".join(f"{k} {v}" for k, v in found["versions"].items())
    return "\n\n".join([*parts, f"{versions}; load of the machine {found['load'][0]:.1f}."])


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", nargs="?", const="-")
    given = parser.parse_args()
    parts = (against_mne, against_spikeinterface, whitening, steps, artefacts)
    rows = [{"what": w, "largest": float(np.abs(d).max())} for f in parts for w, d in f()]
    rows += [{"what": w, "median_ms": a, "least_ms": b} for w, a, b in costs()]
    versions = {p: version(p) for p in ("mne", "spikeinterface", "numpy", "numba")}
    found = {"versions": versions, "load": os.getloadavg(), "rows": rows}
    if given.json:
        print(json.dumps(found, indent=1))
        return
    if given.markdown:
        page.show("references", markdown(found), given.markdown)
        return
    print(*(f"{p} {v}" for p, v in versions.items()), sep=", ")
    for row in rows:
        print(f"{row['what']:68s}", *(f"{v:.3g} ({k})" for k, v in row.items() if k != "what"), sep="  ")


if __name__ == "__main__":
    main()
