"""Who may put an agent into a process: its own user and root, where the system lets them. See ptrace(2)."""

import os
from pathlib import Path

from labserver.system import CAN_ATTACH
from labserver.targets.attach.maps import Memory
from labserver.targets.attach.refusal import NotAttachable

_CAP_SYS_PTRACE = 19
_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
_SCOPES = {
    1: "the kernel lets only a parent attach to its children (kernel.yama.ptrace_scope is 1): run the check as root or "
    "set it to 0",
    2: "the kernel lets only administrators attach (kernel.yama.ptrace_scope is 2): run the check as root",
    3: "the kernel lets nobody attach to a process until it is booted anew (kernel.yama.ptrace_scope is 3)",
}


def require_permission(pid: int) -> None:
    """Ask the kernel whether this process may be attached to, without touching it.

    Raises:
        NotAttachable: it may not; the sentence says what is missing.
    """
    if not CAN_ATTACH:
        raise NotAttachable("Only on Linux is an agent put into a process that does not call labserver.listen().")
    if pid == os.getpid():
        raise NotAttachable(f"Process {pid} is this one, which cannot attach to itself.")
    try:
        status = status_of(pid)
        if owner_of(status) != os.geteuid() and os.geteuid() != 0:
            raise NotAttachable(f"Process {pid} belongs to another user: run the check as that user, or as root.")
        if status.get("TracerPid", "0") != "0":
            raise NotAttachable(f"Process {pid} is traced already, by process {status['TracerPid']} (a debugger?).")
        if status.get("State", "")[:1] in {"T", "t"}:
            raise NotAttachable(f"Process {pid} is stopped: continue it first (kill -CONT {pid}).")
        if "shstk" in status.get("x86_Thread_features", ""):
            raise NotAttachable(f"Process {pid} runs with a shadow stack, which allows no call from outside.")
        with Memory(pid, writable=True):
            pass
    except PermissionError:
        raise NotAttachable(f"Process {pid} may not be attached to: {why_denied(pid)}.") from None
    except OSError:
        raise NotAttachable(f"Process {pid} has ended.") from None


def why_denied(pid: int) -> str:
    """What most probably forbids it, as a part of a sentence that says what to do."""
    scope = ptrace_scope()
    if scope and not (scope < 3 and may_trace_all()):
        return _SCOPES.get(scope, f"kernel.yama.ptrace_scope is {scope}")
    if os.geteuid() == 0 and not may_trace_all():
        return "this container lacks the capability SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
    try:
        if Path(f"/proc/{pid}").stat().st_uid != os.geteuid() and os.geteuid() != 0:
            return "it has hidden its memory from its own user (prctl PR_SET_DUMPABLE): run the check as root"
    except OSError:
        return "it has ended"
    return "a security module of the system forbids it"


def ptrace_scope() -> int:
    """The setting of Yama; 0 where there is none."""
    try:
        return int(_SCOPE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def may_trace_all() -> bool:
    """Whether this process has the capability SYS_PTRACE."""
    try:
        return bool(int(status_of("self").get("CapEff", "0"), 16) >> _CAP_SYS_PTRACE & 1)
    except (OSError, ValueError):
        return False


def status_of(pid: int | str) -> dict[str, str]:
    """The fields of proc_pid_status(5).

    Raises:
        OSError: the process has ended.
    """
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def owner_of(status: dict[str, str]) -> int:
    """The real user of a process, by its status."""
    return int(status["Uid"].split()[0])
