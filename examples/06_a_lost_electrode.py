"""An electrode comes off in the middle of a session: what is decoded from there on, with and without filling in."""

import numpy as np

from ranvier import channels, decode, denoise, features, record
from ranvier.stage import through
from ranvier.twin import SimulatedSubject, cued

LOST, WINDOW, LABELS = "C3", (0.5, 4.0), {"cue/left": "left", "cue/right": "right"}  # seconds after a cue

person = SimulatedSubject(cues=cued("mi", n_each=30, seed=5), seed=5)
cues = [(int(e["sample"]), person.event_info.labels[int(e["code"])]) for e in person.events.table]
whole = person.read(0, person.n_samples // 250 * 250).data
broken = whole.copy()
half = len(whole) // 2
broken[half:, person.channels.index(LOST)] = np.nan

front = (
    channels.Montage()
    | denoise.Integrity()
    | denoise.Bandpass(low=8, high=30)
    | features.Epoch(tmin=WINDOW[0], tmax=WINDOW[1], on=tuple(LABELS))
    | features.Covariance(estimator="oas", min_valid=1.0)
)
recipes = {
    "as it is": front | decode.TangentSpace() | decode.LogisticRegression(),
    "Imputation": front | decode.Imputation() | decode.TangentSpace() | decode.LogisticRegression(),
}


def right(decoder, rec, trials) -> float:
    """Share of the trials that are decided, and rightly."""
    decided = {}
    for block in through(decoder, rec):
        for at, scores, valid in zip(block.at, block.data, block.valid, strict=True):
            if valid.all():
                decided[int(at)] = trials.classes[scores.argmax()]
    ends = trials.end - 1
    return float(np.mean([decided.get(int(e)) == label for e, label in zip(ends, trials.label, strict=True)]))


for said, samples in {"nothing lost": whole, f"{LOST} lost": broken}.items():
    rec = record.from_array(samples, 250, person.channels, events=cues)
    trials = rec.trials(LABELS, tmin=WINDOW[0], tmax=WINDOW[1])
    for name, recipe in recipes.items():
        decoder = recipe.fit(rec, trials[trials.end <= half])
        print(f"{said:12s} {name:10s} {right(decoder, rec, trials[trials.onset > half]):4.0%} right of the second half")
