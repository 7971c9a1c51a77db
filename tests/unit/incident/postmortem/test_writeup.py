"""The write-up says what a run's findings say, in both languages, and nothing where they do not hold."""

import json
import re
from pathlib import Path

import pytest

from labserver.errors import UsageError
from labserver.incident.postmortem import fonts, i18n
from labserver.incident.postmortem.card import write_card
from labserver.incident.postmortem.i18n.catalogue import Catalogue, messages
from labserver.incident.postmortem.writeup import SECTIONS, Writeup
from labserver.stats.interval import Interval
from labserver.suite.bound import Phrase, at_least, at_most, between, exactly, says, within
from labserver.suite.findings import Findings

LANGUAGES = ("en", "ko")
TEMPLATES = Path(i18n.__file__).parents[1] / "templates" / "sections"
FAILED = {"en": "**Does not hold in this run**", "ko": "**이번 실행에서 성립하지 않음**"}
MISSING = {"en": "*Not measured in this run*", "ko": "*이번 실행에서 측정하지 않음*"}
QUOTED = re.compile(r'\b(?:f|interval)\("([^"]+)"')
NOTEBOOK = {number: f"{number}_notebook" for number in (f"{n:02}" for n in range(1, 11))}
UNDECIDED = "05.cpu_ms_per_poll"
REASONS = {f"06.reason_{store}": "holds in part" for store in ("weak", "soft", "redis", "timer")}


def references():
    """Every finding that a message quotes or rests on, and those that only tables ask for."""
    found = {name for entry in messages().values() for name in QUOTED.findall(entry["en"])}
    found |= {name for entry in messages().values() for name in entry.get("rests_on", ())}
    found |= {name for path in TEMPLATES.glob("*.j2") for name in re.findall(r'"(\d\d\.[^"]+)"', path.read_text())}
    return sorted({name.replace("*", "1") for name in found} - {"06.reason_", "06.reason_1", "06.redis_measured"})


def finding(reference, value=1.5, *, holds=True):
    number, _, name = reference.partition(".")
    return {
        "name": name, "notebook": NOTEBOOK[number], "value": REASONS.get(reference, value), "unit": "",
        "low": value - 1, "high": value + 1, "bound": "none", "holds": holds, "evidence": [], "text": "",
    }  # fmt: skip


@pytest.fixture
def make_run(tmp_path):
    """Write a run in which everything was measured; what is named differs: another value, a broken claim, nothing."""
    values = {reference: 5e6 + 70_001 * number for number, reference in enumerate(references())}

    def make(*, changed=(), failed=(), without=(), extra=()):
        found = [
            finding(reference, value * (3 if reference in changed else 1), holds=reference not in failed)
            for reference, value in values.items()
            if reference not in without
        ]
        document = {"schema": "labserver.findings/1", "findings": [*found, *extra]}
        (tmp_path / "findings.json").write_text(json.dumps(document), encoding="utf-8")
        return tmp_path

    return make


def sentences(language):
    """The messages that quote findings as figures, and those figures; `rests_on` counts as quoted."""
    for key, entry in messages().items():
        figures = list(dict.fromkeys(QUOTED.findall(entry[language])))
        if (figures or entry.get("rests_on")) and not key.startswith("answer.redis_missing"):
            yield key, figures, [name.replace("*", "1") for name in entry.get("rests_on", ())]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_in_a_sentence_follows_its_finding(make_run, language):
    whole = Writeup(make_run(), language)
    said = {key: whole.say(key) for key, _, _ in sentences(language)}
    assert not [key for key, text in said.items() if text.startswith((FAILED[language], MISSING[language]))]
    by_figure = {}
    for key, figures, _ in sentences(language):
        for figure in set(figures) - set(REASONS):
            by_figure.setdefault(figure, []).append(key)
    for figure, keys in by_figure.items():
        other = Writeup(make_run(changed=[figure]), language)
        assert [key for key in keys if other.say(key) == said[key]] == [], figure


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_figure_that_is_typed_is_the_originals_or_part_of_a_name(language):
    original = {"5", "30", "50", "3", "1.48", "10", "40", "0"}
    named = {"503", "95", "99", "99.9", "1", "2", "512", "4", "1,000", "100,000"}  # statuses, percentiles, sizes
    for key, entry in messages().items():
        if not key.startswith(("heading.", "discovery.then.", "claim.")) and not key.endswith(".original"):
            typed = re.sub(r"\{[{%].*?[%}]\}|`[^`]*`", "", entry[language])
            assert set(re.findall(r"(?<![a-z\d.,])\d(?:[\d.,]*\d)?", typed)) <= original | named, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_is_not_said_where_any_of_its_claims_fails_or_is_missing(make_run, language):
    by_claim = {}
    for key, figures, rests_on in sentences(language):
        for claim in [*figures, *rests_on]:
            by_claim.setdefault(claim, []).append(key)
    for claim, keys in by_claim.items():
        failing, lacking = Writeup(make_run(failed=[claim]), language), None
        assert [key for key in keys if not failing.say(key).startswith(FAILED[language])] == [], claim
        lacking = Writeup(make_run(without=[claim]), language)
        assert [key for key in keys if not lacking.say(key).startswith(MISSING[language])] == [], claim


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("claim", ["04.ttl_jobs_kept", "02.leak_bytes_per_job", "06.reason_weak"])
def test_a_failed_claim_stands_in_the_summary_and_is_marked_where_its_figure_is_in_a_table(make_run, language, claim):
    writeup = Writeup(make_run(failed=[claim]), language)
    summary = writeup.section("summary")
    assert re.match(r"> \*\*.*\b1", summary)
    assert f"`{claim}`" in summary.splitlines()[2]
    assert writeup.words.message("standing.failed").text in writeup.section("findings")
    if claim == "04.ttl_jobs_kept":
        cell = writeup.section("verification").splitlines()[8].split("|")[3]
        assert "✗" in cell


def test_all_holds_and_nothing_is_missing_but_the_figures(make_run):
    for language in LANGUAGES:
        writeup = Writeup(make_run(), language)
        text = "\n".join(section.body for section in writeup.sections())
        assert FAILED[language] not in text
        assert MISSING[language] not in text
        assert [name for name in writeup.missing() if not name.startswith("figures/")] == []


def test_each_of_the_originals_figures_has_a_row_beside_ours(make_run):
    rows = [row.split("|")[1:4] for row in Writeup(make_run()).section("discovery").splitlines() if row.startswith("|")]
    table = {row[0].strip(): (row[1].strip(), row[2].strip()) for row in rows[2:]}
    assert [original for original, _ in table.values()] == [
        "5 × 30 s",
        "50, 1.48/s",
        "29.8 ms, 110.15 ms",
        "100 %",
        "3 s, 40 polls (2 min)",
        "10 min, 60 s",
        "1 s",
        "over 30 s",
    ]
    assert all(re.search(r"\d", ours) for _, ours in table.values())
    assert "heap sample interval" in table


@pytest.mark.parametrize(
    ("provenance", "said"),
    [
        ({"profile": "seed"}, "can be compared as they stand"),
        ({"profile": "ci"}, "scaled down** (profile `ci`)"),
        ({"profile": None}, "scaled down**: rates"),
        ({}, "does not say with which profile"),
    ],
)
def test_whether_the_columns_can_be_compared_is_said(make_run, provenance, said):
    run = make_run()
    if provenance:
        (run / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    assert said in Writeup(run).section("discovery")


def test_a_damaged_provenance_is_one_sentence(make_run):
    run = make_run()
    (run / "provenance.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^provenance\.json is not a file of provenance\.$"):
        Writeup(run)


def test_the_origin_is_stated_in_utc(make_run):
    run = make_run()
    document = {
        "profile": "ci",
        "started": "2026-03-01T01:30:00+09:00",
        "versions": {"labserver": "9.9", "python": "3.11.1"},
        "machine": {"cpu_count": 4, "memory_bytes": 2**33},
    }
    (run / "provenance.json").write_text(json.dumps(document), encoding="utf-8")
    assert "labserver 9.9 on 2026-02-28 16:30 UTC, profile `ci`" in Writeup(run).origin()


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_redis_its_reason_was_not_run_and_is_not_missing(make_run, language):
    extra = finding("06.redis_measured", 2.0) | {"value": "not measured"}
    without = [name for name in references() if name.startswith("06.") and "redis" in name]
    writeup = Writeup(make_run(without=without, extra=[extra]), language)
    (row,) = [line for line in writeup.section("rationale").splitlines() if line.startswith("| `redis`")]
    answers = writeup.section("answers") + writeup.section("claims")
    assert {"en": "not run: there is no Redis", "ko": "Redis가 없어 실행하지 않음"}[language] in row
    assert {"en": "not available on this machine", "ko": "이 장비에서는 측정할 수 없음"}[language] in answers
    assert [name for name in writeup.missing() if "redis" in name] == []


def test_without_a_limit_on_memory_exhaustion_is_not_missing(make_run):
    missing = [name for name in references() if re.match("08.(leaky|ttl|byte_budget|memory)", name)]
    extra = finding("08.exhaustion_measured", 2.0) | {"value": "no: this system does not enforce RLIMIT_AS"}
    writeup = Writeup(make_run(without=[*missing, "08.exhaustion_measured"], extra=[extra]))
    text = "\n".join(section.body for section in writeup.sections())
    assert "Running out of memory was not measured" in text
    assert [name for name in writeup.missing() if not name.startswith("figures/")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_claim_that_its_interval_does_not_decide_is_said_to_be_undecided(make_run, language):
    undecided = finding(UNDECIDED, holds=False) | {"undecided": True}
    run = make_run(without=[UNDECIDED], extra=[undecided])
    words = messages()["state.undecided"][language]
    assert words in Writeup(run, language).say("cause.polling")
    assert words not in Writeup(make_run(failed=[UNDECIDED]), language).say("cause.polling")


def test_every_message_is_said_somewhere(make_run, monkeypatch):
    """A message that nobody asks for is a row or a sentence that was forgotten."""
    asked = {"title", "contents", "code", "description", "figure_words", "figures_as_drawn", "origin", "card.origin"}
    message = Catalogue.message
    monkeypatch.setattr(Catalogue, "message", lambda self, key: asked.add(key) or message(self, key))
    runs = [
        {},
        {"failed": references()},
        {"without": references()},
        {"without": [name for name in references() if "redis" in name and "measured" not in name],
         "extra": [finding("06.redis_measured", 2.0) | {"value": "not measured"}]},
        {"without": ["08.leaky_jobs_to_death"]},
        {"extra": [finding("09.none", 2.0) | {"value": None}]},
        {"without": [UNDECIDED], "extra": [finding(UNDECIDED, holds=False) | {"undecided": True}]},
    ]  # fmt: skip
    for given in runs:
        Writeup(make_run(**given)).sections()
    write_card(Writeup(make_run()), make_run() / "card.png")
    for verdict in ("holds", "does not hold"):
        monkeypatch.setitem(REASONS, "06.reason_weak", verdict)
        run = make_run()
        Writeup(run).section("rationale")
    for profile in ("seed", "ci"):
        (run / "provenance.json").write_text(json.dumps({"profile": profile}), encoding="utf-8")
        Writeup(run).section("discovery")
    assert sorted(set(messages()) - asked) == []


def test_values_units_and_bounds_are_words_of_the_language(make_run):
    told, window = (
        Phrase("not done after {polls} polls", {"polls": 40}),
        Phrase("polls in {milliseconds:.0f} ms", {"milliseconds": 125}),
    )
    run = make_run()
    findings = Findings(run, "09_any")
    findings.record("a", True, holds=True, bound=says("some of it"))
    findings.record("b", "leak", holds=True, bound=says("no-leak"))
    findings.claim("c", Interval(-2.5, -3.0, -2.0, 0.99), between(-4, 4, covers=-2.5), unit="1/s")
    findings.record("d", "jobs → ['a|1']", holds=True, bound=says("{holder}", holder="jobs"))
    findings.claim("e", 89, at_least(40, "half of {clients} clients", clients=80), unit="requests")
    findings.claim("f", 0.0013, at_most(0.125, "in each case", percent=True))
    findings.record("g", None, holds=True, bound=says("never: nothing comes to remove it"), unit="s")
    findings.record("h", told, holds=True, bound=exactly(40))
    findings.claim("i", 21, within(0.25, 20, "arrivals − capacity"), unit=window)
    rows = {
        language: [line for line in Writeup(run, language).section("findings").splitlines() if "| `09." in line]
        for language in LANGUAGES
    }
    cells = {
        language: [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", row)[3:5]) for row in found]
        for language, found in rows.items()
    }
    assert cells["en"] == [
        ("yes", "some of it"),
        ("leak", "no leak"),
        ("−2.5/s (−3 to −2)", "within ±4, covering −2.5"),
        ("`jobs → ['a\\|1']`", "`jobs`"),
        ("89 requests", "at least 40: half of 80 clients"),
        ("0.13 %", "at most 12.50 %: in each case"),
        ("none", "never: nothing comes to remove it"),
        ("not done after 40 polls", "exactly 40"),
        ("21 polls in 125 ms", "within 25 % of 20: arrivals − capacity"),
    ]
    assert cells["ko"] == [
        ("예", "`some of it`"),
        ("누수", "누수 아님"),
        ("−2.5/s (−3 ~ −2)", "±4 이내, −2.5 포함"),
        ("`jobs → ['a\\|1']`", "`jobs`"),
        ("89건", "40 이상: 클라이언트 80개의 절반"),
        ("0.13%", "12.50% 이하: 각 사례에서"),
        ("없음", "해제되지 않음: 제거하는 주체가 없음"),
        ("40회 폴링 후에도 미완료", "정확히 40"),
        ("21회(125 ms 구간)", "20의 25% 이내: 도착률 − 처리 능력"),
    ]


def test_a_run_that_an_older_version_wrote_is_read_in_its_own_english(make_run):
    extra = [finding("09.first", 3.0) | {"bound": "at most 10 %, in each case", "low": None}]
    run = make_run(extra=extra)
    for language, bound in (("en", "at most 10 %, in each case"), ("ko", "`at most 10 %, in each case`")):
        (row,) = [line for line in Writeup(run, language).section("findings").splitlines() if "| `09." in line]
        assert [cell.strip() for cell in row.split("|")[3:5]] == ["3", bound]


def test_without_korean_fonts_the_reader_is_told_of_the_figures(make_run, monkeypatch):
    assert "노트북이 그린" not in Writeup(make_run(), "ko").origin()
    monkeypatch.setattr(fonts, "korean", lambda: None)
    assert "노트북이 그린" in Writeup(make_run(), "ko").origin()
    assert Writeup(make_run(), "en").origin() == "\n"


def test_percentages_are_written_as_the_language_does(make_run):
    assert re.search(r"\d %", Writeup(make_run(), "en").section("summary"))
    assert not re.search(r"\d %", "".join(section.body for section in Writeup(make_run(), "ko").sections()))


def test_sections_are_numbered_as_the_originals(make_run):
    assert [section.name for section in Writeup(make_run()).sections()] == list(SECTIONS)
