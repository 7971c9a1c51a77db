import os
import subprocess

import pytest

from labserver.targets.attach import abilities, permission
from labserver.targets.attach.permission import require_permission, why_denied
from labserver.targets.attach.refusal import NotAttachable

pytestmark = pytest.mark.linux("only there is an agent put into a process")


@pytest.fixture
def process():
    with subprocess.Popen(["sleep", "60"]) as found:
        yield found
        found.kill()


def said(monkeypatch, pid, *, status=None, **replaced):
    """The sentence, where the system is otherwise than it is."""
    if status is not None:
        usual = permission.status_of(pid)
        monkeypatch.setattr(permission, "status_of", lambda _: usual | status)
    for name, value in replaced.items():
        monkeypatch.setattr(permission, name, value)
    with pytest.raises(NotAttachable) as caught:
        require_permission(pid)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_process_of_ones_own_may_be_attached_to(process):
    require_permission(process.pid)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({"TracerPid": "77"}, "is traced already, by process 77"),
        ({"State": "T (stopped)"}, "is stopped: continue it first"),
        ({"x86_Thread_features": "shstk wrss"}, "runs with a shadow stack"),
    ],
)
def test_what_it_does_right_now_forbids_it(monkeypatch, process, status, sentence):
    assert sentence in said(monkeypatch, process.pid, status=status)


def test_another_user_may_not(monkeypatch, process):
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert "belongs to another user: run the check as that user, or as root" in said(monkeypatch, process.pid)


def test_root_may_where_the_process_is_of_another_user(monkeypatch, process):
    usual = permission.status_of(process.pid)
    monkeypatch.setattr(permission, "status_of", lambda _: usual | {"Uid": "65534 65534 65534 65534"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    require_permission(process.pid)


def test_a_process_that_is_gone_is_said_to_be(process, monkeypatch):
    process.kill()
    process.wait()
    assert "has ended" in said(monkeypatch, process.pid)


def test_another_system_is_one_sentence(monkeypatch):
    monkeypatch.setattr(permission, "CAN_ATTACH", False)
    with pytest.raises(NotAttachable, match="Only on Linux"):
        require_permission(os.getpid())


def denied(*_, **__):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("machine", "part"),
    [
        ((1, 1000, False), "kernel.yama.ptrace_scope is 1): run the check as root"),
        ((2, 1000, False), "kernel.yama.ptrace_scope is 2): run the check as root"),
        ((3, 0, True), "lets nobody attach"),
        ((0, 0, False), "--cap-add SYS_PTRACE"),
        ((0, 0, True), "a security module"),
        ((1, 0, True), "a security module"),
    ],
)
def test_what_the_kernel_denies_is_explained(monkeypatch, process, machine, part):
    scope, user, capable = machine
    monkeypatch.setattr(permission, "Memory", denied)
    monkeypatch.setattr(permission, "ptrace_scope", lambda: scope)
    monkeypatch.setattr(permission, "may_trace_all", lambda: capable)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(permission, "owner_of", lambda _: user)
    assert part in said(monkeypatch, process.pid)


def test_a_process_that_hides_its_memory_is_told_from_one_of_another_user(monkeypatch, process):
    monkeypatch.setattr(permission, "ptrace_scope", lambda: 0)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)  # its folder below /proc belongs to another one
    assert "PR_SET_DUMPABLE" in why_denied(process.pid)


@pytest.mark.parametrize(
    ("machine", "reach", "missing"),
    [
        ((0, 0, True), "of all users", ""),
        ((1, 0, True), "of all users", ""),
        ((0, 1000, False), "of this user", ""),
        ((1, 1000, False), "that this process has started", ""),
        ((2, 1000, False), "that this process has started", "ptrace_scope is 2"),
        ((3, 0, True), "of all users", "ptrace_scope is 3"),
        ((0, 0, False), "of all users", "SYS_PTRACE"),
    ],
)
def test_doctor_says_what_this_machine_allows(monkeypatch, machine, reach, missing):
    scope, user, capable = machine
    monkeypatch.setattr(abilities, "ptrace_scope", lambda: scope)
    monkeypatch.setattr(abilities, "may_trace_all", lambda: capable)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    by_ptrace = next(iter(abilities.abilities()))
    assert by_ptrace.reach.endswith(reach)
    assert missing in by_ptrace.missing
    assert bool(by_ptrace.missing) == bool(missing)
