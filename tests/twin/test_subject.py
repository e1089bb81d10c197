"""The simulated subject: the same bits however it is read, and a physiology that others would recognise."""

import numpy as np
import pytest

from ranvier.errors import ConfigError, ContractError
from ranvier.stream import Recording
from ranvier.twin import Cue, Person, SimulatedSubject, cued
from ranvier.twin._chance import generator, pink
from ranvier.twin._head import ELECTRODES, RADIUS, direction, potentials
from ranvier.twin._subject import MONTAGE

SEED = 5


def subject(intents="mi", n_each=2, **kw):
    return SimulatedSubject(cues=cued(intents, n_each, seed=SEED), seed=SEED, **kw)


def spectrum(x, rate=250):
    from scipy.signal import welch

    return welch(x, rate, nperseg=2 * rate, axis=0)


def in_trials(s, label, channel, tmin=1.5, tmax=4.0):
    x = s.read(0, s.n_samples).data[:, s.channels.index(channel)].astype(float)
    t = s.trials(label, tmin, tmax)
    return np.array([x[a:b] for a, b in zip(t.begin, t.end, strict=True)])


def test_is_a_recording_in_uv():
    s = subject()
    assert isinstance(s, Recording)
    assert set(s.info.channels.units) == {"uV"}
    assert s.events.n == 6
    assert set(s.event_info.labels.values()) == {"cue/rest", "cue/left", "cue/right"}


@pytest.mark.parametrize("size", [1, 7, 33, 64, 250, 251, 1000])
def test_any_block_size_gives_the_same_bits(size):
    s = subject("ssvep")
    whole = s.read(0, 1500).data
    again = subject("ssvep")
    parts = np.concatenate([b.data for b in again.blocks(size, 0, 1500)])
    assert whole.tobytes() == parts.tobytes()


def test_any_order_of_reading_gives_the_same_bits():
    s = subject()
    forth = [s.read(a, a + 100).data for a in range(0, 2000, 100)]
    t = subject()
    back = [t.read(a, a + 100).data for a in range(1900, -1, -100)]
    assert all(np.array_equal(a, b) for a, b in zip(forth, back[::-1], strict=True))


def test_other_seeds_give_other_people():
    a = SimulatedSubject(cues=(), seed=1, hum=0.0).read(0, 500).data
    b = SimulatedSubject(cues=(), seed=2, hum=0.0).read(0, 500).data
    assert abs(np.corrcoef(a[:, 7], b[:, 7])[0, 1]) < 0.5
    assert not np.array_equal(a, b)


def test_nothing_depends_on_cues_to_come():
    early = (Cue(2.0, 3.0, "left"),)
    late = (*early, Cue(6.5, 3.0, "13Hz"))
    k = round(6.5 * 250)
    a = SimulatedSubject(cues=early, seed=SEED).read(0, 3000).data
    b = SimulatedSubject(cues=late, seed=SEED).read(0, 3000).data
    assert np.array_equal(a[:k], b[:k])
    assert not np.array_equal(a[k:], b[k:])


def test_counter_based_chance_is_a_pure_function_and_places_are_unrelated():
    a, b = generator(1, 2, 3).standard_normal(1000), generator(1, 2, 4).standard_normal(1000)
    assert np.array_equal(a, generator(1, 2, 3).standard_normal(1000))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.15
    places = {generator(1, 2, p).integers(2**62) for p in (-3, -2, -1, 0, 1, 2**62, -(2**62))}
    assert len(places) == 7


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_background_falls_as_one_over_f(exponent):
    h = pink(4000, exponent)
    f = np.fft.rfftfreq(4000, 1 / 250)
    power = np.abs(np.fft.rfft(h)) ** 2
    band = (f > 1) & (f < 40)
    slope = np.polyfit(np.log(f[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.1)  # the cut-off at 16 s ripples a little


def test_electrodes_sit_where_mne_has_them():
    mne = pytest.importorskip("mne")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        places = mne.channels.make_standard_montage("standard_1005").get_positions()["ch_pos"]
    p = np.array([places[e] for e in ELECTRODES])
    centre = np.linalg.lstsq(np.c_[2 * p, np.ones(len(p))], (p**2).sum(1), rcond=None)[0][:3]
    for name, at in zip(ELECTRODES, p - centre, strict=True):
        cos = direction(name) @ at / np.linalg.norm(at)
        assert np.degrees(np.arccos(cos)) < 11, name  # theirs is a real head, ours a sphere


def test_potentials_equal_mne_on_four_shells():
    mne = pytest.importorskip("mne")
    rng = np.random.default_rng(SEED)
    names = ["C3", "C4", "Oz", "Fz", "Cz", "O1", "P4"]
    electrodes = np.array([direction(n) * RADIUS for n in names])
    places = rng.standard_normal((8, 3))
    places *= np.linspace(0.01, 0.075, 8)[:, None] / np.linalg.norm(places, axis=1, keepdims=True)
    moments = rng.standard_normal((8, 3))
    moments /= np.linalg.norm(moments, axis=1, keepdims=True)
    ball = mne.make_sphere_model(r0=(0, 0, 0), head_radius=RADIUS, verbose=False)
    info = mne.create_info(names, 250, "eeg")
    info.set_montage(mne.channels.make_dig_montage(dict(zip(names, electrodes, strict=True)), coord_frame="head"))
    grid = mne.setup_volume_source_space(pos={"rr": places, "nn": moments}, sphere_units="m", verbose=False)
    forward = mne.make_forward_solution(info, None, grid, ball, meg=False, mindist=0, verbose=False)
    field = forward["sol"]["data"].reshape(len(names), -1, 3)
    theirs = np.einsum("csk,sk->sc", field, moments)
    ours = potentials(electrodes, places, moments)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()  # MNE fits its dipoles anew, we keep the figures


def test_background_and_rhythms_have_plausible_amplitudes():
    s = SimulatedSubject(cues=(), seed=SEED, hum=0.0, person=Person(blinks=0.0))
    f, p = spectrum(s.read(0, 60 * 250).data.astype(float))
    rms = np.sqrt(p[(f >= 1) & (f <= 40)].sum(0) * 0.5)
    assert np.all((rms > 2) & (rms < 20))  # uV
    alpha = p[(f >= 8) & (f <= 12)].mean(0) / p[(f >= 4) & (f <= 6)].mean(0)
    assert alpha[MONTAGE.index("Oz")] > 2 > alpha[MONTAGE.index("F3")]


@pytest.mark.parametrize(("channel", "hand", "other"), [("C3", "right", "left"), ("C4", "left", "right")])
def test_imagined_movement_lowers_mu_on_the_opposite_side(channel, hand, other):
    s = subject("mi", 30, hum=0.0, person=Person(blinks=0.0))

    def mu(label):
        f, p = spectrum(in_trials(s, f"cue/{label}", channel).T)
        return p[(f >= 10) & (f <= 12)].mean()

    # 20 to 60 % of the rhythm's own power; what else is there does not follow
    assert 0.4 < mu(hand) / mu("rest") < 0.9
    assert mu(hand) < 0.9 * mu(other)


def test_a_person_without_skill_shows_nothing():
    same = [
        SimulatedSubject(cues=cued(["left", "13Hz"], 3, seed=s), seed=SEED, person=Person(skill=0.0)) for s in (1, 2)
    ]
    a, b = (s.read(0, 2000).data for s in same)
    assert np.array_equal(a, b)  # other cues, same bits


@pytest.mark.parametrize("frequency", [13, 17, 21])
def test_flicker_is_answered_at_its_frequency_and_twice_that_over_the_occiput(frequency):
    cues = [f"{frequency}Hz", "rest"]
    able, unable = (subject(cues, 6, person=Person(skill=skill)) for skill in (1.0, 0.0))

    def amplitude(channel, label, at):
        evoked = in_trials(able, label, channel, 1.5, 3.5) - in_trials(unable, label, channel, 1.5, 3.5)
        turn = np.exp(-2j * np.pi * at * np.arange(evoked.shape[1]) / 250)
        return np.abs(evoked @ turn).mean() * 2 / evoked.shape[1]

    for k, low, high in ((1, 1.3, 2.8), (2, 0.6, 1.4), (3, 0.25, 0.8)):
        assert low < amplitude("Oz", f"cue/{frequency}Hz", k * frequency) < high  # uV; asked: 2, 1, 0.5
        assert amplitude("Oz", "cue/rest", k * frequency) < 0.05
    assert amplitude("F3", f"cue/{frequency}Hz", frequency) < 0.5 * amplitude("Oz", f"cue/{frequency}Hz", frequency)


def test_blinks_come_as_often_as_asked_and_at_the_front():
    s = SimulatedSubject(cues=(), seed=SEED, person=Person(blinks=15.0))
    still = SimulatedSubject(cues=(), seed=SEED, person=Person(blinks=0.0))
    n = 240 * 250
    lids = s.read(0, n).data - still.read(0, n).data
    front = lids[:, MONTAGE.index("Fp1")] > 20
    count = int((np.diff(front.astype(int)) == 1).sum())
    assert 60 - 3 * 60**0.5 < count < 60 + 3 * 60**0.5
    assert lids[:, MONTAGE.index("Oz")].max() < 0.1 * lids[:, MONTAGE.index("Fp1")].max()


def test_mains_are_there_and_can_be_moved():
    f, p = spectrum(SimulatedSubject(cues=(), seed=SEED, mains=60.0).read(0, 5000).data.astype(float))
    assert f[20 + p[20:].mean(1).argmax()] == 60.0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Cue(0, 1, "jump"), ConfigError, "jump"),
        (lambda: Cue(0, 1, "xHz"), ConfigError, "xHz"),
        (lambda: Cue(-1, 1, "rest"), ConfigError, "-1 s"),
        (lambda: cued("p300"), ConfigError, "p300"),
        (lambda: SimulatedSubject(rate=250.5), ContractError, "250.5 Hz"),
        (lambda: SimulatedSubject(channels=("C3", "X9")).read(0, 9), ContractError, "X9"),
        (lambda: SimulatedSubject().read(5, 2), ContractError, "start=5"),
        (lambda: next(SimulatedSubject().blocks(0)), ContractError, "got 0"),
        (lambda: SimulatedSubject(cues=(Cue(5, 1, "rest"), Cue(1, 1, "rest"))), ContractError, "order"),
    ],
)
def test_errors_say_what_was_given(make, error, words):
    with pytest.raises(error, match=words):
        make()
