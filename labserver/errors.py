"""The exceptions a user can meet, and the exit code each one ends in.

    LabserverError                 1
    ├── UsageError                 2    a wrong argument, parameter or file
    ├── ClaimFailed                1    a notebook's claim does not hold
    └── CannotRun                  3    a notebook, server or client could not do its work
        ├── CannotSay            125    a check has no answer, which `git bisect run` takes for "skip this one"
        └── CannotLook             3    the heap could not be seen; the memory's bytes can be read all the same

Every message is one sentence that says what was wrong and what to do.
"""

from textwrap import wrap as _wrap

_LINE = 100
"""Letters in a line of a notebook's output; JupyterLab breaks a longer one in the midst of a word."""


class LabserverError(Exception):
    """The base of every error that is the user's to see; its text is the whole message."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the message, for the lines of our own code explain nothing."""
        return _wrap(self._message(), _LINE, break_long_words=False, break_on_hyphens=False)

    def _message(self) -> str:
        return str(self)


class UsageError(LabserverError):
    """An argument, a parameter or a file is wrong: nothing was started."""

    exit_code = 2


class ClaimFailed(LabserverError):  # noqa: N818 - reads as the sentence it is in a notebook's traceback
    """A claim of a notebook does not hold: the regression test failed.

    The first line is the sentence; each claim that fails follows on a line of its own.
    """

    def _message(self) -> str:
        return str(self).partition("\n")[0]  # the notebook shows the claims as a table


class CannotRun(LabserverError):  # noqa: N818 - the same
    """Something could not be started or did not finish, which says nothing about a claim."""

    exit_code = 3


class CannotSay(CannotRun):
    """A check of an application has no answer: it cannot be imported or started, or every job fails."""

    exit_code = 125


class CannotLook(CannotRun):
    """A look at a heap failed. Its text is a part of a sentence: what failed."""
