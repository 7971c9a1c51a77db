import re
import runpy
from pathlib import Path

import pytest

from labserver.incident import experiments
from labserver.incident.postmortem.i18n.catalogue import Catalogue, figure_labels, finding_names, forms, messages
from labserver.suite.bound import Phrase, says

HANGUL = re.compile(r"[가-힣]")
PLACEHOLDERS = re.compile(r"\{\w+\}")
EXPERIMENTS = Path(__file__).parents[1] / "experiments"
CLAIMS = runpy.run_path(str(EXPERIMENTS / "test_every_claim_can_fail.py"))
# What is written in Korean as it is in English: names, numbers and signs.
THE_SAME = {"N = X·R", "from {low} to {high}", "1/s", "1/h"}


@pytest.fixture
def korean():
    return Catalogue("ko")


def test_every_message_has_its_translation_with_the_same_figures():
    expressions = re.compile(r"\{\{.*?\}\}")
    for key, entry in messages().items():
        assert sorted(expressions.findall(entry["en"])) == sorted(expressions.findall(entry["ko"])), key
        wordless = not re.search(r"[a-z]{3}", expressions.sub("", entry["en"]))
        assert HANGUL.search(entry["ko"]) or wordless or key == "state.interval", key


def test_every_form_and_name_has_its_translation_with_the_same_placeholders():
    for form, texts in forms().items():
        placeholders = {f"{{{name}}}" for name in re.findall(r"\{(\w+)(?::[^}]*)?\}", form)}
        assert placeholders == set(PLACEHOLDERS.findall(texts["en"])) == set(PLACEHOLDERS.findall(texts["ko"])), form
        wordless = not re.search(r"[a-z]", PLACEHOLDERS.sub("", texts["en"]))
        assert HANGUL.search(texts["ko"]) or form in THE_SAME or wordless, form
    for names in finding_names().values():
        for form, texts in names.items():
            assert HANGUL.search(texts["ko"])
            assert set(PLACEHOLDERS.findall(form)) == set(PLACEHOLDERS.findall(texts["en"])), form
            assert set(PLACEHOLDERS.findall(form)) == set(PLACEHOLDERS.findall(texts["ko"])), form
    for form, texts in figure_labels().items():
        assert sorted(PLACEHOLDERS.findall(texts["en"])) == sorted(PLACEHOLDERS.findall(texts["ko"])), form


def test_no_label_of_a_figure_is_left_over():
    sources = [*Path(*experiments.__path__).rglob("*.py"), *CLAIMS["NOTEBOOKS"]]
    # A notebook is JSON, in which a quotation mark is escaped; a long text is written in parts.
    written = "\n".join(path.read_text(encoding="utf-8").replace('\\"', '"') for path in sources)
    written = re.sub(r'"\\n",\n\s+"\s+"', "", written)
    made_of_a_name = {"ttl above", "ttl below", "byte budget", "after (async)", "after (sync)"}
    assert {form for form in figure_labels() if form not in written} == made_of_a_name


def test_a_form_takes_its_arguments_along(korean):
    bound = says("leak: more than {tolerance:,.0f} B/job, and not slowing down", tolerance=3754.2)
    (phrase,) = bound.phrases()
    assert korean.phrase(phrase) == "누수: job당 3,754 B 초과, 증가세 둔화 없음"
    share = Phrase("{share:.0%} of the fixed intervals' {most}", {"share": 0.75, "most": 40})
    assert korean.phrase(share) == "고정 간격 40건의 75%"
    assert Catalogue("en").phrase(share) == "75 % of the fixed intervals' 40"


def test_a_sentence_is_only_known_by_its_form(korean):
    sentence = Phrase.of_text("75 % of the fixed intervals' 40")
    assert korean.phrase(sentence) is None
    assert Catalogue("en").phrase(sentence) == "75 % of the fixed intervals' 40"


def test_a_name_is_known_by_its_form(korean):
    assert korean.finding("06.recommended_refused") == "순간 부하에서 거절한 job"
    assert korean.finding("06.byte_budget_refused") == "byte_budget이(가) 거절한 job"
    assert korean.finding("06.refused") is None
    assert korean.finding("11.refused") is None


@pytest.fixture(scope="module")
def found():
    """What the notebooks find on the runs made by hand, by notebook: on the good run, and with each cause put back."""
    return {
        path.stem: [
            finding
            for changed in ({}, *(changed for changed, _ in CLAIMS["REGISTER"][path.stem[3:]]["CAUSES"].values()))
            for finding in CLAIMS["judged"](path, **changed).values()
        ]
        for path in CLAIMS["NOTEBOOKS"]
    }


def test_every_claim_can_be_read_in_korean_also_where_it_fails(found, korean):
    claims = [finding for findings in found.values() for finding in findings if finding.is_claim]
    names = {finding.reference for finding in claims}
    assert {name for name in names if korean.finding(name) is None} == set()
    phrases = [phrase for finding in claims for phrase in phrases_of(finding)]
    assert {phrase.form for phrase in phrases if korean.phrase(phrase) is None} == set()
    units = {finding.unit for finding in claims if "unit" not in finding.phrases and len(finding.unit) > len("B/job")}
    assert {unit for unit in units if korean.word(unit) is None} == set()


def test_no_form_is_left_over(found):
    everything = [finding for findings in found.values() for finding in findings]
    used = {phrase.form for finding in everything for phrase in phrases_of(finding)}
    used |= {text for finding in everything for text in (str(finding.value), finding.unit)}
    assert set(forms()) - used == {"object store"}  # recommended at a rate that no run made by hand has


def phrases_of(finding):
    return [*(finding.bound.phrases() if finding.bound else ()), *finding.phrases.values()]
