"""The headline on a slide: its size, what it says, and that nothing on it is cut off or covered."""

import json

import numpy as np
import pytest
from PIL import Image

from labserver.errors import CannotRun
from labserver.incident.postmortem import card, fonts
from labserver.incident.postmortem.card import write_card
from labserver.incident.postmortem.writeup import Writeup

LEAK = {"notebook": "02_any", "unit": "B/job", "bound": "none", "evidence": [], "text": ""}
VALUES = {
    "02": {"leak_bytes_per_job": 188_123.0, "verdict": "leak", "jobs_kept": 380},
    "03": {
        "buffers": 50,
        "share_of_growth": 0.9925,
        "holder": "module threading → JobQueue._store → LeakyJobStore._jobs",
        "allocated_at": "labserver/incident/service/face.py:82 in compose",
    },
    "04": {
        "leaky_bytes_per_job": 188_066.0,
        "ttl_bytes_per_job": 19.2,
        "ttl_verdict": "no-leak",
        "ttl_jobs_kept": 0,
        "drain_s": 720,
    },
    "06": {
        "recommended_store": "byte-budget",
        "recommended_peak_bytes": 788_439,
        "recommended_lost_unread": 0,
        "recommended_refused": 14,
        "recommended_accepted_again": True,
    },
    "07": {"rate_that_exhausts_1_gib_per_s": 8.652, "plateau_error_max": 0.01, "peak_error_max": 0.01},
}


@pytest.fixture
def make_run(tmp_path):
    """Write a run with the findings that the card quotes, of which some fail or are not there."""

    def make(*, failed=(), without=()):
        found = [
            LEAK
            | {"name": name, "notebook": f"{number}_any", "value": value, "holds": f"{number}.{name}" not in failed}
            | ({"low": value - 100, "high": value + 100} if isinstance(value, float) else {"low": None, "high": None})
            for number, values in VALUES.items()
            for name, value in values.items()
            if f"{number}.{name}" not in without
        ]
        document = {"schema": "labserver.findings/1", "findings": found}
        (tmp_path / "findings.json").write_text(json.dumps(document), encoding="utf-8")
        origin = {
            "profile": "seed",
            "started": "2026-03-01T01:30:00+00:00",
            "versions": {"labserver": "9.9", "python": "3.11.1"},
            "machine": {"cpu_count": 4, "memory_bytes": 2**33},
        }
        (tmp_path / "provenance.json").write_text(json.dumps(origin), encoding="utf-8")
        return tmp_path

    return make


def drawn(run, language="en"):
    """The picture as an array, and what it says."""
    if language == "ko" and fonts.korean() is None:
        pytest.skip("Korean fonts are missing")
    path = run / "card.png"
    write_card(Writeup(run, language), path)
    with Image.open(path) as image:
        said = image.info["Description"].replace("\N{NO-BREAK SPACE}", " ")
        return np.asarray(image.convert("RGB")), said.split("\n")


def ink(picture, top, bottom, left, right):
    """The share of a part's pixels that are not white."""
    return (picture[top:bottom, left:right] < 250).any(axis=2).mean()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_is_a_slide_with_the_headline_holder_fix_and_risk(make_run, language):
    picture, said = drawn(make_run(), language)
    assert picture.shape == (675, 1200, 3)
    whole = "\n".join(said)
    for figure in ("188.1 kB", "LeakyJobStore._jobs", "face.py:82", "0.02 kB", "8.65", "byte-budget", "labserver 9.9"):
        assert figure in whole
    assert ("20 of 20 claims hold" if language == "en" else "주장 20건 중 20건 성립") in said
    assert not [mark for mark in ("**", "`", "threading") if mark in whole]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(
    "failed", [(), ("02.verdict",), tuple(f"0{n}.{name}" for n in (3, 4, 6, 7) for name in VALUES[f"0{n}"])]
)
def test_nothing_reaches_the_margins_the_bars_or_the_foot(make_run, language, failed):
    picture, _ = drawn(make_run(failed=failed), language)
    assert ink(picture, 0, 40, 0, 1200) == 0
    assert ink(picture, 0, 675, 0, 50) == 0
    assert ink(picture, 0, 675, 1160, 1200) == 0
    assert ink(picture, 0, 600, 750, 790) == 0  # between the words and the bars
    assert ink(picture, 590, 602, 0, 1200) == 0  # above the line of the foot
    assert ink(picture, 600, 675, 50, 300) > 0.01


def test_the_bars_stand_for_before_and_after(make_run):
    picture, said = drawn(make_run())
    before, after = (np.array(colour) for colour in ((0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)))
    right = picture[:, 790:]
    tall, low = ((right == colour).all(axis=2).sum() for colour in (before, after))
    assert tall > 1000 * max(low, 1) / 10
    assert [line for line in said if line.startswith(("before", "after"))] == ["before: 188.1 kB", "after: 0.02 kB"]


@pytest.mark.parametrize("lacking", [{"failed": ["04.ttl_bytes_per_job"]}, {"without": ["04.leaky_bytes_per_job"]}])
def test_bars_that_cannot_be_relied_on_are_not_drawn(make_run, lacking):
    picture, said = drawn(make_run(**lacking))
    assert ink(picture, 0, 600, 790, 1200) == 0
    assert [line for line in said if "Does not hold" in line or "Not measured" in line]


def test_a_claim_that_failed_is_no_headline(make_run):
    _, said = drawn(make_run(failed=["02.leak_bytes_per_job"]))
    assert [line for line in said if line.startswith("Does not hold in this run: 02.leak_bytes_per_job")]
    assert "188.1 kB per finished job" not in said
    assert "19 of 20 claims hold" in said


def test_the_same_card_is_drawn_twice(make_run):
    run = make_run()
    drawn(run)
    first = (run / "card.png").read_bytes()
    drawn(run)
    assert (run / "card.png").read_bytes() == first


def test_without_korean_fonts_one_sentence_says_what_to_install(make_run, monkeypatch):
    monkeypatch.setattr(card.fonts, "korean", lambda: None)
    with pytest.raises(CannotRun, match="koreanize-matplotlib"):
        write_card(Writeup(make_run(), "ko"), make_run() / "card.png")
