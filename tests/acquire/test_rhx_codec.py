"""RhxCodec against bytes written by hand, a naive decoder, python-intan's parser, and damage."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.acquire import Counters, RhxCodec
from ranvier.acquire._rhx_codec import block_dtype, encode_block
from ranvier.testing import check_codec

FRAMES = 128


def naive(data, words):
    """Read blocks as Intan's example client does: one number after another, with struct."""
    at, out = 0, []
    while at < len(data):
        (magic,) = struct.unpack_from("<I", data, at)
        assert magic == 0x2EF07A08
        at += 4
        for _ in range(FRAMES):
            (time,) = struct.unpack_from("<i", data, at)
            frame = struct.unpack_from(f"<{words}H", data, at + 4)
            out.append((time, *(w - 32768 for w in frame)))
            at += 4 + 2 * words
    return out


def stream(n_blocks, words, seed, first=0):
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 65536, (n_blocks * FRAMES, words)).astype(np.uint16)
    return raw, [encode_block((first + k) % 2**32, raw[k : k + FRAMES]) for k in range(0, len(raw), FRAMES)]


def fed(codec, pieces):
    return [packet for piece in pieces for packet in codec.feed(piece)]


def same(a, b):
    return len(a) == len(b) and all(
        p.start == q.start and np.array_equal(p.samples, q.samples) for p, q in zip(a, b, strict=True)
    )


def test_bytes_by_hand():
    # one channel, 128 frames: the magic number's bytes in little endian order, then time and word
    data = bytes([0x08, 0x7A, 0xF0, 0x2E])
    for k in range(FRAMES):
        data += bytes([k, 1, 0, 0]) + bytes([k, 0x80])  # time 256 + k; word 0x8000 + k: k steps above 0 V
    assert len(data) == 772  # Intan's example client: 181,420 bytes are 235 blocks of one channel
    assert 235 * block_dtype(1).itemsize == 181_420
    (packet,) = RhxCodec(1, rate=30_000.0).feed(data, arrival=7)
    assert packet.start == 256
    assert packet.arrival == 7
    assert packet.device == 256 / 30_000
    assert packet.samples.dtype == np.int16
    assert packet.samples[:, 0].tolist() == list(range(FRAMES))


@pytest.mark.parametrize("words", [1, 3, 64])
def test_equals_the_naive_decoder(words):
    _, blocks = stream(5, words, seed=11)
    codec = RhxCodec(words)
    packets = fed(codec, blocks)
    want = np.array(naive(b"".join(blocks), words))
    assert np.array_equal(np.concatenate([p.samples for p in packets]), want[:, 1:])
    assert [p.start for p in packets] == want[::FRAMES, 0].tolist()
    assert codec.counters == Counters(packets=5, samples=5 * FRAMES)


def test_equals_the_parser_of_python_intan():
    device = pytest.importorskip("intan.interface._rhx_device", reason="python-intan is not installed").IntanRHXDevice
    raw, blocks = stream(4, 6, seed=12)
    client = object.__new__(device)
    client.num_channels = 6
    theirs, times, consumed, _ = client.parse_emg_stream_fast(bytearray(b"".join(blocks)))
    packets = fed(RhxCodec(6), blocks)
    ours = np.concatenate([p.samples for p in packets])
    assert consumed == sum(map(len, blocks))
    assert np.array_equal(np.rint(theirs.T / 0.195).astype(int), ours)
    assert np.array_equal(times, np.arange(4 * FRAMES))
    assert np.array_equal(ours, raw.astype(int) - 32768)


def test_the_digital_word_keeps_its_bits():
    raw, blocks = stream(2, 3, seed=13)
    packets = fed(RhxCodec(3, digital=True), blocks)
    got = np.concatenate([p.samples for p in packets])
    assert np.array_equal(got[:, 2].view(np.uint16), raw[:, 2])
    assert np.array_equal(got[:, :2], raw[:, :2].astype(int) - 32768)


@given(st.data())
def test_any_cut_gives_the_same_packets(data):
    _, blocks = stream(4, 2, seed=14)
    whole = b"noise" + b"".join(blocks[:2]) + bytes(9) + b"".join(blocks[2:])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=30)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    one, many = RhxCodec(2), RhxCodec(2)
    assert same(one.feed(whole), fed(many, pieces))
    assert one.counters == many.counters
    assert one.counters.packets == 4
    assert one.counters.skipped == 14
    assert one.counters.damaged == 2


def test_byte_by_byte():
    _, blocks = stream(2, 1, seed=15)
    whole = b"".join(blocks)
    assert same(RhxCodec(1).feed(whole), fed(RhxCodec(1), [whole[i : i + 1] for i in range(len(whole))]))


def test_it_keeps_the_rules_of_codecs():
    _, blocks = stream(6, 2, seed=27)
    check_codec(lambda: RhxCodec(2), b"xx" + b"".join(blocks[i] for i in (0, 1, 3, 2, 2, 5)), [[5, 100, 2000]])


def test_every_truncation_gives_the_whole_blocks_before_it():
    _, blocks = stream(3, 1, seed=16)
    whole = b"".join(blocks)
    want = RhxCodec(1).feed(whole)
    for end in range(len(whole)):
        codec = RhxCodec(1)
        assert same(codec.feed(whole[:end]), want[: end // len(blocks[0])])
        assert codec.counters.damaged == 0


def test_a_flipped_bit_is_seen_or_stays_in_its_block():
    raw, blocks = stream(3, 2, seed=17)
    size, want = len(blocks[0]), raw.astype(int) - 32768
    for bit in np.random.default_rng(18).choice(size * 8, 600, replace=False):
        damaged = bytearray(b"".join(blocks))
        at = size + int(bit) // 8
        damaged[at] ^= 1 << (int(bit) % 8)
        codec = RhxCodec(2)
        packets = codec.feed(bytes(damaged))
        got = {p.start: p.samples for p in packets}
        assert np.array_equal(got[0], want[:FRAMES])
        assert np.array_equal(got[2 * FRAMES], want[2 * FRAMES :])
        inside = (at - size - 4) % 8  # a frame is 4 bytes of time and two words
        if at < size + 4 or inside < 4:  # magic number or time: the block is thrown away, and told
            assert FRAMES not in got
            assert codec.counters.damaged == 1
            assert codec.counters.skipped == size
            assert codec.counters.lost == FRAMES
        else:  # a sample: no check exists in this protocol; one number differs
            assert (got[FRAMES] != want[FRAMES : 2 * FRAMES]).sum() == 1


@given(st.binary(max_size=4000), st.integers(1, 5))
def test_noise_gives_nothing_and_holds_little(noise, words):
    codec = RhxCodec(words)
    magic = struct.pack("<I", 0x2EF07A08)
    packets = fed(codec, [noise, magic, noise])
    assert len(codec._held) < codec.dtype.itemsize
    assert all(p.samples.shape == (FRAMES, words) for p in packets)
    assert codec.counters.packets == len(packets)


def test_the_magic_number_among_the_samples_is_no_block():
    raw = np.full((2 * FRAMES, 2), 0x7A08, np.uint16)
    raw[:, 1] = 0x2EF0  # every frame has the four bytes of the magic number
    blocks = [encode_block(k, raw[k : k + FRAMES]) for k in (0, FRAMES)]
    codec = RhxCodec(2)
    (packet,) = fed(codec, [blocks[0][3:], blocks[1]])
    assert packet.start == FRAMES
    assert codec.counters == Counters(packets=1, samples=FRAMES, damaged=1, skipped=len(blocks[0]) - 3)


# the device's count --------------------------------------------------------------------------------


def test_burst_loss_is_a_gap():
    _, blocks = stream(10, 1, seed=19)
    codec = RhxCodec(1)
    packets = fed(codec, blocks[:3] + blocks[7:])
    assert [p.start // FRAMES for p in packets] == [0, 1, 2, 7, 8, 9]
    assert codec.counters == Counters(packets=6, samples=6 * FRAMES, gaps=1, lost=4 * FRAMES)


def test_a_counter_jump_inside_a_block_is_damage():
    _, blocks = stream(3, 1, seed=20)
    middle = np.frombuffer(blocks[1], block_dtype(1)).copy()
    middle["frames"]["time"][0, 64:] += 1000
    codec = RhxCodec(1)
    packets = fed(codec, [blocks[0], middle.tobytes(), blocks[2]])
    assert [p.start // FRAMES for p in packets] == [0, 2]
    assert codec.counters.damaged == 1


def test_duplicates_are_thrown_away():
    _, blocks = stream(5, 1, seed=21)
    codec = RhxCodec(1)
    packets = fed(codec, [blocks[i] for i in (0, 1, 1, 2, 0, 3, 4)])
    assert [p.start // FRAMES for p in packets] == [0, 1, 2, 3, 4]
    assert codec.counters == Counters(packets=5, samples=5 * FRAMES, duplicates=2 * FRAMES)


def test_late_blocks_are_thrown_away_and_told_apart():
    _, blocks = stream(6, 1, seed=22)
    codec = RhxCodec(1)
    packets = fed(codec, [blocks[i] for i in (0, 2, 3, 1, 1, 4, 5)])
    assert [p.start // FRAMES for p in packets] == [0, 2, 3, 4, 5]
    assert codec.counters == Counters(
        packets=5, samples=5 * FRAMES, gaps=1, lost=FRAMES, reordered=FRAMES, duplicates=FRAMES
    )


def test_the_count_wraps():
    first = 2**32 - 2 * FRAMES - 5
    raw, blocks = stream(5, 1, seed=23, first=first)
    codec = RhxCodec(1)
    packets = fed(codec, blocks)
    assert [p.start - first for p in packets] == [0, 128, 256, 384, 512]
    assert codec.counters == Counters(packets=5, samples=5 * FRAMES, wraps=1)
    assert np.array_equal(np.concatenate([p.samples for p in packets]), raw.astype(int) - 32768)


def test_a_device_that_begins_anew_is_noticed():
    _, old = stream(3, 1, seed=24, first=10**6)
    _, new = stream(20, 1, seed=25)
    codec = RhxCodec(1, rate=1000.0)  # a second of such blocks is needed
    fed(codec, old + new[:7])
    assert not codec.restarted
    assert fed(codec, new[7:9]) == []
    assert codec.restarted


def test_a_second_run_goes_on_behind_the_first():
    _, blocks = stream(2, 1, seed=26)
    codec = RhxCodec(1, base=5000)
    assert codec.next == 5000
    assert [p.start for p in fed(codec, blocks)] == [5000, 5128]
    assert codec.counters.gaps == 0
