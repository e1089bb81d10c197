"""What names say: units, kinds of channels, whose recording it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from ranvier.stream import Entities

_MICROVOLTS = {
    **dict.fromkeys(("v", "volt", "volts"), 1e6),
    **dict.fromkeys(("mv", "millivolt", "millivolts"), 1e3),
    **dict.fromkeys(("uv", "µv", "μv", "muv", "microvolt", "microvolts"), 1.0),
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), 1e-3),
}

_KINDS = (
    ("eog", r"[hv]?eog"),
    ("emg", r"emg"),
    ("ecg", r"e[ck]g"),
    ("ecog", r"ecog|grid|strip"),
    ("lfp", r"lfp|dbs|stn|gpi|seeg"),
    ("trigger", r"status|sti|stim|trig|trigger|triggers|marker|markers|digital"),
    ("motion", r"acc|accel|gyro|mov|motion|force|grip"),
    ("misc", r"resp|airflow|temp|spo2|pleth|gsr|eda|analog|battery|counter"),
    ("eeg", r"eeg"),
)
_TEN_TWENTY = re.compile(
    r"(fp|af|f|fc|ft|c|t|cp|tp|p|po|o|i|n)(z|[0-9]{1,2}h?)|a[12]|m[12]|nz", re.IGNORECASE
)  # 10-20, 10-10 and 10-5 sites, ear lobes and mastoids

_BIDS = {"sub": "subject", "ses": "session", "run": "run", "task": "task"}
_PHYSIONET = re.compile(r"S(\d{3})R(\d{2})")  # EEG Motor Movement/Imagery Database: S001R04.edf


def to_microvolts(unit: str) -> float | None:
    """Return the uV in one `unit`, None where it is no unit of potential."""
    return _MICROVOLTS.get(unit.strip().lower())


def kind_of(name: str, default: str) -> str:
    """Return the kind of channel that a name stands for, `default` where it says nothing."""
    words = [w for w in re.split(r"[^a-z]+", re.sub(r"\d+", " ", name.lower())) if w]
    for kind, pattern in _KINDS:
        if any(re.fullmatch(pattern, w) for w in words):
            return kind
    return "eeg" if _TEN_TWENTY.fullmatch(name.strip(" .")) else default


def unique_names(names: Sequence[str], notes: list[str]) -> list[str]:
    """Return the names with dots and blanks at their ends cut, empty ones filled, and twins numbered; notes say so."""
    clean = [n.strip(" .") or f"ch{i:03d}" for i, n in enumerate(names)]
    if any(n.strip() != c for n, c in zip(names, clean, strict=True)):
        notes.append("Dots at the end of channel names were cut, empty names filled.")
    taken: set[str] = set()
    for i, name in enumerate(clean):
        k = 1
        while clean[i] in taken:
            clean[i] = f"{name}-{k}"
            k += 1
        taken.add(clean[i])
        if k > 1:
            notes.append(f"Channel name {name!r} occurs more than once; channel {i} is called {clean[i]!r}.")
    return clean


def exact_rate(rate: float | str | Fraction) -> Fraction:
    """Return a rate [Hz] as the simple fraction that its decimal or binary number stands for."""
    exact = Fraction(rate)
    return exact.limit_denominator(10**6) if isinstance(rate, float) else exact


def entities_of(path: Path, **header: str) -> Entities:
    """Return whose recording it is: by BIDS or PhysioNet names in the path, else by its `header`."""
    found: dict[str, str] = {}
    extra: dict[str, str] = {}
    for part in (path.stem, *(p.name for p in list(path.parents)[:4])):
        for key, value in re.findall(r"(?:^|_)([a-zA-Z]+)-([^_\s]+)", part):
            if key in _BIDS:
                found.setdefault(_BIDS[key], value)
            elif part == path.stem:
                extra.setdefault(key, value)
    if match := _PHYSIONET.fullmatch(path.stem):
        found.setdefault("subject", f"S{match[1]}")
        found.setdefault("run", f"R{match[2]}")
    given = {k: v for k, v in header.items() if v}
    return Entities(**{**given, **found}, extra=extra if "subject" in found else {})
