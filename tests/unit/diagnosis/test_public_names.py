"""What scripts, notebooks and CI may import."""

import subprocess
import sys

import pytest

import labserver.diagnosis


def test_the_public_names_are_these_and_are_all_there():
    assert labserver.diagnosis.__all__ == [
        "CheckOptions",
        "CheckProgress",
        "CheckResult",
        "Finding",
        "Interval",
        "NamedHolder",
        "Verdict",
        "leak_check",
        "run_check",
    ]
    for name in labserver.diagnosis.__all__:
        assert getattr(labserver.diagnosis, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="run_chekc"):
        labserver.diagnosis.run_chekc  # noqa: B018


def test_nothing_heavy_is_imported_before_a_name_is_used():
    code = "import sys, labserver.diagnosis; print([m for m in ('numpy', 'flask', 'psutil') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
