"""Export to BIDS: an EDF or BDF file with its sidecars, made by MNE-BIDS, added to a data set."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ranvier.errors import ConfigError, FormatError, MissingExtraError
from ranvier.record import _export_edf
from ranvier.record._export_content import Content, Decided
from ranvier.record._export_scaling import scalings_of

if TYPE_CHECKING:
    from ranvier.record._export import Advance

_TYPES = {"eeg": "eeg", "eog": "eog", "emg": "emg", "ecg": "ecg", "ecog": "ecog", "lfp": "dbs", "trigger": "stim"}
_SHARED = ("participants.tsv", "participants.json", "dataset_description.json", "README", "README.md", "scans.tsv")
_KEPT = ("coordsystem.json", "electrodes.tsv", "electrodes.json")  # of a subject: what somebody measured stays


def write(
    content: Content,
    root: Path,
    force: bool,
    advance: Advance,
    *,
    subject: str = "",
    session: str = "",
    task: str = "",
    run: str = "",
    line_frequency: float | None = None,
) -> list[Path]:
    """Add a recording to a BIDS data set, or make one; return the files of the recording."""
    try:
        import mne
        import mne_bids
    except ImportError as error:
        raise MissingExtraError("Export to BIDS", "mne-bids", "export") from error
    who = content.recording.entities
    names = {
        "subject": _label("subject", subject or who.subject),
        "session": _label("session", session or who.session, needed=False),
        "task": _label("task", task or who.task),
        "run": "".join(re.findall(r"\d+", run or who.run)[-1:]).zfill(2) if re.search(r"\d", run or who.run) else None,
    }
    kinds = set(content.info.channels.kinds)
    if not kinds & {"eeg", "ecog", "lfp"}:
        raise FormatError(f"BIDS needs EEG, ECoG or LFP channels; got {', '.join(sorted(kinds))}. Export to NWB.")
    inside = bool(kinds & {"ecog", "lfp"})
    if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not (root / _SHARED[2]).is_file())):
        raise ConfigError(f"export to bids needs a new folder or a BIDS data set; {root} is neither. Name another.")
    root.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        aside = folder / "set"
        _take_along(root, aside)
        regular = [d for d in content.decided if _is_regular(d)]
        content.decided = [d for d in content.decided if not _is_regular(d)]
        wide = not inside and not all(s.exact for s in scalings_of(content, 16))
        file = folder / ("recording.bdf" if wide else "recording.edf")
        _export_edf.write(content, file, advance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what MNE misses in a header that a person did not fill in
            raw = (mne.io.read_raw_bdf if wide else mne.io.read_raw_edf)(file, verbose="error")
            _describe(raw, content, line_frequency)
            place = mne_bids.BIDSPath(root=aside, datatype="ieeg" if inside else "eeg", **names)
            made = mne_bids.write_raw_bids(raw, place, overwrite=True, verbose="error")
            raw.close()
            _refer(mne_bids, made, who.reference, who.ground, inside)
        for decided in regular:
            _physio(made, decided._replace(times=decided.times - content.first / content.rate))
        if any(p is not None for p in content.info.channels.positions):
            content.notes.append("Positions of electrodes are not written: BIDS needs their frame and landmarks.")
        return _move(aside, root, force)
    except OSError as e:
        raise FormatError(f"{root.name} could not be written: {e}. Free space, or choose another folder.") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _label(what: str, text: str, needed: bool = True) -> str | None:
    found = re.sub(r"[^a-zA-Z0-9]", "", text)
    if needed and not found:
        raise ConfigError(f"export to bids needs a {what}; the recording does not say it. Add --{what} NAME.")
    return found or None


def _is_regular(decided: Decided) -> bool:
    """Say whether an output comes at its rate, without a gap."""
    return bool(decided.rate and np.allclose(np.diff(decided.times) * decided.rate, 1, atol=1e-6))


def _describe(raw: Any, content: Content, line_frequency: float | None) -> None:
    """Tell MNE what it cannot read from the file: kinds of channels, mains, that the date is unknown."""
    kinds = [_TYPES.get(k, "misc") for k in content.info.channels.kinds]
    raw.set_channel_types(dict(zip(raw.ch_names, kinds, strict=True)), verbose="error")
    raw.info["line_freq"] = line_frequency
    if content.begin is None:
        raw.set_meas_date(None)


def _refer(mne_bids: Any, made: Any, reference: str, ground: str, inside: bool) -> None:
    """Write reference and ground into the sidecar."""
    kind = "iEEG" if inside else "EEG"
    said = {f"{kind}Reference": reference, f"{kind}Ground": ground}
    if said := {k: v for k, v in said.items() if v}:
        mne_bids.update_sidecar_json(made.copy().update(suffix=kind.lower(), extension=".json"), said, verbose="error")


def _physio(made: Any, decided: Decided) -> None:
    """Write an output of a graph as a recording of its own, beside the signal."""
    name = re.sub(r"[^a-zA-Z0-9]", "", decided.name) or "decisions"
    place = made.copy().update(recording=name, suffix="physio", extension=".tsv.gz", check=False)
    rows = ["\t".join("n/a" if np.isnan(v) else repr(v) for v in row) for row in decided.values.tolist()]
    with gzip.open(place.fpath, "wt", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")
    said: dict[str, Any] = {
        "SamplingFrequency": decided.rate, "StartTime": float(decided.times[0]), "Columns": list(decided.columns),
        **{c: {"Description": f"output {decided.name!r} of the graph", "Units": u if u != "1" else "arbitrary"}
           for c, u in zip(decided.columns, decided.units, strict=True)},
    }  # fmt: skip
    beside = place.fpath.with_name(place.fpath.name.removesuffix(".tsv.gz") + ".json")
    beside.write_text(json.dumps(said, indent=2), encoding="utf-8")


def _take_along(root: Path, aside: Path) -> None:
    """Copy what all recordings of a data set share, so that it grows instead of being replaced."""
    for path in root.rglob("*") if root.is_dir() else ():
        if path.is_file() and path.name.endswith(_SHARED) and ".git" not in path.parts:
            there = aside / path.relative_to(root)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, there)


def _move(aside: Path, root: Path, force: bool) -> list[Path]:
    """Put the files in their places; refuse to write over a recording."""
    files = [p.relative_to(aside) for p in sorted(aside.rglob("*")) if p.is_file()]
    files = [f for f in files if not (f.name.endswith(_KEPT) and (root / f).exists())]
    own = [f for f in files if not f.name.endswith(_SHARED)]
    if (there := [f for f in own if (root / f).exists()]) and not force:
        raise ConfigError(f"{root / there[0]} is there already. Say another run, or replace it with --force.")
    for f in files:
        (root / f).parent.mkdir(parents=True, exist_ok=True)
        os.replace(aside / f, root / f)
    return [root / f for f in own]
