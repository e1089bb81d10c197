"""Examples of every public stage, for `ranvier check --all` and `ranvier stages`: made only when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ranvier import act, channels, decode, denoise, features
from ranvier.stage import Contract, Stage, Trainable, builtin
from ranvier.stream import Channels, EventInfo, Info, StreamInfo, Targets, Trials

Example = tuple[Any, ...]  # a stage, and what flows into each of its ports
RATE = 250
NAMES = ("C3", "Cz", "C4", "POz", "O1", "O2")
SEED = 2024


def eeg(dtype: Any = np.float32, rate: int = RATE) -> StreamInfo:
    """Return the description of an EEG signal of six channels, in two groups, with positions."""
    places = [(-0.065, 0.0, 0.063), (0.0, 0.0, 0.09), (0.065, 0.0, 0.063), (0.0, -0.084, 0.032)]
    places += [(-0.028, -0.086, -0.003), (0.028, -0.086, -0.003)]
    groups = ["centre"] * 3 + ["back"] * 3
    return StreamInfo.signal(rate, Channels.of(NAMES, "eeg", "uV", places, groups), name="eeg", dtype=dtype)


def eyes(dtype: Any = np.float32) -> StreamInfo:
    """Return the description of EEG with what disturbs it: eye movements and an accelerometer."""
    kinds, units = ["eeg", "eeg", "eog", "motion"], ["uV", "uV", "uV", "m/s^2"]
    return StreamInfo.signal(RATE, Channels.of(("C3", "C4", "VEOG", "ACCZ"), kinds, units), name="eyes", dtype=dtype)


def scores() -> StreamInfo:
    """Return the description of what a classifier of two classes says."""
    return StreamInfo.signal(10, Channels.of(("left", "right"), "class", "1"), name="scores")


def array(dtype: Any = np.float32) -> StreamInfo:
    """Return the description of a small microelectrode array at 10 kHz."""
    return StreamInfo.signal(10_000, Channels.of(4, "spikes", "uV"), name="array", dtype=dtype)


def marks(signal: StreamInfo) -> EventInfo:
    """Return the description of the cues that come with a signal."""
    return EventInfo.of(signal, {0: "cue/left", 1: "cue/right"}, name="cues")


def crossings() -> EventInfo:
    """Return the description of threshold crossings on an array."""
    signal = array()
    return EventInfo.of(signal, {0: "spike"}, name="spikes", sources=signal.channels.names)


def through(stage: Stage, *infos: Info) -> Info:
    """Return what a stage makes of a description."""
    found: Info = stage.describe(*infos)
    return found


@lru_cache(maxsize=1)
def recording() -> Any:
    """Return 40 s of six channels: two kinds of trials, whose power differs, 1 s each."""
    from ranvier.record import from_array

    rng = np.random.default_rng(SEED)
    n, cues = 40 * RATE, np.arange(RATE, 39 * RATE, round(1.5 * RATE))
    x = 10 * rng.standard_normal((n, len(NAMES)))
    labels = [("cue/left", "cue/right")[i % 2] for i in range(len(cues))]
    wave = np.sin(2 * np.pi * 12 * np.arange(RATE) / RATE)
    for cue, label in zip(cues, labels, strict=True):
        x[cue : cue + RATE, 0 if label == "cue/left" else 2] *= 2
        x[cue : cue + RATE, 3] += 8 * wave * (1 if label == "cue/left" else -1)
    x = x @ (np.eye(len(NAMES)) + 0.2)
    events = [(int(c), label) for c, label in zip(cues, labels, strict=True)]
    return from_array(x.astype(np.float32), RATE, NAMES, events=events, name="eeg")


def fitted(*steps: Any) -> list[Example]:
    """Return the last stage of a recipe, fitted on `recording`, with what flows into it."""
    from ranvier.stage import infos_of, recipe

    rec, whole = recording(), recipe(*steps)
    trials: Trials = rec.trials({"cue/left": "left", "cue/right": "right"}, tmin=0.0, tmax=1.0)
    made: Any = whole.fit(rec, trials)
    return [(made.stages[-1], *made.infos(*infos_of(made, rec))[-2])]


def followed(step: Any) -> list[Example]:
    """Return what an estimator of continuous targets becomes, fitted on log power of `recording`."""
    from ranvier.stage import infos_of, recipe

    rec = recording()
    values = np.cumsum(np.random.default_rng(SEED).standard_normal((rec.n_samples, 2)), axis=0) / 20
    whole = recipe(features.BandPower(low=8.0, high=16.0, length=0.5, hop=0.1), step)
    made: Any = whole.fit(rec, [Targets(names=("vx", "vy"), units=("cm/s", "cm/s"), values=values)])
    return [(made.stages[-1], *made.infos(*infos_of(made, rec))[-2])]


def plain(make: Callable[[], Any]) -> Callable[[], list[Example]]:
    """Return the examples of a stage that takes EEG: in single, double and whole numbers."""
    return lambda: [(make(), eeg()), (make(), eeg(np.float64)), (make(), eeg(np.int16))]


def _linear() -> list[Example]:
    info = eeg()
    weights = np.random.default_rng(SEED).standard_normal((2, len(NAMES)))
    made = decode.Linear(weights, np.array([0.5, -0.5]), ("left", "right"), ("1", "1"), Contract.of(info), "softmax")
    return [(made, info)]


def _whitened() -> list[Example]:
    """Return a stage that whitens each channel beside its neighbour only."""
    made = denoise.Whitened(np.eye(len(NAMES)) - 0.25 * np.eye(len(NAMES), k=1), Contract.of(eeg()))
    return [(made, eeg()), (made, eeg(np.int16))]


def _fbcca() -> list[Example]:
    info = through(features.Window(length=1.0, hop=0.2), eeg())
    return [(decode.FBCCA(frequencies=(13.0, 17.0, 21.0)), info)]


def _network() -> list[Example]:
    from ranvier.testing._onnx import recurrent

    info = through(features.Window(length=0.2, hop=0.1), eeg())
    made = decode.Network.from_onnx(
        recurrent(*info.shape, 2, SEED), info, classes=("left", "right"), link="softmax", states=(("h", "h_next"),),
        memory=24,
    )  # fmt: skip
    return [(made, info), (made, info.but(dtype=np.dtype(np.float64))), (made, info.but(dtype=np.dtype(np.int16)))]


COVARIANCE = features.Covariance(length=0.5, hop=0.1)
EPOCH = features.Epoch(tmin=0.0, tmax=1.0)
SPIKES = features.Spikes(threshold=2.0, noise_window=0.008, noise_memory=0.03)  # so that noise crosses it at once

EXAMPLES: dict[str, Callable[[], list[Example]]] = {
    "act.Map": lambda: [
        (act.Map(scale=(2.0,) * len(NAMES)), eeg()),
        (act.Map(("vx",), ("cm/s",), ("left", "right"), ((-5.0,), (5.0,)), confidence="probability"), scores()),
    ],
    "channels.BadChannels": plain(lambda: channels.BadChannels(hop=0.2, deviation=1.0)),
    "channels.ChannelVerdicts": plain(lambda: channels.ChannelVerdicts(hop=0.2, deviation=1.0)),
    "channels.CommonReference": lambda: [
        *plain(channels.CommonReference)(),
        (channels.CommonReference("median", by="group", exclude=("O2",)), eeg()),
    ],
    "channels.Deskew": plain(lambda: channels.Deskew.mux(order=(0, 1, 2, 0, 1, 2), cycles=3, rate=RATE, taps=8)),
    "channels.Interpolate": lambda: [
        *plain(channels.Interpolate)(),
        (channels.Interpolate("gaussian", least=2, mark=True), eeg()),
    ],
    "channels.Laplacian": plain(lambda: channels.Laplacian(neighbours=2, weights="distance")),
    "channels.LocalReference": plain(lambda: channels.LocalReference(outer=0.07, neighbours=2)),
    "channels.Montage": plain(channels.Montage),
    "channels.Pick": plain(lambda: channels.Pick(("C*", "-Cz", "O1"))),
    "channels.Reref": lambda: [
        (channels.Reref("bipolar", pairs=(("C3", "Cz"), ("C4", "Cz"))), eeg()),
        (channels.Reref("channel", reference=("O1", "O2")), eeg(np.float64)),
        (channels.Reref("laplacian", neighbours=2), eeg(np.int16)),
    ],
    "channels.RobustReference": plain(channels.RobustReference),
    "channels.Scale": plain(lambda: channels.Scale(0.195)),
    "denoise.Blank": lambda: [
        (denoise.Blank(period=13.3, phase=2.0, length=0.02), eeg()),
        (denoise.Blank(period=13.3, length=0.02, fill="line", mark=False), eeg(np.float64)),
        (denoise.Blank(jump=900.0, length=0.02, fill="line"), eeg(np.int16)),
        (denoise.Blank(on=("cue/*",), length=0.02, fill="line"), eeg(), marks(eeg())),
    ],
    "denoise.ASR": lambda: fitted(denoise.Highpass(low=0.5), denoise.ASR(cutoff=3.0)),
    "denoise.Decimate": plain(lambda: denoise.Decimate(factor=2)),
    "denoise.FIR": plain(lambda: denoise.FIR(taps=(0.25, 0.5, 0.25))),
    "denoise.Integrity": lambda: [
        (denoise.Integrity(rail=400.0, flat=1.0), eeg()),
        (denoise.Integrity(), eeg(np.int16)),
    ],
    "denoise.PARRM": plain(lambda: denoise.PARRM(period=19.1, window=2.0, half_width=0.05)),
    "denoise.LMS": lambda: [(denoise.LMS(), eyes()), (denoise.LMS(taps=1), eyes(np.int16))],
    "denoise.RLS": lambda: [(denoise.RLS(), eyes()), (denoise.RLS(("motion",), tau=1.0), eyes(np.float64))],
    "denoise.Resample": plain(lambda: denoise.Resample(rate=100.0)),
    "denoise.Standardise": plain(lambda: denoise.Standardise(tau=1.0)),
    "denoise.SubspaceReconstruction": lambda: fitted(
        denoise.Highpass(low=0.5), denoise.ASR(cutoff=3.0, lookahead=0.0, method="riemannian")
    ),
    "denoise.Bandpass": plain(lambda: denoise.Bandpass(low=8.0, high=30.0)),
    "denoise.Highpass": plain(lambda: denoise.Highpass(low=1.0)),
    "denoise.Lowpass": plain(lambda: denoise.Lowpass(high=40.0)),
    "denoise.LineNoise": plain(denoise.LineNoise),
    "denoise.Notch": plain(lambda: denoise.Notch(frequency=50.0, harmonics=2)),
    "denoise.Template": lambda: [
        (denoise.Template(period=13.3, phase=2.0, length=0.04), eeg()),
        (denoise.Template(jump=900.0, length=0.02), eeg(np.int16)),
        (denoise.Template(on=("cue/*",), length=0.02, least=2), eeg(np.float64), marks(eeg())),
    ],
    "denoise.Whiten": lambda: fitted(denoise.Highpass(low=1.0), denoise.Whiten()),
    "denoise.Whitened": lambda: [*fitted(denoise.Highpass(low=1.0), denoise.Whiten()), *_whitened()],
    "denoise.ZapLine": plain(denoise.ZapLine),
    "features.BandPower": plain(lambda: features.BandPower(low=8.0, high=12.0, length=0.5, hop=0.1)),
    "features.BinnedCounts": lambda: [(features.BinnedCounts(length=0.02), crossings())],
    "features.Covariance": plain(lambda: COVARIANCE),
    "features.Envelope": plain(lambda: features.Envelope(smooth=0.1)),
    "features.Epoch": lambda: [(EPOCH, eeg(), marks(eeg()))],
    "features.LogVariance": lambda: [(features.LogVariance(), through(features.Window(length=0.5, hop=0.1), eeg()))],
    "features.RejectSimultaneous": lambda: [
        (features.RejectSimultaneous(), crossings()),
        (features.RejectSimultaneous(0.001, 0.3, (("ch000", "ch001"), ("ch003",))), through(SPIKES, array())),
    ],
    "features.SpikeBandPower": lambda: [(features.SpikeBandPower(length=0.02), array())],
    "features.Spikes": lambda: [(SPIKES, array()), (SPIKES, array(np.int16))],
    "features.Window": plain(lambda: features.Window(length=0.5, hop=0.1)),
    "decode.CSP": lambda: fitted(COVARIANCE, decode.CSP(n_filters=4)),
    "decode.ClassDistances": lambda: fitted(COVARIANCE, decode.MDM()),
    "decode.FBCCA": _fbcca,
    "decode.Imputation": lambda: fitted(COVARIANCE, decode.Imputation()),
    "decode.Imputer": lambda: [
        *fitted(EPOCH, decode.Imputation(least=0.3)),
        *fitted(features.BandPower(low=8.0, high=16.0, length=0.5, hop=0.1), decode.Imputation()),
    ],
    "decode.Kalman": lambda: followed(decode.Kalman()),
    "decode.KalmanFilter": lambda: followed(decode.Kalman(shrinkage=0.5)),
    "decode.LDA": lambda: fitted(COVARIANCE, decode.TangentSpace(), decode.LDA()),
    "decode.LaggedLinear": lambda: followed(decode.Wiener(lags=3)),
    "decode.Linear": _linear,
    "decode.LogisticRegression": lambda: fitted(COVARIANCE, decode.TangentSpace(), decode.LogisticRegression()),
    "decode.MDM": lambda: fitted(COVARIANCE, decode.MDM()),
    "decode.Network": _network,
    "decode.Ridge": lambda: followed(decode.Ridge()),
    "decode.SVM": lambda: fitted(COVARIANCE, decode.TangentSpace(), decode.SVM()),
    "decode.SpatialFilter": lambda: fitted(EPOCH, decode.Xdawn(n_filters=2)),
    "decode.SpatialPower": lambda: fitted(COVARIANCE, decode.CSP(n_filters=2)),
    "decode.TRCA": lambda: fitted(EPOCH, decode.TRCA()),
    "decode.TangentProjection": lambda: fitted(COVARIANCE, decode.TangentSpace(metric="euclid")),
    "decode.TangentSpace": lambda: fitted(COVARIANCE, decode.TangentSpace()),
    "decode.TemplateMatch": lambda: fitted(EPOCH, decode.TRCA(ensemble=False)),
    "decode.Wiener": lambda: followed(decode.Wiener()),
    "decode.Xdawn": lambda: fitted(EPOCH, decode.Xdawn()),
}


def examples(name: str) -> list[Example]:
    """Return examples of a public stage: each a stage and what flows into its ports.

    Of a trainable, the stage that it becomes, fitted on a small synthetic recording.
    """
    return EXAMPLES[name]()


def missing() -> list[str]:
    """Return public stages and trainables without an example."""
    return sorted(builtin().keys() - EXAMPLES.keys())


def is_trainable(name: str) -> bool:
    """Say whether a public name is that of a trainable."""
    return issubclass(builtin()[name], Trainable)
