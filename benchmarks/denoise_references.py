"""References, estimates and deskewing beside MNE and SpikeInterface: python benchmarks/denoise_references.py [--json]

First how far we are from them where they say the same (a mask that does not change), in single precision; then what a
lost electrode does to the others; then CPU time of the thread for 10 ms, in turns, medians. Needs mne, spikeinterface.
"""

import argparse
import json
import time
from importlib.metadata import version

import mne
import numpy as np
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
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

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


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    rows = [{"what": w, "largest": float(np.abs(d).max())} for f in (against_mne, against_spikeinterface, steps)
            for w, d in f()]  # fmt: skip
    rows += [{"what": w, "median_ms": a, "least_ms": b} for w, a, b in costs()]
    versions = {p: version(p) for p in ("mne", "spikeinterface", "numpy", "numba")}
    if as_json:
        print(json.dumps({"versions": versions, "rows": rows}, indent=1))
        return
    print(*(f"{p} {v}" for p, v in versions.items()), sep=", ")
    for row in rows:
        print(f"{row['what']:68s}", *(f"{v:.3g} ({k})" for k, v in row.items() if k != "what"), sep="  ")


if __name__ == "__main__":
    main()
