import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from labserver.incident.experiments.challenge import answers
from labserver.incident.experiments.challenge.run_length import run_verdict

HAND_MADE = runpy.run_path(str(Path(__file__).parents[1] / "claims" / "challenge_the_fix.py"))


@pytest.fixture
def made():
    """The names of a run made by hand, with some of its figures changed."""

    def run(**changed):
        return SimpleNamespace(**HAND_MADE["run"](SimpleNamespace(**(HAND_MADE["GOOD"] | changed))))

    return run


def run_length(found):
    verdict = run_verdict(found.original, found.lengths.noise)
    return answers.run_length(found.lengths, verdict, found.needed, run_s=found.incident_run_s)


def bytes_kept(found):
    return answers.bytes_kept(found.slopes, found.grid, heap_bytes=2.0**29, rate_per_s=4.326)


def test_the_answer_on_the_run_length_is_that_of_the_run(made):
    found = made()
    said = run_length(found)
    for ttl, apart in found.lengths.measured.items():
        assert f"that of {ttl:g} s after {apart:.2f} s" in said
    assert "601 to" in said
    assert said.endswith("to scale, the verdict on it is: cannot be told apart.")


def test_the_answer_says_so_where_the_run_refutes_what_is_expected(made):
    said = run_length(made(lives_for=float("inf"), original_ttl_s=10.0))
    assert said.count("not at all") == 3
    assert "cannot be told apart" not in said


def test_the_answer_on_the_bytes_has_both_slopes_the_worst_error_and_the_rate(made):
    found = made(mean=0.85)
    said = bytes_kept(found)
    assert str(found.slopes["ttl"]) in said
    assert str(found.slopes["leaky"]) in said
    assert "at most 15.0 %" in said
    assert "4.33 jobs a second fill 512 MiB" in said


def test_the_answer_on_the_slow_job_has_both_stamps(made):
    found = made()
    said = answers.slow_job(found.by_completion, found.by_submission, sweep_s=found.slow.sweep_s)
    completion, submission = said.split("Counted from the ")[1:]
    assert completion.startswith("completion")
    assert "the answer was 200" in completion
    assert submission.startswith("submission")
    assert "the answer was 410" in submission


def test_a_notebook_shows_it_as_a_paragraph(made):
    said = run_length(made())
    assert said._repr_markdown_() == repr(said)
    assert said.startswith("**Answer of this run.** ")
