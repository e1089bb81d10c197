"""An .rvr recording: what goes in comes out, while it grows, after a crash, through stock zarr, in its unit."""

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from ranvier import record
from ranvier.channels import Scale
from ranvier.errors import ConfigError, ContractError, FormatError, StateError
from ranvier.record import Stored, Writer
from ranvier.stage import Run
from ranvier.stream import Block, Channels, EventInfo, Events, Origin, StreamInfo, concatenate
from ranvier.testing import check_format

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")

RATE, WIDTH = 1000, 6
INFO = StreamInfo.signal(RATE, Channels.of(WIDTH, "ecog", "count"), name="raw", dtype="int16")


def counts(n, seed=1, dtype="int16", width=WIDTH):
    """A walk of whole numbers that wraps, so that differences do."""
    rng = np.random.default_rng(seed)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, (n, width), dtype, endpoint=True)


def write(path, x, blocks=(1, 7, 0, 64, 33), start=0, jump=None, **options):
    """Write samples in blocks of several sizes; `jump` = (place, samples missing there)."""
    with Writer(path, {"graph": "schema = 1\n"}, {"raw": Stored(INFO, 0.25, "uV")}, sync_seconds=0, **options) as w:
        feed(w, x, blocks, start, jump)


def feed(w, x, blocks=(1, 7, 0, 64, 33), start=0, jump=None, stream="raw"):
    at = k = 0
    while at < len(x):
        n = min(blocks[k % len(blocks)], len(x) - at)
        if jump and at < jump[0] < at + n:
            n = jump[0] - at
        shift = start + (jump[1] if jump and at >= jump[0] else 0)
        w.append(stream, x[at : at + n], at + shift, 10**9 + (at + n) * 10**6, (at + shift) / RATE)
        at, k = at + n, k + 1


def test_bits_and_units(tmp_path):
    x = counts(1234)
    write(tmp_path / "a.rvr", x)
    rec = record.open(tmp_path / "a.rvr")
    assert rec.info.channels.units == ("uV",) * WIDTH
    assert rec.n_samples == len(x)
    assert rec.closed
    assert not [n for n in rec.notes if "damaged" in n]
    np.testing.assert_array_equal(np.concatenate([b.samples for b in rec.raw("raw").blocks()]), x)
    np.testing.assert_array_equal(rec.read().data, x.astype(np.float32) * np.float32(0.25))
    check_format(tmp_path / "a.rvr")
    assert record.streams(tmp_path / "a.rvr") == [("raw", "signal", 1000.0, WIDTH, 1234)]


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_the_bits_of_scale(tmp_path, dtype):
    """A stage learned on the recording meets the same numbers live, behind `channels.Scale`."""
    gains = tuple((0.195 * (1 + np.arange(WIDTH) / 7)).tolist())
    info, x = INFO.but(dtype=np.dtype(dtype)), counts(500, dtype=dtype)
    with Writer(tmp_path / "a.rvr", {}, {"raw": Stored(info, gains, "uV")}, sync_seconds=0) as w:
        w.append("raw", x, 0, 1)
    live = Run(Scale(gains), info).push(Block(x, 0))
    np.testing.assert_array_equal(record.open(tmp_path / "a.rvr").read().data, live.data)


@pytest.mark.parametrize("codec", ["raw", "blosc", "delta"])
@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_codecs(tmp_path, codec, dtype):
    info, x = INFO.but(dtype=np.dtype(dtype)), counts(333, dtype=dtype)
    with Writer(tmp_path / "a.rvr", {}, {"raw": Stored(info, codec=codec)}, sync_seconds=0) as w:
        feed(w, x)
    got = np.concatenate([b.samples for b in record.open(tmp_path / "a.rvr").raw("raw").blocks()])
    np.testing.assert_array_equal(got, x)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (1, 5), (7, 1), (64, 64), (65, 129), (200, 3)])
def test_the_compiled_loops_do_what_numcodecs_does(dtype, rows, width):
    from numcodecs.delta import Delta

    from ranvier.kernels._delta import turn, turn_back

    x, out = counts(rows, rows, dtype, width), np.empty((width, rows), dtype)
    turn[dtype](x, out)
    np.testing.assert_array_equal(out.ravel(), Delta(dtype).encode(np.ascontiguousarray(x.T).ravel()))
    back = np.empty_like(x)
    turn_back[dtype](out, back)
    np.testing.assert_array_equal(back, x)


def test_large_chunks_come_back(tmp_path):
    info, x = INFO.but(rate=Fraction(30000), channels=Channels.of(64), shape=(64,)), counts(4000, width=64)
    with Writer(tmp_path / "a.rvr", {}, {"raw": Stored(info)}, sync_seconds=0) as w:
        feed(w, x)
    stream = record.open(tmp_path / "a.rvr").raw("raw")
    assert stream.index.kept.nbytes > 1 << 16
    np.testing.assert_array_equal(np.concatenate([b.samples for b in stream.blocks()]), x)


def test_it_is_readable_from_the_first_moment_and_while_it_grows(tmp_path):
    x, path = counts(1000), tmp_path / "a.rvr"
    w = Writer(path, {}, {"raw": Stored(INFO, 0.25, "uV")}, sync_seconds=0)
    rec = record.open(path)
    assert rec.n_samples == 0
    assert rec.read().n == 0
    assert list(rec.blocks(10)) == []
    assert any("it is being written" in n for n in rec.notes)
    seen = 0
    for k in range(0, 1000, 40):
        w.append("raw", x[k : k + 40], k, k)
        w.flush()
        rec = record.open(path)
        assert rec.n_samples >= max(seen, k + 40 - 50)  # a chunk holds 50 ms
        seen = rec.n_samples
        np.testing.assert_array_equal(rec.read().data, x[:seen].astype(np.float32) * np.float32(0.25))
    assert seen >= 950
    w.flush(-1)
    assert record.open(path).n_samples == 1000
    w.close()
    w.close()
    assert record.open(path).n_samples == 1000
    with pytest.raises(StateError, match="closed"):
        w.flush()


def test_jumps_of_the_index_stay_jumps(tmp_path):
    x = counts(600)
    write(tmp_path / "a.rvr", x, start=1000, jump=(301, 250))
    rec = record.open(tmp_path / "a.rvr")
    assert [(s.start, s.n) for s in rec.segments] == [(1000, 301), (1551, 299)]
    assert rec.raw("raw").stretches == [(1000, 1301), (1551, 1850)]
    np.testing.assert_array_equal(np.concatenate([b.samples for b in rec.raw("raw").blocks(19)]), x)
    check_format(tmp_path / "a.rvr")


def test_many_jumps_share_chunks(tmp_path):
    """Every third sample is missing: chunks stay full, as many as without."""
    x = counts(600)
    with Writer(tmp_path / "a.rvr", {}, {"raw": Stored(INFO)}, sync_seconds=0) as w:
        for k in range(0, 600, 2):
            w.append("raw", x[k : k + 2], k // 2 * 3, k)
    rec = record.open(tmp_path / "a.rvr")
    assert len(rec.segments) == 300
    assert len(np.unique(rec.raw("raw").index.records["chunk"])) == 12
    np.testing.assert_array_equal(np.concatenate([b.samples for b in rec.raw("raw").blocks()]), x)


def test_host_and_device_time_of_what_was_delivered(tmp_path):
    x = counts(200)
    with Writer(tmp_path / "a.rvr", {}, {"raw": Stored(INFO)}, sync_seconds=0) as w:
        for k in range(0, 200, 25):
            w.append("raw", x[k : k + 25], k, 10**9 + k, 5 + k / RATE)
    blocks = list(record.open(tmp_path / "a.rvr").raw("raw").blocks())
    assert [(b.start, b.arrival) for b in blocks] == [(k, 10**9 + k + 25) for k in range(0, 200, 50)]
    np.testing.assert_allclose([b.device for b in blocks], [5 + k / RATE for k in range(0, 200, 50)])


def test_notes_keep_numbers_texts_and_arrays(tmp_path):
    path = tmp_path / "a.rvr"
    table = np.zeros(3, [("sample", "<i8"), ("value", "<f4")])
    table["value"] = [1.5, np.nan, np.inf]
    with Writer(path, {}, {"raw": Stored(INFO)}, sync_seconds=0) as w:
        w.note("decision", "mi", 77, 5, {"p": 0.1 + 0.2, "bad": np.nan, "n": np.int64(3)}, {"t": table, "e": np.eye(2)})
        w.note("gap", "raw", 100, 6, {"missing": 12})
    head, decision, gap = record.open(path).log()
    assert head.kind == "head"
    assert (decision.kind, decision.stream, decision.sample, decision.host) == ("decision", "mi", 77, 5)
    assert decision.payload == {"p": 0.1 + 0.2, "bad": None, "n": 3}
    assert decision.arrays["t"].tobytes() == table.tobytes()
    np.testing.assert_array_equal(decision.arrays["e"], np.eye(2))
    assert gap.payload == {"missing": 12}
    assert [n.kind for n in record.open(path).log("gap")] == ["gap"]
    with (
        pytest.raises(ContractError, match="arrays of numbers"),
        Writer(tmp_path / "b.rvr", {}, {"raw": Stored(INFO)}, sync_seconds=0) as w,
    ):
        w.note("x", arrays={"o": np.array([object()])})


def test_notes_of_kind_event_are_events(tmp_path):
    path = tmp_path / "a.rvr"
    with Writer(path, {}, {"raw": Stored(INFO, 1.0, "uV")}, sync_seconds=0) as w:
        w.append("raw", counts(400), 0, 1)
        said = {"label": "left", "fraction": 0.25, "source": "keyboard", "duration": 10, "uncertainty": 0.002}
        w.note("event", "raw", 300, 1, said)
        w.note("event", "raw", 100, 2, {"label": "right", "source": "udp"})
        w.note("event", "another", 100, 2, {"label": "not here"})
    rec = record.open(path)
    table = rec.events.table
    assert table["sample"].tolist() == [100, 300]
    assert [rec.event_info.labels[c] for c in table["code"]] == ["right", "left"]
    assert [rec.event_info.sources[s] for s in table["source"]] == ["udp", "keyboard"]
    assert table[1]["fraction"] == 0.25
    assert len(rec.trials(["left", "right"], 0.0, 0.1).onset) == 2
    check_format(path)


def outputs():
    """Streams as graphs put them out: with masks, at events, and events themselves."""
    power = INFO.but(name="power", rate=Fraction(100), dtype=np.dtype("float32"))
    origin = Origin(source="raw", rate=Fraction(RATE), step=Fraction(0), span=100)
    epochs = StreamInfo(
        name="epochs", rate=Fraction(0), channels=INFO.channels, shape=(20, WIDTH), dtype=np.dtype("f8"), origin=origin
    )
    spikes = EventInfo.of(INFO, {0: "spike", 1: "lost"}, name="spikes")
    return power, epochs, spikes


def test_outputs_of_graphs_come_back_with_masks_and_instants(tmp_path):
    path, rng = tmp_path / "a.rvr", np.random.default_rng(3)
    power, epochs, spikes = outputs()
    x, valid = rng.normal(size=(57, WIDTH)).astype("f4"), rng.random((57, WIDTH)) < 0.7
    e, at = rng.normal(size=(5, 20, WIDTH)), np.array([100, 250, 251, 900, 2000])
    kept = {"raw": Stored(INFO), "power": Stored(power, masked=True), "epochs": Stored(epochs, masked=True)}
    with Writer(path, {}, kept | {"spikes": Stored(spikes)}, sync_seconds=0) as w:
        for a, b in ((0, 0), (0, 13), (13, 14), (14, 57)):
            w.append_block("power", Block(x[a:b], 40 + a, valid[a:b]))
            w.flush()
        w.append_block("epochs", Block(e, 0, None, at))
        w.append_events("spikes", Events.at([3, 5, 5], [0, 0, 1], stop=10))
        w.append_events("spikes", Events(10, 20))
        with pytest.raises(ContractError, match="append_block"):
            w.append("power", x, 97, 0)
        with pytest.raises(ContractError, match="no rate"):
            w.append_block("epochs", Block(e, 5))
        w.append("raw", counts(10), 0, 0)
    rec = record.open(path)
    assert rec.streams == ["raw", "power", "epochs", "spikes"]
    got = concatenate(list(rec.output("power")))
    assert got.start == 40
    np.testing.assert_array_equal(got.data, x)
    np.testing.assert_array_equal(got.valid, valid)
    got = concatenate(list(rec.output("epochs")))
    np.testing.assert_array_equal(got.data, e)
    np.testing.assert_array_equal(got.at, at)
    first, second = rec.output("spikes")
    assert first.table["code"].tolist() == [0, 0, 1]
    assert (second.start, second.stop, second.n) == (10, 20, 0)
    with pytest.raises(FormatError, match="graph put out"):
        record.open(path, stream="power")


def test_the_check_values_of_many_records_are_those_of_each():
    from ranvier.record._rvr_format import RECORD, crc32c, seals

    records = np.frombuffer(np.random.default_rng(1).bytes(RECORD.itemsize * 400), RECORD)
    each = [crc32c(r.tobytes()[:-4]) for r in records]
    assert seals(records).tolist() == each
    assert seals(records[:3]).tolist() == each[:3]
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4


def test_rotation_makes_segments_of_about_the_size(tmp_path):
    x, path = counts(5000), tmp_path / "a.rvr"
    write(path, x, segment_bytes=10_000)
    folders = sorted(p for p in (path / "part-000" / "00-raw").iterdir() if p.is_dir())
    assert len(folders) > 4
    assert all((f / "zarr.json").exists() for f in folders)
    assert all(10_000 <= (f / "c.0.0").stat().st_size < 11_500 for f in folders[:-1])
    np.testing.assert_array_equal(np.concatenate([b.samples for b in record.open(path).raw("raw").blocks()]), x)


def test_a_restarted_session_goes_on_in_the_same_recording(tmp_path):
    x, path = counts(500), tmp_path / "a.rvr"
    w = Writer(path, {}, {"raw": Stored(INFO)}, sync_seconds=0)  # never closed, as if killed
    w.append("raw", x[:330], 0, 0)
    w.flush(-1)
    with pytest.raises(StateError, match="another process"):
        Writer(path, {}, {"raw": Stored(INFO)}, resume=True)
    w._files.close(w._lock)  # as the system does when a process ends
    assert any("was interrupted" in n for n in record.open(path).notes)
    again = Writer(path, {}, {"raw": Stored(INFO)}, resume=True, sync_seconds=0)
    assert again.stops == {"raw": 330}
    with pytest.raises(ContractError, match="grow"):
        again.append("raw", x[330:], 329, 0)
    again.note("gap", "raw", 1330, payload={"missing": 1000})
    again.append("raw", x[330:], 1330, 0)
    again.close()
    rec = record.open(path)
    assert rec.raw("raw").stretches == [(0, 330), (1330, 1500)]
    np.testing.assert_array_equal(np.concatenate([b.samples for b in rec.raw("raw").blocks()]), x)
    assert [n.payload for n in rec.log("gap")] == [{"missing": 1000}]
    assert (path / "part-000" / "00-raw" / "000000" / "zarr.json").exists()  # the crashed one was sealed
    other = {"raw": Stored(INFO.but(rate=Fraction(500)))}
    with pytest.raises(ContractError, match="missing or differs"):
        Writer(path, {}, other, resume=True)


def test_the_head_says_what_was_given_and_one_instant_by_both_clocks(tmp_path):
    path = tmp_path / "a.rvr"
    given = {"graph": "schema = 1\n", "ids": {"model": "ab"}, "entities": {"subject": "S7", "device": "Cyton"}}
    with Writer(path, given, {"raw": Stored(INFO, 0.25, "uV")}, sync_seconds=0, clock=lambda: 123) as w:
        w.append("raw", counts(3), 0, 0)
    rec = record.open(path)
    assert {k: rec.head[k] for k in given} == given
    assert rec.head["clock"]["monotonic_ns"] == 123
    assert rec.entities.subject == "S7"
    assert json.loads((path / "part-000" / "head.json").read_text())["schema"] == 1
    with pytest.raises(ConfigError, match="takes graph"):
        Writer(tmp_path / "b.rvr", {"nonsense": 1}, {})


def test_what_cannot_be_recorded_is_refused_in_words(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.rvr"):
        Writer(tmp_path / "a.dat", {}, {})
    with pytest.raises(ContractError, match="gains for"):
        Writer(tmp_path / "a.rvr", {}, {"raw": Stored(INFO, (1.0, 2.0), "uV")})
    with pytest.raises(ContractError, match="without its unit"):
        Writer(tmp_path / "a.rvr", {}, {"raw": Stored(INFO, 1.0)})
    with pytest.raises(ContractError, match="uint16"):
        Writer(tmp_path / "a.rvr", {}, {"raw": Stored(INFO.but(dtype=np.dtype("u2")))})
    assert not (tmp_path / "a.rvr").exists()
    with Writer(tmp_path / "a.rvr", {}, {"raw": Stored(INFO)}, sync_seconds=0) as w:
        with pytest.raises(ContractError, match="int32"):
            w.append("raw", counts(5, dtype="int32"), 0, 0)
        with pytest.raises(ContractError, match="no signal 'x'"):
            w.append("x", counts(5), 0, 0)
    with pytest.raises(ConfigError, match="there already"):
        Writer(tmp_path / "a.rvr", {}, {"raw": Stored(INFO)})
    with pytest.raises(ConfigError, match="there is none"):
        Writer(tmp_path / "b.rvr", {}, {"raw": Stored(INFO)}, resume=True)
    with pytest.raises(FormatError, match="is a folder"):
        record.open(tmp_path)


ZARR = """
import sys, warnings
import numpy as np, zarr
warnings.simplefilter("ignore")
root = zarr.open_group(sys.argv[1], mode="r")
for name, array in root.members(max_depth=None):
    if isinstance(array, zarr.Array):
        said = array.attrs["ranvier"]["stretches"]
        x = array[:]
        np.save(sys.argv[2] + "/" + name.replace("/", "_") + ".npy", np.concatenate([x[r : r + n] for r, _, n in said]))
"""


@pytest.mark.parametrize("crashed", [False, True])
def test_stock_zarr_reads_the_same_files_bit_for_bit(tmp_path, crashed):
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    if int(zarr.__version__.split(".")[0]) < 3:
        pytest.skip(f"zarr {zarr.__version__} does not read Zarr v3; needs zarr >= 3")
    path, x, rng = tmp_path / "a.rvr", counts(777), np.random.default_rng(5)
    power, epochs, _ = outputs()
    wide = INFO.but(name="wide", dtype=np.dtype("int32"))
    kept = {
        "raw": Stored(INFO, 0.25, "uV"), "plain": Stored(INFO, codec="raw"), "wide": Stored(wide),
        "power": Stored(power, masked=True), "epochs": Stored(epochs, masked=True),
    }  # fmt: skip
    y, p, e = counts(777, 2, "int32"), rng.normal(size=(44, WIDTH)).astype("f4"), rng.normal(size=(3, 20, WIDTH))
    valid = rng.random(p.shape) < 0.5
    w = Writer(path, {}, kept, sync_seconds=0)
    feed(w, x, jump=(410, 99))
    feed(w, x, stream="plain")
    feed(w, y, stream="wide")
    w.append_block("power", Block(p, 0, valid))
    w.append_block("epochs", Block(e, 0, None, np.array([5, 6, 9])))
    if crashed:
        w.flush(-1)
        w._files.close(w._lock)
        with (path / "part-000" / "00-raw" / "000000" / "c.0.0").open("ab") as file:
            file.write(b"torn" * 99)
        Writer(path, {}, kept, resume=True, sync_seconds=0).close()
    else:
        w.close()
    done = subprocess.run(
        [sys.executable, "-c", ZARR, str(path), str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    wanted = {
        "00-raw": x, "01-plain": x, "02-wide": y, "03-power": p, "04-power-valid": valid, "05-epochs": e,
        "06-epochs-valid": np.ones(e.shape, bool), "07-epochs-at": np.array([5, 6, 9]),
    }  # fmt: skip
    for name, values in wanted.items():
        got = np.load(tmp_path / f"part-000_{name}_000000.npy")
        assert got.dtype == values.dtype
        np.testing.assert_array_equal(got, values)
