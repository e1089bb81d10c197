"""Live motor imagery: a recording served over LSL moves a guarded cursor; what was recorded replays to the bit."""

import os
import tempfile
from pathlib import Path

from ranvier import acquire, act, channels, decode, denoise, features, record, session
from ranvier.stream import Trials
from ranvier.twin import LSLServer, SimulatedSubject, cued

real = Path(__file__).resolve().parents[2] / "shared" / "data" / "eegmmidb_s001"
if real.is_dir():  # PhysioNet's EEGMMIDB: a person moves both fists or both feet, then imagines it; later once more
    earlier = [record.open(real / f"S001R{run}.edf") for run in ("05", "06")]
    today, labels, over = record.open(real / "S001R10.edf"), {"T1": "up", "T2": "down"}, "C*"
    trials = [r.trials(labels, tmin=0.5, tmax=4.0) for r in earlier]
else:  # a person that never was; the first 24 trials are learned from, the rest is served
    person = SimulatedSubject(cues=cued(("left", "right"), n_each=15, seed=3), seed=3)
    labels, over = {"cue/left": "up", "cue/right": "down"}, "eeg"
    earlier, trials = [person], [person.trials(labels, tmin=0.5, tmax=4.0)[:24]]
    cut = int(trials[0].end[-1])
    cues = [(int(e["sample"]) - cut, person.event_info.labels[int(e["code"])]) for e in person.events.table[24:]]
    today = record.from_array(person.read(cut, person.n_samples).data, 250, person.channels, events=cues)

recipe = (
    channels.Pick(over)
    | denoise.Bandpass(low=8, high=30)
    | features.Covariance(length=2.0, hop=0.2)
    | decode.TangentSpace()
    | decode.LogisticRegression()
)
decoder = recipe.fit(earlier, Trials.concatenate(trials))
moves = act.Map(("vy",), ("1/s",), classes=("up", "down"), values=((0.5,), (-0.5,)), confidence="probability")
cursor, height = act.Cursor(low=(-1.0,), high=(1.0,), velocities=("vy",)), []
name = f"example-{os.getpid()}"

with tempfile.TemporaryDirectory() as folder, LSLServer(today, name=name, seconds=15) as device:
    live = session.Session(
        acquire.LSL(name=name, address="127.0.0.1"),  # asked at its address, so that no multicast is needed
        decoder | moves,
        actuator=cursor,
        guard=act.Guard(act.Limits(name="vy", unit="1/s", low=-1, high=1), max_age=0.5, min_confidence=0.6),
        budget=session.Budget(age=0.5, miss="skip"),
        record=Path(folder) / "live.rvr",
        look=lambda out, said: height.append(cursor.position()[0]),
    )
    with live:
        report = live.run(stop=lambda: device.ended)
    sound, verdict = record.verify(live.record), session.replay(live.record).check()

print("the cursor's height  ", "".join("▁▂▃▄▅▆▇█"[min(int(4 * h + 4), 7)] for h in height))
age, n = report.latency["input age"], report.counts
print(f"{n['decisions']} decisions, {n['approved']} approved; input age {age['p50'] / 1e3:.1f} ms (p50)", end=", ")
print(f"{age['p99'] / 1e3:.1f} ms (p99)")
print(f"every byte sound: {sound.clean}; replayed in blocks of 1, 7, 64: identical to the bit: {verdict.identical}")
