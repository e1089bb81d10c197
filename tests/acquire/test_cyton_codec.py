"""CytonCodec: every fault of a radio link has a stated outcome, and no cut of the bytes changes one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.acquire import CytonCodec, Mark
from tests.acquire.cyton_bytes import counts_of, packet, samples_of, stream, told

MS4 = 4_000_000  # ns: one packet


def decode(data, codec=None):
    codec = codec or CytonCodec()
    return (*samples_of(codec.feed(data)), codec.counters)


def test_whole_stream_with_wraps_and_extremes():
    data, counts = stream(range(1000))
    index, samples, counters = decode(data)
    # out of step at first: a packet counts once another header follows it
    assert np.array_equal(index, np.arange(1000))
    assert samples.dtype == np.int32
    assert np.array_equal(samples, counts[:1000])
    assert told(counters) == {"packets": 1000, "samples": 1000, "wraps": 3}
    ends = packet(0, (-(2**23), 2**23 - 1, -1, 0, 1, 255, 256, -256)) + packet(1)
    assert decode(ends)[1][0].tolist() == [-(2**23), 2**23 - 1, -1, 0, 1, 255, 256, -256]


def test_the_counter_need_not_begin_at_zero():
    data, _ = stream(range(250, 270))
    index, _, counters = decode(data)
    assert np.array_equal(index, np.arange(250, 270))
    assert told(counters) == {"packets": 20, "samples": 20, "wraps": 1}


FAULTS = {
    "counter jump": ([0, 1, 2, 10, 11, 12], [0, 1, 2, 10, 11, 12], {"gaps": 1, "lost": 7}),
    "jump across the wrap": ([254, 255, 259, 260], [254, 255, 259, 260], {"gaps": 1, "lost": 3, "wraps": 1}),
    "two jumps in a row": ([0, 1, 4, 8, 9], [0, 1, 4, 8, 9], {"gaps": 2, "lost": 5}),
    "duplicate": ([0, 1, 1, 2, 3], [0, 1, 2, 3], {"duplicates": 1}),
    "old duplicate": ([0, 1, 2, 3, 1, 4, 5], [0, 1, 2, 3, 4, 5], {"duplicates": 1}),
    "duplicate behind a jump": ([0, 1, 4, 4, 5], [0, 1, 4, 5], {"duplicates": 1, "gaps": 1, "lost": 2}),
    "out of order": ([0, 1, 3, 2, 4, 5], [0, 1, 2, 4, 5], {"reordered": 1, "gaps": 1, "lost": 1}),
    "late by two": ([0, 1, 3, 4, 2, 5], [0, 1, 3, 4, 5], {"reordered": 1, "gaps": 1, "lost": 1}),
    "burst loss": ([0, 1, 200, 201, 202], [0, 1, 200, 201, 202], {"gaps": 1, "lost": 198}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name):
    sent, kept, expected = FAULTS[name]
    data, counts = stream(sent)
    index, samples, counters = decode(data)
    assert index.tolist() == kept
    assert np.array_equal(samples, counts[kept])
    assert told(counters) == {"packets": len(kept), "samples": len(kept), **expected}


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_in_the_counter_costs_at_most_its_sample_and_a_neighbour(bit):
    numbers = list(range(300))
    data, counts = stream(numbers)
    at = 100 * 33 + 1
    data = data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
    index, samples, counters = decode(data)
    assert set(numbers) - set(index.tolist()) <= {99, 100, 101}
    assert np.array_equal(samples[index < 99], counts[:99])
    assert np.array_equal(samples[index > 101], counts[102:300])  # nothing is out of its place
    assert counters.damaged + counters.reordered + counters.duplicates >= 1
    assert counters.gaps == 1


def test_bytes_lost_and_bytes_between():
    data, counts = stream(range(20))
    torn = data[: 5 * 33 + 7] + data[5 * 33 + 8 :]  # one byte of packet 5 is gone
    index, samples, counters = decode(torn)
    assert index.tolist() == [*range(5), *range(6, 20)]
    assert np.array_equal(samples, counts[index])
    assert told(counters) == {"packets": 19, "samples": 19, "damaged": 1, "skipped": 32, "gaps": 1, "lost": 1}
    text = data[: 5 * 33] + b"Failure: x$$$" + data[5 * 33 :]
    index, _, counters = decode(text)
    assert index.tolist() == list(range(20))
    assert told(counters) == {"packets": 20, "samples": 20, "damaged": 1, "skipped": 13}


@given(st.lists(st.integers(1, 32 * 33), max_size=12), st.binary(max_size=40), st.sampled_from([False, True]))
def test_any_cut_gives_the_same(cuts, noise, daisy):
    data, _ = stream([0, 1, 2, 3, 5, 6, 7, 7, 8, 10, 9, 11, 12, 13, *range(40, 80)])
    data = data[:400] + noise + data[400:]
    places = sorted({0, len(data), *(c % len(data) for c in cuts)})
    whole, parts = CytonCodec(daisy), CytonCodec(daisy)
    expected = samples_of(whole.feed(data))
    got = samples_of([p for a, b in pairwise(places) for p in parts.feed(data[a:b])])
    assert np.array_equal(got[0], expected[0])
    assert np.array_equal(got[1], expected[1])
    assert parts.counters == whole.counters


@given(st.binary(max_size=400))
def test_random_bytes_leave_a_bounded_rest_and_a_working_codec(noise):
    codec = CytonCodec()
    codec.feed(noise)
    assert len(codec._rest) <= 34
    data, _ = stream(range(1000, 1100))
    index, _ = samples_of(codec.feed(data))
    assert len(index) >= 97  # the last two may still be doubted, the first one merged with noise
    assert np.all(np.diff(index) > 0)


def test_every_truncation_and_bit_flip_is_told_or_stays_in_its_sample():
    data, counts = stream(range(12), seed=3)
    for stop in range(len(data)):
        index, samples, _ = decode(data[:stop])
        whole = stop // 33
        assert whole - 1 <= len(index) <= whole
        assert np.array_equal(samples, counts[index])
    rng = np.random.default_rng(4)
    for place in rng.integers(0, len(data) * 8, 2000):
        byte, bit = divmod(int(place), 8)
        hurt = data[:byte] + bytes([data[byte] ^ (1 << bit)]) + data[byte + 1 :]
        index, samples, counters = decode(hurt)
        wrong = [i for i, s in zip(index, samples, strict=True) if not np.array_equal(s, counts[i])]
        assert len(wrong) <= 1
        if wrong:  # the flip lies in the numbers of that very sample
            assert wrong[0] == byte // 33
            assert 2 <= byte % 33 < 26
        elif len(index) < 12:
            last = byte // 33 >= 10  # nothing follows that could tell
            assert (
                last or counters.damaged + counters.reordered + counters.duplicates + counters.gaps + counters.skipped
            )
            assert len(index) >= 9


def test_silence_tells_how_often_the_counter_ran_round():
    for lost in (10, 200, 245, 255, 256, 300, 1000, 5000):
        codec = CytonCodec()
        first, _ = stream(range(10))
        codec.feed(first + packet(10), arrival=MS4)
        start = 11 + lost
        later = b"".join(packet(n) for n in range(start, start + 5))
        index, _ = samples_of(codec.feed(later, arrival=MS4 + (lost + 5) * MS4))
        more = samples_of(codec.feed(packet(start + 5), arrival=MS4 + (lost + 6) * MS4))[0]
        assert [*index, *more] == list(range(start, start + 6))
        assert (codec.counters.gaps, codec.counters.lost) == (1, lost)


def test_a_stall_that_lost_nothing_moves_nothing():
    codec = CytonCodec()
    codec.feed(stream(range(10))[0] + packet(10), arrival=MS4)
    index, _ = samples_of(codec.feed(b"".join(packet(n) for n in range(11, 811)), arrival=801 * MS4))
    assert index.tolist() == list(range(11, 811))
    assert codec.counters.gaps == 0


def test_a_stall_whose_buffer_overflowed_puts_the_gap_where_it_is():
    codec = CytonCodec()
    codec.feed(stream(range(10))[0] + packet(10), arrival=MS4)
    kept = [*range(11, 135), *range(900, 910)]  # what a buffer of 4 KiB held, and what comes now
    index, _ = samples_of(codec.feed(b"".join(packet(n) for n in kept), arrival=900 * MS4))
    assert index.tolist() == kept
    assert (codec.counters.gaps, codec.counters.lost) == (1, 765)


def test_unplugged_and_back():
    codec = CytonCodec()
    codec.feed(stream(range(100))[0] + packet(100), arrival=101 * MS4)
    codec.resume()
    index, _ = samples_of(codec.feed(b"".join(packet(n) for n in range(6)), arrival=1101 * MS4))
    assert index[-1] - 100 in (1000, 1001)  # parity is kept, so that halves of a Daisy stay in their places
    assert np.all(np.diff(index) == 1)
    assert codec.counters.gaps == 1


def daisy_stream(numbers, counts):
    """Even packets carry channels 9 to 16, odd ones 1 to 8, of sample number // 2."""
    return b"".join(packet(n, counts[n // 2][8:] if n % 2 == 0 else counts[n // 2][:8]) for n in numbers)


def test_daisy_pairs_its_halves():
    counts = counts_of([400], 16)
    codec = CytonCodec(daisy=True)
    index, samples = samples_of(codec.feed(daisy_stream(range(600), counts)))
    assert np.array_equal(index, np.arange(300))
    assert np.array_equal(samples, counts[:300])
    assert told(codec.counters) == {"packets": 600, "samples": 300, "wraps": 2}


@pytest.mark.parametrize("missing", [6, 7])
def test_daisy_loses_the_sample_of_which_a_half_is_missing(missing):
    counts = counts_of([20], 16)
    codec = CytonCodec(daisy=True)
    index, samples = samples_of(codec.feed(daisy_stream([n for n in range(20) if n != missing], counts)))
    assert index.tolist() == [0, 1, 2, *range(4, 10)]
    assert np.array_equal(samples, counts[index])
    assert told(codec.counters) == {"packets": 19, "samples": 9, "gaps": 1, "lost": 1}


def test_auxiliary_bytes():
    aux = np.array([-5, 300, 32767], ">i2").tobytes()
    codec = CytonCodec(aux="accel")
    _, samples = samples_of(codec.feed(packet(0, range(8), aux) + packet(1)))
    assert samples[0].tolist() == [*range(8), -5, 300, 32767]
    stamped = CytonCodec().feed(packet(0, aux=b"\0\0\0\0\x03\xe8", footer=0xC4) + packet(1))
    assert stamped[0].device == 1.0
    assert np.isnan(CytonCodec().feed(packet(0) + packet(1))[0].device)


def test_lines_of_the_digital_mode_are_marks():
    states = [bytes(6), b"\1\0\0\0\0\0", b"\1\0\0\0\0\0", b"\0\0\0\1\0\1"]
    codec = CytonCodec(aux="digital")
    found = codec.feed(b"".join(packet(n, aux=a, footer=0xC1) for n, a in enumerate([*states, states[-1]])), arrival=7)
    marks = [m for m in found if isinstance(m, Mark)]
    assert marks == [
        Mark(1.0, "D11 on", 1.0, 7), Mark(3.0, "D11 off", 0.0, 7),
        Mark(3.0, "D17 on", 1.0, 7), Mark(3.0, "D18 on", 1.0, 7),
    ]  # fmt: skip
