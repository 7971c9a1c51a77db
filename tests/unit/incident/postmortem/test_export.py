import pytest

from labserver.errors import CannotRun, UsageError
from labserver.incident.postmortem import pdf
from labserver.incident.postmortem.export import write_postmortem
from labserver.incident.postmortem.writeup import SECTIONS, Writeup
from labserver.stats.interval import Interval
from labserver.suite.bound import above, exactly
from labserver.suite.findings import Findings


@pytest.fixture
def run_dir(tmp_path):
    """A run whose reproduction found a leak of 200 kB a job; nothing else was run."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "02_heap_over_time.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    findings = Findings(tmp_path, "02_reproduce_the_leak")
    record(findings)
    findings.claim("checks_rate", 0.5, exactly(1, "every check passes", percent=True))
    return tmp_path


def record(findings, *, holds=True):
    slope = Interval(200_123.4, 199_900.0, 200_340.0, 0.99)
    findings.claim("leak_bytes_per_job", slope, above(0 if holds else 300_000), unit="B/job")
    findings.record("verdict", "leak", holds=True)
    findings.record("jobs_kept", 10, holds=True)
    findings.record("png_bytes_mean", 200_000, holds=True)


def test_a_section_quotes_findings_with_their_interval(run_dir):
    assert "**200.1 kB per finished job** (199.9 to 200.3, 99 % confidence)" in Writeup(run_dir).section("summary")


def test_a_section_is_shown_with_its_figures_as_part_of_it(run_dir, monkeypatch):
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: seen.append(getattr(data, "data", data)))
    Writeup(run_dir).show("discovery")
    before, figure, after = seen
    caption = "The leaky server's traced heap in time; shaded: while users load it"
    assert figure["text/plain"] == f"{caption} (figures/02_heap_over_time.svg)"
    assert after.startswith(f"*{caption}*\n\n")
    whole = Writeup(run_dir).section("discovery")
    assert whole == f"{before}![{caption}](figures/02_heap_over_time.svg){after.removeprefix(f'*{caption}*')}"


def test_what_was_not_measured_is_said_and_remembered(run_dir):
    writeup = Writeup(run_dir)
    assert "not measured in this run" in writeup.section("verification")
    assert {"04.ttl_bytes_per_job", "figures/04_both_modes.svg"} <= set(writeup.missing())


def test_a_claim_that_failed_stands_at_the_top_and_is_not_made(tmp_path):
    record(Findings(tmp_path, "02_reproduce_the_leak"), holds=False)
    text = Writeup(tmp_path).section("summary")
    assert text.startswith("> **1 of this run's claims does not hold")
    assert "**Does not hold in this run**: `02.leak_bytes_per_job` = 200,123 B/job" in text
    assert "per finished job**" not in text


def test_every_claim_is_listed_with_whether_it_holds(run_dir):
    rows = [line for line in Writeup(run_dir).section("findings").splitlines() if line.startswith("| `02.")]
    assert [row.split("|")[1].strip() for row in rows] == ["`02.checks_rate`", "`02.leak_bytes_per_job`"]
    assert [row.split("|")[-2].strip() for row in rows] == ["**no**", "yes"]


def test_html_and_markdown_are_written_in_both_languages(run_dir, tmp_path):
    to = tmp_path / "there"
    for language in ("en", "ko"):
        written = write_postmortem(run_dir, ["html", "md"], to=to, language=language)
        page = written[0].read_text(encoding="utf-8")
        assert f'<html lang="{language}">' in page
        assert "data:image/svg+xml" in page
        assert page.count("<section") == len(SECTIONS)
    assert {path.name for path in to.iterdir()} >= {"postmortem.html", "postmortem.ko.html", "postmortem.ko.md"}


@pytest.mark.parametrize("given", [{"formats": ["docx"]}, {"language": "fr"}])
def test_an_unknown_format_or_language_is_said(run_dir, given):
    with pytest.raises(UsageError, match="There is no"):
        write_postmortem(run_dir, **given)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_same_pdf_is_printed_twice(run_dir, tmp_path, language):
    if pdf.why_not(language):
        pytest.skip(pdf.why_not(language))
    prints = [write_postmortem(run_dir, ["pdf"], to=tmp_path / name, language=language)[0] for name in "ab"]
    assert prints[0].read_bytes() == prints[1].read_bytes()
    assert prints[0].read_bytes().startswith(b"%PDF")


def test_without_the_library_one_sentence_says_what_to_install(run_dir, monkeypatch):
    def missing():
        raise OSError("cannot load library")

    monkeypatch.setattr(pdf, "_weasyprint", missing)
    with pytest.raises(CannotRun, match="libpangoft2"):
        write_postmortem(run_dir, ["md", "pdf"])
    assert (run_dir / "postmortem.md").is_file()
