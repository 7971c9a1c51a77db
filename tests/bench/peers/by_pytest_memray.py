"""pytest-memray's `limit_leaks`: the test fails where one stack keeps more than so much."""

# /// script
# dependencies = ["pytest-memray", "pytest"]
# [tool.peers]
# name = "pytest-memray"
# settings = [{ jobs = 100, limit = 256 }, { jobs = 1000, limit = 256 }, { jobs = 3000, limit = 256 }]
# ///

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from working import answer, asked

TEST = """
import pytest
from working import job_of

job = job_of({key!r})
for _ in range(250):
    job()


@pytest.mark.limit_leaks("{limit} B")
def test_it():
    for _ in range({jobs}):
        job()

"""


def main():
    """The limit is that many bytes for each job; the warm-up stands before the test."""
    key, setting = asked()
    with tempfile.TemporaryDirectory() as folder:
        text = TEST.format(key=key, jobs=setting["jobs"], limit=setting["limit"] * setting["jobs"])
        (Path(folder) / "test_mode.py").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--memray", "--stacks=25", "-q", "-p", "no:cacheprovider", folder],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
    found = done.stdout.partition("memray-leaked-memory")[2].partition("MEMRAY REPORT")[0]
    answer(leak=bool(found), named=[], text=found)


if __name__ == "__main__":
    main()
