"""The real notebooks through the real runner: their claims hold."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from labserver.heap.monitor import Curve
from labserver.incident.postmortem import fonts
from labserver.incident.postmortem.export import write_postmortem
from labserver.incident.postmortem.figure_words import drawing, words_of
from labserver.incident.postmortem.writeup import Writeup
from labserver.suite.result import Status


def finding(result, notebook, name):
    (found,) = [
        f for item in result.notebooks if item.name.startswith(notebook) for f in item.findings if f.name == name
    ]
    return found


def test_every_claim_holds(story, settled):
    assert [(item.name, item.message) for item in settled.notebooks if item.status is not Status.PASSED] == []
    assert len(settled.notebooks) == len(story.notebooks) == 11
    assert story.exit_code == any(item.status is Status.CLAIM_FAILED for item in story.notebooks)


def test_the_first_page_finds_the_leak_and_believes_the_fix(settled):
    assert finding(settled, "00", "before_verdict").value == "leak"
    assert finding(settled, "00", "before_holder").value == "module __main__ → results → ['…']"
    assert finding(settled, "00", "after_verdict").value == "no-leak"


def test_a_job_costs_its_png_and_its_record(settled):
    leak, png = finding(settled, "02", "leak_bytes_per_job"), finding(settled, "02", "png_bytes_mean").value
    record = finding(settled, "02", "record_bytes").value
    assert leak.value == pytest.approx(png + record, abs=0.02 * png)
    assert leak.low < leak.value < leak.high
    assert 100 < record < 1000


def test_the_store_is_named_as_the_holder(settled):
    assert finding(settled, "03", "holder").value.endswith("→ LeakyJobStore._jobs")
    assert finding(settled, "03", "allocated_at").value.startswith("labserver/incident/service/face.py:")


def test_the_notebook_and_its_tools_are_no_holders(story):
    for name in ("holder", "objgraph_path"):
        path = finding(story, "03", name).value
        assert not re.search(r"__main__|IPython|ipykernel|labserver\.(heap|load|suite)|Experiment", path)


def test_the_fixed_store_keeps_nothing(settled):
    fixed, png = finding(settled, "04", "ttl_bytes_per_job"), finding(settled, "04", "png_bytes_mean").value
    assert fixed.low <= 0 <= fixed.high
    assert -0.01 * png < fixed.low
    assert fixed.high < 0.01 * png
    assert finding(settled, "04", "ttl_jobs_kept").value == 0
    assert finding(settled, "04", "drain_s").value > finding(settled, "04", "ttl_s").value


def test_each_misused_library_is_named_and_the_clean_service_is_not(settled):
    for name, holder in {"signals": "Signal.receivers", "charts": "Gcf.figs", "thumbnails": "CACHE"}.items():
        assert finding(settled, "09", f"{name}_verdict").value == "leak"
        assert holder in finding(settled, "09", f"{name}_holder").value
    assert finding(settled, "09", "clean_verdict").value == "no-leak"
    assert finding(settled, "09", "clean_bytes_per_job").high < 512


def test_the_run_directory_is_what_the_contract_says(story):
    names = {path.relative_to(story.run_dir).as_posix() for path in story.run_dir.rglob("*") if path.is_file()}
    notebooks = {f"{item.name}.ipynb" for item in story.notebooks}
    curves = {"curves/02_leaky.csv", "curves/03_leaky.csv", "curves/04_leaky.csv", "curves/04_ttl.csv"}
    assert notebooks | curves | {"findings.json", "provenance.json"} <= names
    for curve in curves:
        assert len(Curve.from_csv(story.run_dir / curve).rows) > 10
    assert json.loads((story.run_dir / "findings.json").read_text())["schema"] == "labserver.findings/1"


def test_the_postmortem_is_one_file_without_network_and_with_folded_code(story, tmp_path):
    (page,) = write_postmortem(story.run_dir, ["html"], to=tmp_path)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", text)
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", text)
    assert text.count('<details class="code">') == len(story.notebooks)
    assert "not measured in this run" not in text
    assert text.count("<img") + text.count("<svg") >= 6
    assert str(story.run_dir) not in text


def test_the_markdown_has_its_pictures_and_no_code(story, tmp_path):
    text_path, *pictures = write_postmortem(story.run_dir, ["md"], to=tmp_path)
    text = text_path.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+\.svg)\)", text)
    assert {tmp_path / name for name in linked} == set(pictures)
    assert len(linked) >= 6
    for picture in pictures:
        ET.parse(picture)
    assert "writeup.show" not in text
    for section in ("Background", "Discovery", "Cause", "Fix", "Verification", "Rationale", "Tools"):
        assert f"{section}\n" in text


def test_the_korean_page_has_no_english_left_but_names(story):
    writeup = Writeup(story.run_dir, "ko")
    text = "\n".join(section.body for section in writeup.sections())
    prose = re.sub(r"`[^`]*`|```.*?```", "", text, flags=re.DOTALL)
    assert not re.findall(r"\b[a-z]+ [a-z]+ [a-z]+\b", prose)
    claims = [f for item in story.notebooks for f in item.findings if f.bound]
    assert [f.name for f in claims if writeup.words.finding(f.reference) is None] == []
    assert [part.form for f in claims for part in f.bound.phrases() if writeup.words.phrase(part) is None] == []


def test_the_figures_of_the_korean_page_have_no_english_left_but_names(story):
    if fonts.korean() is None:
        pytest.skip("Korean fonts are missing")
    writeup = Writeup(story.run_dir, "ko")
    shown = re.findall(r"\((figures/[\w-]+\.svg)\)", "\n".join(section.body for section in writeup.sections()))
    words = [line for name in shown for line in words_of(drawing(story.run_dir / name, writeup.words))]
    assert len(shown) >= 15
    assert [line for line in words if re.match(r"(?i)(?!module )[a-z]+,? [a-z]+\b", line)] == []


def test_exporting_twice_gives_the_same_bytes(story, tmp_path):
    first, second = (write_postmortem(story.run_dir, to=tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
