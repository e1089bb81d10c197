"""recommend: planted faults are found, named with their figure, and their stage proposed; a clean head gets nothing."""

import numpy as np
import pytest

from ranvier import denoise, evaluate, record
from ranvier.errors import ConfigError, ContractError
from ranvier.stage import parse_pipeline, through
from tests.evaluate.heads import RATE, SECONDS, finding, head, kinds

N = RATE * SECONDS
T = np.arange(N) / RATE


def test_a_clean_head_gets_nothing_but_the_entrance():
    found = evaluate.recommend(head())
    assert kinds(found) == ["Integrity"]
    assert found.clean
    assert not found.learned
    assert {f.topic: f.level for f in found.findings if f.topic != "recording"} == {
        "missing": "good", "rails": "good", "stimulation": "good", "channels": "good", "offset": "good",
        "mains": "good", "blinks": "good", "artefacts": "good",
    }  # fmt: skip
    assert {d.name for d in found.declined} >= {"denoise.LineNoise", "denoise.ASR", "denoise.Highpass"}
    assert "Nothing was found" in found.summary


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_mains_is_named_and_followed(mains):
    found = evaluate.recommend(head(hum=20.0, mains=mains))
    said = finding(found, "mains")
    assert said.level == "fault"
    assert f"{mains:.2f} Hz" in said.text
    assert said.value > said.limit == 10.0
    (stage,) = [p.stage for p in found.proposed if isinstance(p.stage, denoise.LineNoise)]
    assert stage == denoise.LineNoise(mains)


def test_mains_that_matters_to_nobody_is_left():
    found = evaluate.recommend(head(hum=0.12))
    assert "LineNoise" not in kinds(found)


def test_an_offset_asks_for_a_highpass():
    found = evaluate.recommend(head(offset=20_000.0, hum=20.0))
    said = finding(found, "offset")
    assert (said.level, "20 mV" in said.text) == ("fault", True)
    assert kinds(found) == ["Integrity", "LineNoise", "Highpass"]


def test_a_channel_that_is_lost_is_left_out_by_name():
    def noise(x, names):
        x[:, names.index("C3")] = 10 * np.random.default_rng(5).standard_normal(len(x))

    found = evaluate.recommend(head(change=noise))
    assert finding(found, "channels").channels == ("C3",)
    (pick,) = [p for p in found.proposed if p.name == "channels.Pick"]
    assert pick.stage.what == ("eeg", "-C3")
    assert "C3" not in found.pipeline.describe(head().info).channels.names


def test_a_channel_that_is_flat_for_a_while_is_marked_and_estimated():
    def flat(x, names):
        x[20 * RATE : 35 * RATE, names.index("Pz")] = 7.0

    rec = head(change=flat)
    found = evaluate.recommend(rec)
    said = finding(found, "channels")
    assert said.text.startswith("flat: Pz for ")
    assert 14 <= found.verdicts.seconds(found.verdicts.names.index("Pz")) <= 21  # and until it has recovered
    assert [k for k in kinds(found) if k in ("BadChannels", "Interpolate")] == ["BadChannels", "Interpolate"]
    named = evaluate.recommend(record.from_array(rec.read().data, RATE, list(rec.info.channels.names)))
    assert kinds(named) == ["Integrity", "Montage", "BadChannels", "Highpass", "Interpolate"]
    few = np.random.default_rng(15).standard_normal((8000, 5))
    few[100, 2] = np.nan
    alone = evaluate.recommend(record.from_array(few, RATE, ["C3", "Cz", "C4", "Pz", "Oz"]))
    assert "Montage" not in kinds(alone)  # too few to estimate one: nothing needs places
    unplaced = record.from_array(rec.read().data, RATE, rec.info.n_channels)
    other = evaluate.recommend(unplaced)
    assert "Interpolate" not in kinds(other)
    assert any(d.name == "channels.Interpolate" and "no positions" in d.reason for d in other.declined)


def test_bridged_electrodes_are_kept():
    def bridge(x, names):
        x[:, names.index("O1")] = x[:, names.index("O2")] + 0.05 * np.random.default_rng(6).standard_normal(len(x))

    found = evaluate.recommend(head(change=bridge))
    said = finding(found, "channels")
    assert (said.level, set(said.channels)) == ("note", {"O1", "O2"})
    assert kinds(found) == ["Integrity"]


def test_blinks_are_counted():
    found = evaluate.recommend(head(blinks=20.0))
    said = finding(found, "blinks")
    begins = evaluate.cleaning._blinks.near_eyes(found.info, found.known)
    assert said.channels == begins == ("Fp1", "Fp2")
    assert 12 <= said.value <= 28  # chance: 20 a minute on average
    assert said.level == "fault"


def test_eog_that_predicts_is_used_and_one_that_does_not_is_not():
    rng = np.random.default_rng(7)
    moves = np.convolve(rng.standard_normal(N), np.hanning(60), "same") * 30

    def shown(x, names):
        x[:, :16] += (0.6 * moves)[:, None]

    said = evaluate.recommend(head(change=shown, more=[("EOG", "eog", moves)]))
    assert "RLS" in kinds(said)
    assert next(p for p in said.proposed if p.name == "denoise.RLS").stage.quiet == 0  # it moves all the time
    assert kinds(said).index("Highpass") < kinds(said).index("RLS")
    other = evaluate.recommend(head(more=[("EOG", "eog", moves)]))
    assert "RLS" not in kinds(other)
    assert any(d.name == "denoise.RLS" and "0 of 16" in d.reason for d in other.declined)


def test_bursts_over_many_electrodes_are_replaced():
    rng = np.random.default_rng(8)

    def bursts(x, names):
        where = rng.standard_normal(x.shape[1])
        for at in range(5 * RATE, N - RATE, 9 * RATE):
            x[at : at + 200] += np.outer(600 * np.hanning(200) * np.sin(2 * np.pi * 6 * T[:200]), where)

    found = evaluate.recommend(head(change=bursts))
    said = finding(found, "artefacts")
    assert said.level == "fault"
    assert 100 * 5 / SECONDS <= said.value <= 100 * 12 / SECONDS  # six bursts, some over the end of a second
    assert kinds(found)[-2:] == ["Highpass", "ASR"]
    assert found.learned
    assert isinstance(found.proposed[-1].runs, denoise.SubspaceReconstruction)


def test_missing_numbers_and_rails_are_counted():
    def spoil(x, names):
        x[1000:1250, 2] = np.nan
        for c in (4, 5):
            x[:, c] = np.clip(4 * x[:, c], -30, 30)

    found = evaluate.recommend(head(change=spoil))
    assert "250 numbers" in finding(found, "missing").text
    assert set(finding(found, "rails").channels) == {found.info.channels.names[c] for c in (4, 5)}


def test_stimulation_has_its_period():
    rate, true = 1000, 7.6921
    rng = np.random.default_rng(9)
    phase = np.arange(40 * rate) / true % 1
    x = rng.standard_normal((40 * rate, 2)).cumsum(axis=0)
    x -= np.linspace(0, 1, len(x))[:, None] * x[-1]
    x = 0.1 * x + 50 * np.exp(-phase[:, None] / 0.1)
    rec = record.from_array(x, rate, ["L1", "L2"], kind="lfp")
    found = evaluate.recommend(rec)
    (stage,) = [p.stage for p in found.proposed if isinstance(p.stage, denoise.PARRM)]
    assert stage.period == pytest.approx(true, rel=2e-6)
    assert finding(found, "stimulation").level == "fault"
    told = evaluate.recommend(rec, stimulation=1000 / true)
    (again,) = [p.stage for p in told.proposed if isinstance(p.stage, denoise.PARRM)]
    assert again.period == pytest.approx(stage.period, rel=1e-8)


def test_spikes_get_their_band_and_their_reference():
    rng = np.random.default_rng(10)
    x = rng.standard_normal((40_000, 16)) * 5 + 8 * rng.standard_normal((40_000, 1))
    x += 200 * np.sin(2 * np.pi * 8 * np.arange(40_000) / 20_000)[:, None]
    found = evaluate.recommend(record.from_array(x, 20_000, 16, kind="spikes"))
    assert kinds(found)[-2:] == ["Bandpass", "CommonReference"]
    assert any(d.name == "denoise.Whiten" for d in found.declined)


def test_the_text_gives_the_same_pipeline_and_the_same_bits():
    rec = head(hum=20.0, offset=20_000.0)
    found = evaluate.recommend(rec)
    again = parse_pipeline(found.toml())
    assert again == found.pipeline
    done = evaluate.cleaning.clean(rec, found, None, lambda n: None).cleaned
    whole, ragged = (through(again, rec, block=n) for n in (N, 997))
    assert done.digest == _digest(whole) == _digest(ragged)
    reasons = [line for line in found.toml().splitlines() if line.startswith("# ")]
    assert len(reasons) == len(found.proposed)


def _digest(blocks):
    from hashlib import sha256

    data, valid = (np.concatenate([getattr(b, f) for b in blocks]) for f in ("data", "valid"))
    numbers, masks = sha256(np.where(valid, data, 0).tobytes()), sha256(valid.tobytes())
    return sha256(numbers.digest() + masks.digest()).hexdigest()


def test_what_was_removed_is_what_is_gone():
    rec = head(hum=20.0)
    found = evaluate.recommend(rec)
    done = evaluate.cleaning.clean(rec, found, None, lambda n: None).cleaned
    out = through(found.pipeline, rec, block=N)[0]
    rows = done.channels(50.0)
    both = out.valid[:, 0]
    x, y = rec.read().data[:, 0].astype(float), out.data[:, 0].astype(float)
    hops = [slice(a, a + RATE) for a in range(0, N, RATE)]
    squares = sum(
        ((x[h] - y[h])[both[h]] - (x[h] - y[h])[both[h]].mean()).dot((x[h] - y[h])[both[h]])
        for h in hops
        if both[h].any()
    )
    assert rows[0]["rms_removed"] == pytest.approx(np.sqrt(squares / both.sum()), rel=1e-6)
    assert rows[0]["marked"] == int((~both).sum())
    assert rows[0]["line_after"] < 0.05 * rows[0]["line_before"]
    assert rows[0]["bands"]["alpha"][1] == pytest.approx(rows[0]["bands"]["alpha"][0], rel=0.02)


def test_the_spectrum_is_that_of_scipy():
    from scipy.signal import welch

    x = np.random.default_rng(11).standard_normal((2000, 2)).cumsum(axis=0)
    mine = evaluate.cleaning._spectrum.Spectrum(250.0, 2, 2000)
    mine.add(x, np.ones(x.shape, bool))
    f, density = welch(x, 250.0, nperseg=500, axis=0)
    assert np.allclose(mine.frequency, f)
    assert np.allclose(mine.density[1:-1], density[1:-1], rtol=1e-10)


@pytest.mark.parametrize("seconds", [0.004, 0.5, 1.0, 6.0])
def test_short_ones_say_what_cannot_be_judged(seconds):
    n = max(1, round(seconds * RATE))
    rec = record.from_array(np.random.default_rng(12).standard_normal((n, 5)), RATE, 5)
    found = evaluate.recommend(rec)
    assert finding(found, "artefacts").level == "unknown"
    assert "Not judged" in found.summary
    evaluate.cleaning.clean(rec, found, None, lambda n: None)


def test_odd_recordings():
    one = evaluate.recommend(record.from_array(np.zeros((2000, 1)), RATE, ["Cz"]))
    assert finding(one, "offset").level == "unknown"
    none = evaluate.recommend(record.from_array(np.zeros((2000, 1)), RATE, ["STI"], kind="trigger"))
    assert finding(none, "electrodes").level == "unknown"
    assert kinds(none) == ["Integrity"]
    lost = evaluate.recommend(record.from_array(np.full((2000, 3), np.nan), RATE, 3))
    assert "6000 numbers (100 %)" in finding(lost, "missing").text
    slow = evaluate.recommend(record.from_array(np.random.default_rng(13).standard_normal((100, 3)), 10, 3))
    assert {finding(slow, t).level for t in ("channels", "mains")} == {"unknown"}
    with pytest.raises(ConfigError, match="stimulation > 0"):
        evaluate.recommend(head(), stimulation=-1.0)


def test_numbers_at_the_limit_of_single_precision_are_drawn():
    """Behind a high-pass their range is no number in single precision."""
    x = np.random.default_rng(14).standard_normal((8000, 4)).astype("f4")
    x[5000:5010] = 3e38
    rec = record.from_array(x, RATE, ["C3", "Cz", "C4", "Pz"])
    found = evaluate.recommend(rec)
    done = evaluate.cleaning.clean(rec, found, None, lambda n: None)
    assert not np.isinf(done.cleaned.after.ranges).any()
    assert "<svg" in evaluate.cleaning.report("x", found, done.cleaned, done.toml, [], False)


@pytest.mark.parametrize(("n", "rate"), [(2, 250), (3, 250), (20, 1), (300, 1e-3)])
def test_a_page_of_next_to_nothing(n, rate):
    rec = record.from_array(np.random.default_rng(14).standard_normal((n, 4)), rate, 4)
    found = evaluate.recommend(rec)
    done = evaluate.cleaning.clean(rec, found, None, lambda n: None)
    assert "</html>" in evaluate.cleaning.report("x", found, done.cleaned, done.toml, ["run"], False)


def test_numbers_near_the_largest_that_there_are():
    x = np.random.default_rng(15).standard_normal((5000, 4)).astype("f4")
    for huge in (x * np.float32(1e37), np.where(np.arange(5000)[:, None] == 2500, np.float32(3e38), x)):
        rec = record.from_array(huge, RATE, 4)
        found = evaluate.recommend(rec)
        done = evaluate.cleaning.clean(rec, found, None, lambda n: None)
        assert "</html>" in evaluate.cleaning.report("x", found, done.cleaned, done.toml, ["run"], False)


def test_spikes_at_a_rate_that_shows_none_are_not_judged():
    x = np.random.default_rng(16).standard_normal((5000, 2))
    found = evaluate.recommend(record.from_array(x, RATE, ["Cz", "u1"], kind=["eeg", "spikes"]))
    assert finding(found, "channels").level == "unknown"
    assert "7500 Hz" in finding(found, "channels").text


@pytest.mark.parametrize("given", [np.inf, np.nan, 0, 1e9, 1e300, "130", True])
def test_stimulation_is_a_frequency(given):
    with pytest.raises(ConfigError, match="stimulation > 0"):
        evaluate.recommend(record.from_array(np.zeros((100, 2)), RATE, 2), stimulation=given)


def test_only_pipelines_whose_output_can_be_laid_beside_the_input():
    from ranvier.features import Covariance

    rec = head()
    found = evaluate.recommend(rec)
    for given in (Covariance(length=1.0, hop=0.5), denoise.Integrity() | denoise.Decimate(2)):
        with pytest.raises(ConfigError, match="clean needs a pipeline"):
            evaluate.cleaning.clean(rec, found, given, lambda n: None)
    with pytest.raises((ConfigError, ContractError), match="at the entrance"):
        evaluate.cleaning.clean(rec, found, denoise.ASR() | denoise.Highpass(0.5), lambda n: None)


def test_real_recordings(shared):
    found = evaluate.recommend(record.open(shared / "eegmmidb_s001" / "S001R06.edf"))
    bad = {n for f in found.findings if f.topic == "channels" and f.level == "fault" for n in f.channels}
    assert "T10" in bad
    assert abs(float(finding(found, "mains").text.split()[0]) - 59.986) < 0.05  # the peak of the whole file's spectrum
    dbs = np.load(shared / "dbs_artifact" / "ecog_lfp_data.npy").T
    found = evaluate.recommend(record.from_array(dbs, 1000, ["ECOG", "LFP"], kind=["ecog", "lfp"]))
    assert kinds(found) == ["Integrity", "PARRM"]
    x = np.load(shared / "lfp_samples" / "ca1.npy").reshape(-1, 1)
    assert kinds(evaluate.recommend(record.from_array(x, 1250, ["CA1"], kind="lfp"))) == ["Integrity"]
