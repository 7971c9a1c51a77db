"""How a leak fails a test: the usual page, and a file and a line that pytest, editors and CI systems know to open."""

from pathlib import Path

from _pytest._code.code import ReprEntry, ReprExceptionInfo, ReprFileLocation, ReprTraceback
from _pytest.outcomes import Failed

from labserver.plugins.pytest_judgement import Judgement
from labserver.plugins.pytest_sentences import leak_sentence


class LeakFound(Failed):
    """A repeated test leaks.

    Args:
        judgement: of it.
        text: the page.
    """

    def __init__(self, judgement: Judgement, text: str) -> None:
        super().__init__(text, pytrace=False)
        self.judgement = judgement
        self.text = text


def failure_of(found: LeakFound) -> ReprExceptionInfo:
    """The failure as pytest shows it, and as it sends it from a worker."""
    file, line = found.judgement.place
    crash = ReprFileLocation(str(Path(file)), line, leak_sentence(found.judgement))
    # The style of a bare text: pytest's others look for source code in the lines.
    entry = ReprEntry(found.text.splitlines(), None, None, crash, "value")
    return ReprExceptionInfo(ReprTraceback([entry], None, "value"), crash)
