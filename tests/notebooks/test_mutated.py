"""Notebooks of which no claim is about time: each fails when its cause is put back, whatever runs beside it."""

from labserver.incident.postmortem.export import write_postmortem
from labserver.suite.result import Status


def finding(result, notebook, name):
    (found,) = [
        f for item in result.notebooks if item.name.startswith(notebook) for f in item.findings if f.name == name
    ]
    return found


def test_without_a_leak_the_reproduction_fails(run_notebooks):
    result = run_notebooks("02", store="ttl", warmup_jobs="40")
    assert result.exit_code == 1
    assert result.notebooks[0].status is Status.CLAIM_FAILED
    assert not finding(result, "02", "leak_bytes_per_job").holds
    assert "leak_bytes_per_job" in result.notebooks[0].message


def test_without_the_fix_the_verification_fails(run_notebooks):
    result = run_notebooks("04", fixed_store="leaky", warmup_jobs="40")
    assert result.exit_code == 1
    assert not finding(result, "04", "ttl_bytes_per_job").holds
    assert not finding(result, "04", "ttl_jobs_kept").holds


def test_an_application_of_the_users_own_that_leaks_fails_its_diagnosis(run_notebooks):
    result = run_notebooks("09", target="services.thumbnails:app", max_seconds="200")
    assert result.exit_code == 1
    assert finding(result, "09", "service_verdict").value == "leak"
    assert "thumbnails → CACHE" in finding(result, "09", "service_holder").value
    assert "service_bytes_per_job" in result.notebooks[0].message


def test_without_a_holder_the_trace_fails(run_notebooks):
    result = run_notebooks("03", store="ttl", warmup_jobs="40")
    assert result.exit_code == 1
    assert not finding(result, "03", "holder").holds
    assert not finding(result, "03", "share_of_growth").holds


def test_a_write_up_without_findings_says_what_is_missing(run_notebooks, tmp_path):
    result = run_notebooks("10")
    assert result.exit_code == 1
    (text, *_) = write_postmortem(result.run_dir, ["md"], to=tmp_path)
    assert "not measured in this run" in text.read_text(encoding="utf-8")
    assert "**Yes" not in text.read_text(encoding="utf-8")
