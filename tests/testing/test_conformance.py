"""The conformance suite passes what is sound and catches what is broken, each fault by the check meant for it."""

import pytest

from ranvier.testing import CHECKS, ConformanceError, check_stage, report_stage
from tests.testing.broken import CASES, INFO, SOUND


@pytest.fixture(autouse=True)
def public_names(monkeypatch):
    """Let the broken stages be written to files as if they were published."""
    from ranvier.stage import _config
    from tests.testing import broken

    monkeypatch.setattr(_config, "name_of", lambda s: f"broken.{type(s).__name__}")
    monkeypatch.setattr(_config, "resolve", lambda use, key="use": getattr(broken, use.split(".")[1]))
    yield
    broken.LEAK.clear()


@pytest.mark.parametrize("name", CASES)
def test_broken_stage_is_caught_by_the_check_meant_for_it(name):
    stage, check = CASES[name]
    with pytest.raises(ConformanceError, match=check):
        check_stage(stage, INFO, only=[check])


@pytest.mark.parametrize("stage", SOUND, ids=lambda s: type(s).__name__)
def test_sound_stage_passes_everything(monkeypatch, stage):
    from ranvier.stage import _config, _registry

    if type(stage).__module__.startswith("ranvier"):
        monkeypatch.setattr(_config, "name_of", _registry.name_of)
        monkeypatch.setattr(_config, "resolve", _registry.resolve)
    report = report_stage(stage, INFO)
    assert report.failures == []
    assert len(report.results) == len(CHECKS)


def test_report_is_plain_and_counts():
    table = report_stage(SOUND[0], INFO, only=["contract", "segment"]).as_dict()
    assert table["passed"] == 2
    assert table["failed"] == 0
    assert [r["check"] for r in table["results"]] == ["contract", "segment"]


def test_every_check_but_those_of_the_compiler_has_a_broken_stage():
    assert {check for _, check in CASES.values()} == set(CHECKS) - {"width", "fused"}
