"""Profile: what kind of recording it is, and what it is therefore held against."""

from __future__ import annotations

from dataclasses import dataclass

from ranvier.channels import ChannelVerdicts
from ranvier.stream import Channels, StreamInfo

ELECTRODES = ("eeg", "ecog", "seeg", "dbs", "lfp", "spikes")
REFERENCES = ("eog", "emg", "motion", "ref")
SPIKE_RATE = 10_000.0  # from which on electrodes in the brain are recorded for their spikes [Hz]
SLOWEST, SLOWEST_SPIKES = 64.0, 7500.0  # rate that judging channels takes [Hz]
MASKED = ("lost",)  # the mask says so already, and where a filter settles it would hide what else is wrong
FIELD_IGNORES = ("uncorrelated", "unpredicted", "deviant", "lead-off")  # contacts in the brain need not be alike


@dataclass(frozen=True)
class Profile:
    """A kind of recording.

    Parameters
    ----------
    kind
        ``eeg``, ``field`` (ecog, seeg, dbs, lfp), ``spikes``, or ``none`` where there are no electrodes.
    rate
        Of the recording [Hz].
    electrodes, references, others
        Names of the channels that are cleaned, that may help to, and that are no signals.
    unit
        Of the electrodes, where all have the same; else empty.
    """

    kind: str
    rate: float
    electrodes: tuple[str, ...]
    references: tuple[str, ...]
    others: tuple[str, ...]
    unit: str

    @property
    def judged(self) -> bool:
        """Whether the rate allows to judge channels."""
        return bool(self.electrodes) and self.rate >= self.slowest

    @property
    def slowest(self) -> float:
        """Rate that judging channels takes [Hz]."""
        return SLOWEST_SPIKES if self.kind == "spikes" else SLOWEST

    def verdicts(self, mains: float) -> ChannelVerdicts:
        """Return what judges the channels; `BadChannels` with the same parameters marks them."""
        if self.kind == "spikes":
            band, noise = (300.0, 3000.0), 12000.0
            return ChannelVerdicts(band=band, noise=noise, mains=mains, ransac=0, share=0.2, ignore=MASKED)
        band = (1.0, min(40.0, 0.4 * self.rate))
        ignore = (*MASKED, *(FIELD_IGNORES if self.kind == "field" else ()))
        return ChannelVerdicts(band=band, mains=mains, ignore=ignore)

    @property
    def corner(self) -> float:
        """Frequency below which there is nothing but offset and drift [Hz]."""
        return 300.0 if self.kind == "spikes" else 0.5


def profile(info: StreamInfo) -> Profile:
    """Return what kind of recording a stream is."""
    c: Channels = info.channels
    electrodes = tuple(n for n, k in zip(c.names, c.kinds, strict=True) if k in ELECTRODES)
    references = tuple(n for n, k in zip(c.names, c.kinds, strict=True) if k in REFERENCES)
    kinds = {k for k in c.kinds if k in ELECTRODES}
    units = {u for u, k in zip(c.units, c.kinds, strict=True) if k in ELECTRODES}
    rate = float(info.rate)
    if not electrodes:
        kind = "none"
    elif "spikes" in kinds or (rate >= SPIKE_RATE and "eeg" not in kinds):
        kind = "spikes"
    else:
        kind = "eeg" if "eeg" in kinds else "field"
    others = tuple(n for n in c.names if n not in {*electrodes, *references})
    return Profile(kind, rate, electrodes, references, others, units.pop() if len(units) == 1 else "")
