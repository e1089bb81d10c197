"""record.open and record.streams: what kind of file it is, by content and by name, and who reads it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ranvier.errors import ConfigError, FormatError
from ranvier.record._reading import guarded
from ranvier.record._streams import StreamEntry
from ranvier.stream import Recording

# (module, name) of each built-in; where two fit, the first is taken
_BUILT_IN = (
    ("_edf", "EDF"),
    ("_edf", "BDF"),
    ("_mne", "FIF"),
    ("_mne", "BRAINVISION"),
    ("_mne", "EEGLAB"),
    ("_xdf", "XDF"),
    ("_bci2000", "BCI2000"),
    ("_openbci", "OPENBCI"),
    ("_percept", "PERCEPT"),
    ("_array", "NUMPY"),
    ("_array", "RAW"),
    ("_rvr", "RVR"),
)
_PARTNER = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set"}  # part of a recording -> the part to open


def formats() -> list[Any]:
    """Return every kind of file that can be opened: the built-in ones, then those of plug-ins.

    A plug-in that cannot be loaded is left out, with a warning that names it: it must not stop the others.
    """
    import warnings
    from importlib.metadata import entry_points  # 20 ms that importing this room need not cost

    known = [getattr(import_module(f"ranvier.record.{module}"), name) for module, name in _BUILT_IN]
    for point in entry_points(group="ranvier.formats"):
        try:
            kind = point.load()
            if not (callable(kind.sniff) and callable(kind.open) and all(isinstance(s, str) for s in kind.suffixes)):
                raise TypeError("sniff, open or suffixes are not what ranvier.record.Format says")
            known.append(kind)
        except Exception as error:  # whatever an installed package raises when it is imported
            warnings.warn(
                f"The format {point.name!r} ({point.value}) is left out, it cannot be loaded: "
                f"{type(error).__name__}: {error}. Mend or uninstall its package.",
                stacklevel=2,
            )
    return known


def _called(kind: Any) -> str:
    return str(getattr(kind, "name", type(kind).__name__))


def _sniffs(kind: Any, path: Path, head: bytes) -> bool:
    """Say whether a format knows the file; one whose test fails does not."""
    try:
        return bool(kind.sniff(path, head))
    except Exception:  # of a plug-in: a file of another kind must still open
        return False


def _which(path: Path) -> Any:
    """Return the format of a file, or say why there is none."""
    if path.is_dir():
        for kind in formats():
            if getattr(kind, "folder", False) and _sniffs(kind, path, b""):
                return kind
    if not path.is_file():
        hint = "is a pipe or a device" if path.exists() else "does not exist"
        if path.is_dir():
            hint = "is a folder without a recording's parts" if path.suffix == ".rvr" else "is a folder"
        raise FormatError(f"record.open needs a file; {str(path)!r} {hint}. Check the path.")
    with path.open("rb") as file:
        head = file.read(4096)
    lower = path.name.lower()
    known = [k for k in formats() if not getattr(k, "folder", False)]
    named = [k for k in known if lower.endswith(tuple(k.suffixes))]
    found = [k for k in known if _sniffs(k, path, head)]
    if both := [k for k in found if k in named]:
        return both[0]
    if named and found:
        raise FormatError(
            f"{path.name} is named like {_called(named[0])} but its first bytes are those of {_called(found[0])}. "
            f"Rename it to end in {found[0].suffixes[0]}."
        )
    if found:
        return found[0]
    begins = repr(head[:16]) if head else "no byte at all"
    if named:
        wanted = ", or ".join(f"{getattr(k, 'magic', 'its first bytes')} ({_called(k)})" for k in named)
        raise FormatError(
            f"{path.name} is not what its name says: it needs {wanted}; got {begins} at byte 0. "
            "It is damaged or misnamed; get a fresh copy."
        )
    if partner := _PARTNER.get(path.suffix.lower()):
        raise FormatError(f"{path.name} is one part of a recording. Open the {partner} file beside it.")
    raise FormatError(
        f"{path.name} is of no known kind ({begins} at byte 0). Known: "
        + ", ".join(f"{_called(k)} ({' '.join(k.suffixes)})" for k in known)
        + ". Convert it, or describe it in a JSON file (see record.from_array)."
    )


def open(path: str | Path, **options: Any) -> Recording:
    """Open a recording: what it is shows from its content, which must agree with its name.

    Parameters
    ----------
    path
        The file; the header where there are several (``.vhdr``, ``.set``).
    **options
        All: ``labels={"2": "13Hz"}``, new names for event labels. EDF, BDF, BrainVision, XDF, BCI2000,
        OpenBCI, raw and ``.rvr``: ``partial=True`` reads what is whole of a file that was cut short. EDF, BDF,
        XDF, Percept, ``.rvr``: ``stream=`` name, type or place, as `streams` lists them. XDF: ``rate=`` [Hz],
        ``unit=``, ``gap=`` [s]. BCI2000: ``states=`` globs, ``names=`` of the channels. Raw and NumPy:
        ``description=`` instead of the JSON file beside it, a mapping or a path, with the keys
        ``schema`` (1), ``rate``, ``names`` or ``n_channels``, ``dtype``, and if wanted ``kind``,
        ``unit``, ``scale``, ``offset`` (number x scale + offset is in unit), ``axes``
        (``"channel,time"``, ``"trial,time,channel"``), ``positions``, ``events``, ``entities``; in an
        ``.npz`` file ``data`` and ``labels`` name arrays.

    Returns
    -------
    Recording
        Lazy where the format allows it (``rec.lazy``); potentials in uV; ``rec.notes`` says what was
        converted, assumed and found.

    Raises
    ------
    FormatError
        Damaged, cut short, or not what its name says; with file, place and what to do.
    ConfigError
        An option that the format does not have.
    MissingExtraError
        The library that reads it is not installed.
    """
    path = Path(path)
    kind = _which(path)
    taken = inspect.signature(kind.open).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        for option in options:
            if option not in list(taken)[1:]:
                raise ConfigError(
                    f"{_called(kind)} has no option {option!r}; it takes {', '.join(list(taken)[1:]) or 'none'}. "
                    "Leave it out or correct its name."
                )
    notes: list[str] = []
    with guarded(path, notes, f"opening it as {_called(kind)}"):
        recording: Recording = kind.open(path, **options)
    if hasattr(recording, "notes"):
        recording.notes.extend(n for n in notes if n not in recording.notes)
    return recording


def streams(path: str | Path) -> list[StreamEntry]:
    """Return what a file holds: name, type, rate [Hz] (0: irregular), channels and samples of each stream."""
    path = Path(path)
    kind = _which(path)
    listed = getattr(kind, "streams", None)
    if listed is not None:
        with guarded(path, [], "listing its streams"):
            entries: Sequence[StreamEntry] = listed(path)
            return list(entries)
    recording = open(path, **({"partial": True} if "partial" in inspect.signature(kind.open).parameters else {}))
    info = recording.info
    return [StreamEntry(info.name, "signal", float(info.rate), info.n_channels, recording.n_samples)]
