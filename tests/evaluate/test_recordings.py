"""Real recordings: published figures come out, peers are reproduced, streams equal files."""

from dataclasses import replace
from pathlib import Path

import pytest

from ranvier.evaluate import load_protocol, run

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "protocols"

# MOABB 1.2.0, within-session, 5 folds, seed 42, 4 classes: per-subject reruns
MOABB = {"01": (0.687, 0.609)}


def by_name(results):
    return {(r["pipeline_name"], r["subject"]): r for r in results.rows}


@pytest.fixture(scope="module")
def kalunga(shared):
    protocol = replace(load_protocol(FOLDER / "kalunga_within.toml"), cuts=(256,))
    files = [p for s in MOABB for p in sorted((shared / "kalunga2016_ssvep").glob(f"sub-{s}_*_raw.fif"))]
    return by_name(run(protocol, files))


def test_the_peer_is_moabb_to_the_published_digit(kalunga):
    for subject, (ts, mdm) in MOABB.items():
        assert kalunga["MOABB TS+LR", subject]["score"] == pytest.approx(ts, abs=5e-4)
        assert kalunga["MOABB MDM", subject]["score"] == pytest.approx(mdm, abs=5e-4)


def test_causal_pipelines_lie_within_the_interval_of_moabb_s_and_ours_above(kalunga):
    for subject in MOABB:
        for name in ("MDM", "TS+LR"):
            ours, peer = kalunga[name, subject], kalunga[f"MOABB {name}", subject]
            assert ours["low"] <= peer["score"] <= ours["high"]
        best = max(kalunga[f"MOABB {name}", subject]["score"] for name in ("MDM", "TS+LR"))
        assert kalunga["TS+LR, harmonics", subject]["score"] > best


def test_streamed_and_offline_are_the_same(kalunga):
    assert all(r["streamed_equals_offline"] for r in kalunga.values() if not r["peer"])


def test_flint_is_followed_as_well_as_by_the_peers(shared):
    rows = by_name(run(load_protocol(FOLDER / "flint.toml"), shared / "flint_run1"))
    wiener, kalman = rows["Wiener, 5 lags", ""], rows["Kalman", ""]
    assert wiener["score"] == pytest.approx(0.675, abs=2e-3)  # the set's README
    assert wiener["score"] == pytest.approx(rows["lag regression", ""]["score"], abs=1e-4)
    assert kalman["score"] == pytest.approx(rows["Kalman in closed form", ""]["score"], abs=1e-4)
    assert kalman["score"] == pytest.approx(0.765, abs=0.015)
    assert wiener["streamed_equals_offline"] is kalman["streamed_equals_offline"] is True


def test_bci_competition_ii_iv_has_the_competition_s_split(shared):
    results = run(load_protocol(FOLDER / "bci2_iv.toml"), shared / "bci2_selfpaced")
    for row in results.rows:
        assert row["n"] == 100
        assert row["low"] > 0.5
    for line in results.summary():
        assert all(d["high"] >= 0 for d in line["differences"])


def test_the_speller_spells(shared):
    protocol = replace(load_protocol(FOLDER / "bci2000_speller.toml"), cuts=(256,))
    rows = by_name(run(protocol, shared / "bci2000_samples" / "eeg3_1.dat"))
    ours, peer = rows["Xdawn+LDA", "PXB"], rows["pyRiemann Xdawn+LDA", "PXB"]
    assert (ours["n"], ours["n_folds"]) == (720, 4)
    assert ours["high"] > peer["score"]
    assert ours["low"] > 0.75
    assert ours["letters"][-1]["right"] == ours["letters"][-1]["letters"] == 4
