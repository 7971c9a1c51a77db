"""What this machine and this interpreter allow of attaching to other processes."""

import os
import platform
import sys
from collections.abc import Iterator
from typing import NamedTuple

from labserver.system import CAN_ATTACH
from labserver.targets.attach.machine import MACHINES
from labserver.targets.attach.permission import may_trace_all, ptrace_scope

_ONLY_LINUX = "only on Linux; elsewhere the service calls labserver.listen()"


class Ability(NamedTuple):
    """A way into another process.

    Attributes:
        name: of the way.
        reach: which processes it reaches.
        missing: why it reaches none; empty where it does.
    """

    name: str
    reach: str
    missing: str


def abilities() -> Iterator[Ability]:
    """Both ways."""
    here = ".".join(map(str, sys.version_info[:2]))
    forbidden = _forbidden() if CAN_ATTACH else _ONLY_LINUX
    unknown = "" if platform.machine() in MACHINES else f"{platform.machine()} is not known: x86-64 and aarch64 are"
    yield Ability("ptrace", f"CPython 3.11 to 3.13, {_whose()}", forbidden or unknown)
    older = (
        "" if sys.version_info >= (3, 14) else f"to attach to CPython 3.14 and later, run labserver with it, not {here}"
    )
    yield Ability("sys.remote_exec", f"CPython {here}, {_whose()}", forbidden or older)


def _whose() -> str:
    if os.geteuid() == 0:
        return "of all users"
    return "of this user" if may_trace_all() or not ptrace_scope() else "that this process has started"


def _forbidden() -> str:
    scope = ptrace_scope()
    if scope >= 3 or (scope == 2 and not may_trace_all()):
        return f"the kernel forbids it (kernel.yama.ptrace_scope is {scope})"
    if os.geteuid() == 0 and not may_trace_all():
        return "the capability SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
    return ""
