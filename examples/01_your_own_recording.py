"""From a file on disk to a scored decoder: write an EDF+, open it, cross-validate, save the model, decode with it."""

import tempfile
from pathlib import Path

import edfio
import numpy as np

from ranvier import channels, decode, denoise, features, record
from ranvier.evaluate import cross_validate
from ranvier.stage import load_model, save_model, through
from ranvier.twin import SimulatedSubject, cued

folder = Path(tempfile.mkdtemp())
person = SimulatedSubject(cues=cued("mi", n_each=16, seed=5), seed=5)
samples = person.read(0, person.n_samples // 250 * 250).data
edfio.Edf(  # stands for the file that your amplifier wrote
    [
        edfio.EdfSignal(s, 250, label=n, physical_dimension="uV")
        for s, n in zip(samples.T, person.channels, strict=True)
    ],
    annotations=[
        edfio.EdfAnnotation(int(e["sample"]) / 250, None, person.event_info.labels[int(e["code"])])
        for e in person.events.table
    ],
).write(folder / "sub-01_task-imagery_eeg.edf")

rec = record.open(folder / "sub-01_task-imagery_eeg.edf")  # lazy; the same call for BDF, FIF, XDF, BrainVision ...
print(f"{rec.entities.subject}: {rec.info.n_channels} channels, {rec.duration:.0f} s, {rec.events.n} events")

recipe = (
    channels.Pick("eeg")
    | denoise.Bandpass(low=8, high=30)
    | features.Epoch(tmin=0.5, tmax=4.0, on=("cue/left", "cue/right"))
    | features.Covariance(estimator="oas")
    | decode.CSP(n_filters=4)
    | decode.LDA()
)
trials = rec.trials({"cue/left": "left", "cue/right": "right"}, tmin=0.5, tmax=4.0)
scores = cross_validate(recipe, rec, trials)
row = scores.rows[0]
print(f"accuracy {row['scores']['accuracy']:.2f} on {row['n']} trials")
print("streamed = offline:", row["streamed_equals_offline"])

save_model(recipe.fit(rec, trials), folder / "imagery.rvm", {"recordings": [rec.digest()]})
decisions = through(load_model(folder / "imagery.rvm"), rec)
print("decisions:", sum(b.n for b in decisions), "- model of", (folder / "imagery.rvm").stat().st_size, "bytes")
assert np.isfinite(np.concatenate([b.data for b in decisions])).all()
