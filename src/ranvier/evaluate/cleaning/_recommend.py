"""recommend: look at a recording, say what is wrong with it, and propose the stages that this justifies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ranvier.channels import Pick
from ranvier.denoise import Integrity
from ranvier.errors import ConfigError
from ranvier.evaluate.cleaning import _findings as say
from ranvier.evaluate.cleaning._draft import Declined, Draft, Proposed
from ranvier.evaluate.cleaning._findings import Finding
from ranvier.evaluate.cleaning._judge import Verdicts, judge
from ranvier.evaluate.cleaning._look import Look, look
from ranvier.evaluate.cleaning._profile import Profile, profile
from ranvier.evaluate.cleaning._propose_channels import channels, lost_ones, montage
from ranvier.evaluate.cleaning._propose_filters import entrance, line, slow, spike_band
from ranvier.evaluate.cleaning._propose_filters import stimulation as stimulated
from ranvier.evaluate.cleaning._propose_tried import artefacts, references
from ranvier.evaluate.cleaning._rails import rails
from ranvier.evaluate.cleaning._stimulation import measured, suspected
from ranvier.stage import Recipe, Stage, chain, dump_pipeline, need_signal
from ranvier.stream import Recording, StreamInfo

Told = Callable[[float, str], None]
FASTEST = 1e5  # nothing stimulates faster, and the search for the period takes as long as the frequency is high [Hz]


@dataclass(frozen=True, eq=False)
class Recommendation:
    """What was found in a recording, and the pipeline that it justifies.

    Parameters
    ----------
    info, known
        The recording's signal, and what kind of recording it is.
    findings
        What was measured, each held against a threshold.
    proposed
        Stages in the order of the data's way, each with its reason.
    declined
        Stages that were thought of and are not proposed, each with its reason.
    verdicts
        When which electrode is bad; None where that could not be judged.
    seen
        Levels, spectrum, mains and blinks, as one pass found them.
    """

    info: StreamInfo
    known: Profile
    findings: tuple[Finding, ...]
    proposed: tuple[Proposed, ...]
    declined: tuple[Declined, ...]
    verdicts: Verdicts | None
    seen: Look | None

    @property
    def pipeline(self) -> Stage:
        """What runs: everything in it is fitted on the recording."""
        return chain(*[p.runs for p in self.proposed])

    @property
    def learned(self) -> bool:
        """Whether something in it was learned, which a TOML file cannot hold."""
        return any(p.stage is not p.runs for p in self.proposed)

    @property
    def recipe(self) -> Any:
        """What is written down: the pipeline before anything was learned."""
        return Recipe(tuple(p.stage for p in self.proposed)) if self.learned else self.pipeline

    @property
    def clean(self) -> bool:
        """Whether no fault was found."""
        return not any(f.level == "fault" for f in self.findings)

    @property
    def summary(self) -> str:
        """One sentence."""
        faults = [f for f in self.findings if f.level == "fault"]
        stages = [p.name.rpartition(".")[2] for p in self.proposed if not isinstance(p.stage, Integrity)]
        unknown = [f.topic for f in self.findings if f.level == "unknown"]
        unjudged = f" Not judged: {', '.join(dict.fromkeys(unknown))}." if unknown else ""
        if not faults:
            return f"Nothing was found that cleaning would mend: the entrance alone is proposed.{unjudged}"
        what = ", ".join(dict.fromkeys(f.topic if f.topic != "channels" else "bad channels" for f in faults))
        doing = f"{', '.join(stages)} {'is' if len(stages) == 1 else 'are'} proposed" if stages else (
            "no stage beyond the entrance is justified")  # fmt: skip
        return f"Found: {what}; {doing}.{unjudged}"

    def costs(self) -> list[tuple[float, float]]:
        """Return of each proposed stage the delay and the settle that it adds [s]."""
        out, delay, settle, info = [], 0.0, 0.0, self.info
        for p in self.proposed:
            info = p.runs.describe(info)
            out.append((float(info.delay) - delay, info.settle / self.known.rate - settle))
            delay, settle = float(info.delay), info.settle / self.known.rate
        return out

    def toml(self) -> str:
        """Return the pipeline as TOML, each reason in a comment above."""
        lines = [f"# {n}. {p.name}: {_one_line(p.reason)}" for n, p in enumerate(self.proposed, 1)]
        return "\n".join(lines) + "\n" + dump_pipeline(self.recipe)

    def as_table(self) -> dict[str, Any]:
        """Return plain values with stable keys."""
        costs = self.costs()
        return {
            "kind": self.known.kind,
            "clean": self.clean,
            "summary": self.summary,
            "findings": [f.as_table() for f in self.findings],
            "proposed": [
                {"use": p.name, "reason": p.reason, "delay": d, "settle": s}
                for p, (d, s) in zip(self.proposed, costs, strict=True)
            ],
            "declined": [{"use": d.name, "reason": d.reason} for d in self.declined],
            "pipeline_id": self.pipeline.id,
        }


def recommend(recording: Recording, *, stimulation: float | None = None, told: Told | None = None) -> Recommendation:
    """Look at a recording, say what is wrong with it, and propose the stages that this justifies.

    It is read several times in blocks; memory does not grow with its length (beyond some numbers a second and channel,
    and what ASR learns from). Channels are judged by `channels.ChannelVerdicts`, mains by what `denoise.LineNoise`
    follows; stages that learn or adapt (ASR, RLS, PARRM, CommonReference) are tried on the recording, and proposed
    only where they take enough off it.

    Parameters
    ----------
    recording
        What `record.open` returned, or any `stream.Recording`.
    stimulation
        Frequency of stimulation as set [Hz]; None to look for it.
    told
        Called with samples read and what is being done.

    Examples
    --------
    >>> import numpy as np
    >>> from ranvier.record import from_array
    >>> noise = np.random.default_rng(1).standard_normal((5000, 4)).astype("f4")
    >>> recommend(from_array(noise, 250, ["C3", "Cz", "C4", "Pz"])).proposed[0].name
    'denoise.Integrity'
    """
    info = need_signal("recommend", recording.info)
    if stimulation is not None and not (_is_number(stimulation) and 0 < stimulation <= FASTEST):
        got = f"{stimulation:g} Hz" if _is_number(stimulation) else repr(stimulation)
        raise ConfigError(
            f"recommend needs stimulation > 0 Hz and up to {FASTEST:g} Hz; got {got}. Give it as set, or leave it out."
        )
    doing = ["looking"]

    def advance(samples: float) -> None:
        if told is not None:
            told(samples, doing[0])

    known = profile(info)
    seconds = recording.n_samples / known.rate
    findings = [say.of_kind(info, known, seconds)]
    if known.kind == "none":
        first = Proposed(Integrity(), Integrity(), "turns what is missing into a mask; costs nothing")
        unknown = Finding("electrodes", "unknown", "no electrode among its channels: nothing else was judged")
        return Recommendation(info, known, (*findings, unknown), (first,), (), None, None)
    seen = look(recording, known, advance)
    mains = seen.mains if seen.mains is not None else 50.0
    clipped, rail = rails(recording, seen, known)
    findings += [say.missing(seen, known), clipped]
    draft = Draft(recording, known, seen, advance, findings=findings)
    entrance(draft, rail)
    doing[0] = "looking for stimulation"
    near = stimulation if stimulation is not None else suspected(seen.measure.spectrum, mains)
    repeats = None if near is None else measured(recording, known.electrodes, seen.measure.spectrum, near)
    findings.append(say.stimulation(repeats, seen, stimulation))
    stimulated(draft, repeats)
    findings.append(say.mains(seen, known))
    line(draft)
    doing[0] = "judging channels"
    nominal = min((50.0, 60.0), key=lambda f: abs(f - mains))
    verdicts = None
    if known.judged:
        places = montage(draft)
        heard = (draft.front, Pick(known.electrodes), *([] if places is None else [places]))
        verdicts = judge(recording, known, chain(*heard), nominal, advance)
    findings += [*say.channels(verdicts, known), say.offset(seen, known)]
    channels(draft, verdicts, nominal)
    if known.kind == "spikes":
        spike_band(draft)
    else:
        if known.kind == "eeg":
            findings.append(say.blinks(seen, known))
        slow(draft)
        lost_ones(draft)
        doing[0] = "trying references"
        references(draft)
        doing[0] = "trying ASR"
        artefacts(draft)
        draft.decline("channels.RobustReference", "a choice of the analysis, not a repair: every channel changes")
    return Recommendation(info, known, tuple(findings), tuple(draft.steps), tuple(draft.declined), verdicts, seen)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
