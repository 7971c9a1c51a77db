"""Why no agent can be put into a process, or could not: one sentence each."""

from labserver.errors import CannotRun


class CannotAttach(CannotRun):
    """Nobody has put an agent into the process. Its text says why, and that the process is as it was."""


class NotAttachable(CannotAttach):
    """It was not tried: something that attaching takes is missing. Nothing of the process was touched."""
