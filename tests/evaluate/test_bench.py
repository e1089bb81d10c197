"""Benchmarks: outputs agree, everybody gets the same blocks in turns, figures add up. No time is asserted."""

import gc
import json
import os
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from ranvier.errors import ConfigError, RanvierError
from ranvier.evaluate.bench import BENCHES, Options, eeg, implant, markdown
from ranvier.evaluate.bench import _eeg as eeg_bench
from ranvier.evaluate.bench import _implant as implant_bench
from ranvier.evaluate.bench import _implant_cores as implant_cores
from ranvier.evaluate.bench import _implant_job as implant_job
from ranvier.evaluate.bench import _implant_masked as implant_masked
from ranvier.evaluate.bench._data import NOISE, RATE, make_eeg, make_implant
from ranvier.evaluate.bench._machine import limits, machine
from ranvier.evaluate.bench._options import same
from ranvier.evaluate.bench._timing import Contender, Timing, in_turns, most_turns, part_length
from ranvier.stage import Run
from ranvier.stream import Block

SEED = 5
NEEDS = {"scipy": "scipy", "ezmsg": "ezmsg.event", "brainflow": "brainflow", "spikeinterface": "spikeinterface"}


def need(peer: str) -> None:
    for module in (NEEDS[peer].partition(".")[0], NEEDS[peer]):
        if find_spec(module) is None:
            pytest.skip(f"{peer} is not installed (benchmarks/peers.txt)")


@pytest.fixture(scope="module")
def job() -> implant_job.Job:
    return implant_job.Job.of(64, 2.4, SEED)


@pytest.fixture(scope="module")
def eeg_job() -> eeg_bench.Job:
    return eeg_bench.Job.of(8, 24, SEED)


def test_the_data_is_what_it_says():
    a, b = make_implant(128, 1.0, SEED), make_implant(128, 1.0, SEED)
    assert a.counts.dtype == np.int16
    assert a.counts.shape == (RATE, 128)
    assert np.array_equal(a.counts, b.counts)
    assert not np.array_equal(a.counts, make_implant(128, 1.0, SEED + 1).counts)
    assert 10 < a.spikes / 128 < 40
    filtered = Run(implant_job.filters(), implant_job.describe(128)).push(Block(a.counts, 0)).data[1000:]
    noise = np.median(np.abs(filtered), axis=0) / 0.6745  # spikes and the shared part hardly show
    assert np.allclose(noise, NOISE, rtol=0.15)


def test_eeg_data_is_made_from_its_seed():
    a, b = make_eeg(4, 12, SEED), make_eeg(4, 12, SEED)
    assert np.array_equal(a.potentials, b.potentials)
    assert a.onset.tolist() == [0, 4000, 8000]
    assert set(make_eeg(4, 40, SEED).label.tolist()) == {"left", "right"}


@pytest.mark.parametrize("peer", ["scipy", "ezmsg", "brainflow"])
@pytest.mark.parametrize("block", [30, 600, 250])
def test_implant_peers_give_our_outputs(job, peer, block):
    need(peer)
    (found,) = implant_bench.verify(job, [peer], block)
    if peer != "brainflow":
        assert found["spikes_per_s"] > 10  # there was something to agree on


def test_spikeinterface_gives_our_filtered_signal(job):
    need("spikeinterface")
    (found,) = implant_bench.verify(job, ["spikeinterface"], RATE)
    assert found["filtered"] < 1e-3


def test_scipy_counts_the_same_for_every_cut(job):
    x = job.counts[:RATE]
    whole, cut = (implant_bench.collect(job.scipy(job.running()), x, n)[0] for n in (RATE, 77))
    assert np.array_equal(whole[:, :64], cut[:, :64])


def test_outputs_that_differ_are_not_timed(job):
    slow = replace(job, decoder=replace(job.decoder, noise=job.decoder.noise * 3))

    class Wrong(implant_job.Job):
        def scipy(self, noise):
            return slow.scipy(noise)

    wrong = Wrong(job.info, job.counts, job.velocity, job.decoder, job.threshold)
    with pytest.raises(RanvierError, match="velocity"):
        implant_bench.verify(wrong, ["scipy"], 600)
    with pytest.raises(RanvierError, match="counts"):
        implant_bench._compare(*[(np.ones((60, 4)) * k, np.ones((60, 2))) for k in (1, 2)])
    with pytest.raises(RanvierError, match=r"benchmarks/peers\.txt"):
        same("anything", np.nan, 1.0)


def test_the_decoder_follows_the_movement(job):
    assert implant_bench.quality(job) > 0.8


@pytest.mark.parametrize("peer", ["scipy", "ezmsg"])
@pytest.mark.parametrize("block", [10, 100, 33])
def test_eeg_peers_give_our_scores(eeg_job, peer, block):
    need(peer)
    (found,) = eeg_bench.verify(eeg_job, [peer], block)
    assert found["windows"] > 30


def test_eeg_decisions_are_better_than_chance(eeg_job):
    assert eeg_bench.accuracy(eeg_job) > 0.6


def test_everybody_gets_the_same_blocks_in_turns():
    x = np.arange(1000, dtype=np.int16)[:, None] * np.ones(3, np.int16)
    seen: list[tuple[str, int, int, int]] = []

    def made(name):
        return lambda: lambda part, start: seen.append((name, start, len(part), int(part[0, 0])))

    contenders = [Contender(n, made(n)) for n in ("a", "b")]
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    timings = in_turns(contenders, x, 10, 3, 40)
    assert part_length(1000, 10, 3, 40) == 240
    assert [most_turns(n, 10, 7, 40) for n in (1000, 320, 80)] == [7, 7, 1]
    for name in "ab":
        mine = [(start, n, first) for who, start, n, first in seen if who == name]
        assert mine == [(a, 10, a) for a in range(0, 960, 10)]
        assert len(timings[name].cpu) == 3  # the first turn only warms up
        assert all(len(b) == 24 and (b >= 0).all() for b in timings[name].blocks)
    order = [who for i, (who, *_) in enumerate(seen) if i % 24 == 0]
    assert order == ["a", "b"] * 4
    assert gc.get_freeze_count() == 0
    assert cores is None or os.sched_getaffinity(0) == cores


def test_figures_add_up():
    ours = Timing([0.1, 0.3, 0.2], [np.full(100, 1e-3)])
    theirs = Timing([0.3, 0.6, 0.6], [np.full(100, 4e-3)])
    row = ours.row(30_000, 100, 30_000.0)
    assert row["ns_per_sample"] == pytest.approx(0.2 / 3e6 * 1e9)
    assert row["real_time"] == pytest.approx(5)
    assert row["core_percent"] == pytest.approx(20)
    assert row["p50_us"] == row["p999_us"] == pytest.approx(1000)
    assert row["spread"] == pytest.approx(1)
    assert theirs.ratio(ours) == pytest.approx(3)  # the median of 3, 2, 3


def test_the_yardsticks_compute_what_they_say():
    from ranvier.kernels._limits import multiply_add, read
    from ranvier.kernels._states import address

    rng = np.random.default_rng(SEED)
    k, x = rng.uniform(0.1, 0.9, (2, 16)).astype(np.float32)
    memory = np.concatenate([k, x, np.zeros(16, np.float32)])
    multiply_add(address(memory), 400)
    assert np.allclose(memory[32:], 8 * x / (1 - k), rtol=1e-4)  # eight series, each at its limit
    numbers, total = rng.integers(0, 9, 64 * 50).astype(np.float32), np.zeros(16, np.float32)
    read(address(numbers), 50, address(total))
    assert np.array_equal(total, numbers.reshape(-1, 16).sum(axis=0))
    assert all(v > 0 for v in limits(1).values())


def test_implant_from_end_to_end():
    options = Options(channels=64, seconds=2.4, turns=2, block_ms=(5.0,), peers=("scipy",), seed=SEED, masked=False)
    told: list[str] = []
    found = json.loads(json.dumps(implant(options, told.append)))
    assert [r["who"] for r in found["rows"]] == ["ranvier", "ranvier, its loop alone", "scipy + numpy"]
    assert found["rows"][0]["times_ours"] == 1
    assert found["profile"][0]["part"] == "all"
    assert any("comparing" in t for t in told)
    text = markdown(found)
    assert "| 5 | scipy + numpy |" in text
    assert "counts" in text
    assert f"Seed {SEED}." in text
    assert found["machine"]["scipy"]


def test_the_loop_alone_gives_our_features(job):
    push, run = job.loop(), Run(implant_job.front(), job.info)
    for a in range(0, 3000, 150):
        first, n = push(job.counts[a : a + 150], a)[:2]
        out = run.step(Block(job.counts[a : a + 150], a))
        assert (first, n) == (out.start, out.n)


@pytest.mark.parametrize("width", [1, 64])
def test_one_percent_lies_at_the_rail(job, width):
    counts = np.tile(job.counts, (1, 2))
    bad = implant_masked.spoil(counts, width, SEED) == implant_masked.RAIL
    assert 0.007 < bad.mean() <= 0.0101  # stretches may lie on one another
    assert (np.diff(bad.astype(int), axis=0) == 1).any(axis=0).sum() > 64
    together = bad.reshape(len(bad), -1, 64).any(axis=2).mean()
    assert together == pytest.approx(bad.mean()) if width == 64 else together > 0.3


def test_invalid_samples_give_what_the_plain_path_gives(job, monkeypatch):
    entries = implant_masked.contenders(job, SEED)
    assert [c.name for c in entries][1:] == [
        "ranvier, Integrity, 1 % at the rail, channel by channel",
        "ranvier, Integrity, 1 % at the rail, amplifier by amplifier",
    ]
    implant_masked.verify_masked(job, entries, 77, 0.9)
    assert "RANVIER_FUSE" not in os.environ
    spoilt = Run(implant_masked.guarded(implant_job.filters()), job.info).push(Block(entries[1].data[:RATE], 0))
    assert not spoilt.valid.all()  # there was something to agree on
    through, calls = implant_masked._through, []

    def wrong(*given):  # every second time, which is the plain path
        calls.append(given)
        values, masks = through(*given)
        return values, masks ^ (len(calls) % 2 == 0)

    monkeypatch.setattr(implant_masked, "_through", wrong)
    with pytest.raises(RanvierError, match="stage by stage"):
        implant_masked.verify_masked(job, entries, 77, 0.9)


def test_cores_are_compared_by_their_features(job):
    rows = implant_cores.cores(job.counts[:3000], 2, 1, (128,))
    assert [(r["channels"], r["cores"]) for r in rows] == [(128, 2)]
    text = markdown({**_nothing(), "cores": rows})
    assert "| 128 | 1 |" in text


def test_what_scripts_measured_has_tables_too():
    timing = {"ns_per_sample": 0.5, "p50_us": 1.0, "p99_us": 2.0, "p999_us": 3.0}
    c = {"who": "C", "block_ms": 1.0, "of_limit": 0.6, "times_c": 1.0, **timing}
    assert "| 1 | C | 0.500 | 60.0 | 1 / 2 / 3 | 1.00 |" in markdown({**_nothing(), "kind": "c", "rows": [c]})
    grown = {"what": "a|b", "least": 0.5, "least_at": 9000, "first": 2, "first_at": 1, "last": 1, "last_at": 65536}
    text = markdown({**_nothing(), "kind": "growth", "rows": [grown]})
    assert r"| a\|b | 0.50 | 9,000 | 2.00 (1) | 1.00 (65,536) |" in text
    assert "\n\n\n" not in text


def _nothing():
    busy = {"others_percent": 0.0, "steal_percent": 0.0, "load_before": 0.0, "load_after": 0.0}
    return {"kind": "eeg", "rows": [], "accuracy": 1.0, "notes": [], "busy": busy, "machine": {"cpu": "a|b"}, "seed": 0}


def test_blocks_are_copied_next_to_the_cpu():
    x, other = (np.arange(200_000, dtype=np.int16)[:, None] * np.ones(32, np.int16) + k for k in (0, 7))
    seen: dict[str, list[np.ndarray]] = {"a": [], "b": []}
    contenders = [
        Contender("a", lambda: lambda part, start: seen["a"].append(part.copy())),
        Contender("b", lambda: lambda part, start: seen["b"].append(part.copy()), data=other),
    ]
    in_turns(contenders, x, 1000, 1, 1000)
    assert np.array_equal(np.concatenate(seen["a"]), x)  # more than fits there at a time
    assert np.array_equal(np.concatenate(seen["b"]), other)


def test_eeg_from_end_to_end():
    options = Options(channels=8, seconds=1.0, turns=2, block_ms=(10.0,), peers=("scipy",), seed=SEED)
    found = json.loads(json.dumps(eeg(options)))
    assert [r["who"] for r in found["rows"]] == ["ranvier", "scipy + pyriemann"]
    assert "scores" in markdown(found)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"channels": 0}, "channels"),
        ({"turns": -1}, "turns"),
        ({"seconds": 0.0}, "seconds"),
        ({"block_ms": (0.0,)}, "block_ms"),
        ({"peers": ("matlab",)}, "among scipy"),
    ],
)
def test_impossible_sizes_are_refused(wrong, says):
    with pytest.raises(ConfigError, match=says):
        Options(**wrong)


def test_impossible_jobs_are_refused():
    with pytest.raises(ConfigError, match="whole samples"):
        Options(block_ms=(0.01,)).blocks((1.0,), 30_000)
    with pytest.raises(ConfigError, match="more seconds"):
        most_turns(1000, 600, 1, 600)
    with pytest.raises(ConfigError, match="multiple of 64"):
        implant_job.describe(100)


def test_peers_that_are_missing_are_named():
    known = {"scipy": ("scipy",), "ezmsg": ("ezmsg", "no-such-thing")}
    there, notes = Options(peers=("brainflow", "ezmsg", "scipy")).usable_peers(known)
    assert there == ["scipy"]
    assert "pip install ezmsg no-such-thing" in notes[0]
    assert "brainflow does not do this job" in notes[1]


def test_all_are_listed():
    assert list(BENCHES) == ["implant", "eeg", "clean", "fbcca", "ring", "record", "running", "session"]
    assert machine("scipy")["numpy"] == np.__version__
