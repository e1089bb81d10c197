"""The first minute: train on a recording, decode it as a live stream, and get the same bits in any blocks."""

import numpy as np

from ranvier import channels, decode, denoise, features
from ranvier.stage import Run, feed, infos_of
from ranvier.twin import SimulatedSubject, cued

person = SimulatedSubject(cues=cued("mi", n_each=15, seed=3), seed=3)  # a recording like any other
trials = person.trials({"cue/left": "left", "cue/right": "right"}, tmin=1.0, tmax=4.0)

recipe = (
    channels.Pick("eeg")
    | denoise.Bandpass(low=8, high=30)
    | features.Covariance(length=2.0, hop=0.2)
    | decode.TangentSpace()
    | decode.LogisticRegression()
)
decoder = recipe.fit(person, trials[:20])  # a frozen stage: it can be saved, swapped, started
out = decoder.describe(person.info)  # known before anything runs
print(f"decides {float(out.rate):g} times a second: {', '.join(out.channels.names)}; delay {float(out.delay):.3f} s")


def live(block):
    """Let the recording flow through in blocks, as a device would deliver it."""
    run = Run(decoder, *infos_of(decoder, person))
    outs = list(feed(run, person, block))
    return np.concatenate([o.data for o in outs]), np.concatenate([o.valid for o in outs])


whole, valid = live(block=person.n_samples)
small, _ = live(block=7)
newest = np.array([out.origin.newest(k) for k in range(len(whole))])
right = 0
for begin, end, label in zip(trials.begin[20:], trials.end[20:], trials.label[20:], strict=True):
    inside = (newest >= begin + out.origin.span - 1) & (newest < end) & valid[:, 0]
    right += out.channels.names[int(whole[inside].mean(axis=0).argmax())] == label

print(f"decoded {right} of {len(trials) - 20} trials that it had not seen")
print("blocks of 7 samples and the whole recording give the same bits:", np.array_equal(whole, small))
