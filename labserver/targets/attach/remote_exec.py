"""The way that CPython 3.14 and later have for it: `sys.remote_exec`, between two of the same minor version."""

import sys

from labserver.targets.attach.interpreter import Interpreter
from labserver.targets.attach.meeting import Meeting
from labserver.targets.attach.permission import why_denied
from labserver.targets.attach.refusal import CannotAttach, NotAttachable


def require_same_minor(interpreter: Interpreter) -> None:
    """Refuse where this interpreter cannot do it.

    Raises:
        NotAttachable: it is of another minor version.
    """
    if interpreter.minor != sys.version_info[:2]:
        theirs, ours = (".".join(map(str, version)) for version in (interpreter.minor, sys.version_info[:2]))
        raise NotAttachable(
            f"Process {interpreter.pid} runs CPython {theirs} and the check {ours}: run the check with Python {theirs}."
        )


def run_remotely(interpreter: Interpreter, meeting: Meeting, text: bytes) -> None:
    """Have the main thread run Python text when it next can.

    Raises:
        NotAttachable: the process allows it not.
        CannotAttach: it did not work.
    """
    pid = interpreter.pid
    if not meeting.is_here:
        raise NotAttachable(
            f"Process {pid} has files of its own (a container?), to which sys.remote_exec cannot lead: run the check "
            "inside."
        )
    meeting.write_script(text)
    try:
        sys.remote_exec(pid, meeting.script)  # type: ignore[attr-defined,unused-ignore] # since 3.14
    except PermissionError:
        raise NotAttachable(f"Process {pid} may not be attached to: {why_denied(pid)}.") from None
    except ProcessLookupError:
        raise CannotAttach(f"Process {pid} has ended.") from None
    except (RuntimeError, OSError) as error:
        if "not enabled" in str(error):
            raise NotAttachable(
                f"Process {pid} runs with PYTHON_DISABLE_REMOTE_DEBUG, which forbids to attach to it."
            ) from None
        raise CannotAttach(f"Process {pid} cannot be attached to ({error}).") from None
    meeting.sweep()
