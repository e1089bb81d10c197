"""Where the real recordings lie, and small files of each format written by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def shared():
    """Return the path of a real recording beside the checkout, or skip."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"{name} is not in ../shared/data")
        return path

    return find


def write_edf(path, signals, per_record, *, duration="1", labels=None, onsets=None, texts=(), kind="EDF", unit="uV"):
    """Write integers, one array a signal, as EDF or BDF; with `onsets` [s] of the records as EDF+D."""
    width = {"EDF": 2, "BDF": 3}[kind]
    n_records = len(signals[0]) // per_record[0]
    labels = labels or [f"C{i}" for i in range(len(signals))]
    per_record = list(per_record)
    low, high = (-32768, 32767) if kind == "EDF" else (-8388608, 8388607)
    reserved = b""
    tal = 30
    columns = [np.asarray(s).reshape(n_records, -1) for s in signals]
    if onsets is not None:
        labels = [*labels, f"{kind} Annotations"]
        per_record.append(tal)
        reserved = f"{kind}+D".encode()
    count = len(labels)

    def text(value, size):
        return str(value).encode("latin-1").ljust(size)

    head = (b"0       " if kind == "EDF" else b"\xffBIOSEMI") + text("X X X X", 80) + text("Startdate X X X X", 80)
    head += b"01.01.0112.00.00" + text(256 * (count + 1), 8) + reserved.ljust(44)
    head += text(n_records, 8) + text(duration, 8) + text(count, 4)
    for field, size in (
        (labels, 16),
        ([""] * count, 80),
        ([unit] * count, 8),
        ([low // 10] * count, 8),
        ([high // 10] * count, 8),
        ([low] * count, 8),
        ([high] * count, 8),
        ([""] * count, 80),
        (per_record, 8),
        ([""] * count, 32),
    ):
        head += b"".join(text(v, size) for v in field)
    body = b""
    for k in range(n_records):
        for column in columns:
            raw = column[k].astype("<i4").view("u1").reshape(-1, 4)[:, :width]
            body += raw.tobytes()
        if onsets is not None:
            body += (
                (f"+{onsets[k]}\x14\x14\0" + "".join(t for r, t in texts if r == k)).encode().ljust(tal * width, b"\0")
            )
    path.write_bytes(head + body)
    gain = (high // 10 - low // 10) / (high - low)
    return [np.asarray(s) * gain + (low // 10 - low * gain) for s in signals]


def write_xdf(path, streams):
    """Write streams: (id, name, type, format, rate, stamps, values, channel labels and units)."""

    def chunk(tag, content):
        return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content

    out = b"XDF:" + chunk(1, b"<info><version>1.0</version></info>")
    for key, name, kind, form, rate, _, values, channels in streams:
        desc = "".join(f"<channel><label>{n}</label><unit>{u}</unit></channel>" for n, u in channels)
        count = len(values[0]) if len(values) else 1
        out += chunk(
            2,
            struct.pack("<I", key)
            + (
                f"<info><name>{name}</name><type>{kind}</type><channel_count>{count}</channel_count>"
                f"<nominal_srate>{rate}</nominal_srate><channel_format>{form}</channel_format>"
                f"<desc><channels>{desc}</channels></desc></info>"
            ).encode(),
        )
    for key, _, _, form, _, stamps, values, _ in streams:
        for a in range(0, len(stamps), 50):
            part = list(zip(stamps, values, strict=True))[a : a + 50]
            content = struct.pack("<I", key) + b"\x04" + struct.pack("<I", len(part))
            for stamp, row in part:
                content += b"\x08" + struct.pack("<d", stamp)
                for v in row:
                    if form == "string":
                        content += b"\x04" + struct.pack("<I", len(v.encode())) + v.encode()
                    else:
                        content += np.asarray(v, {"float32": "<f4", "double64": "<f8", "int32": "<i4"}[form]).tobytes()
            out += chunk(3, content)
    for key, *_ in streams:
        out += chunk(6, struct.pack("<I", key) + b"<info><first_timestamp>0</first_timestamp></info>")
    path.write_bytes(out)


@pytest.fixture
def writers():
    """Return the writers of small EDF and XDF files."""
    return {"edf": write_edf, "xdf": write_xdf}
