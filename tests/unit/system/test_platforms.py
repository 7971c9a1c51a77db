"""Both platforms' modules promise the same; what macOS answers is played, for nobody has tried it there."""

import ast
import inspect
import os
import re
import socket
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import labserver
from labserver import system
from labserver.system import linux, macos
from labserver.system.facts import Peer

PACKAGE = Path(labserver.__file__).parent


def names_of(module):
    body = ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body
    assigned = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    names = {target.id for target in assigned if isinstance(target, ast.Name)}
    names |= {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return {name for name in names if not name.startswith("_")}


def test_each_platform_defines_the_same_names():
    assert names_of(linux) == names_of(macos) == {*system.__all__}
    for name in names_of(linux):
        ours, theirs = getattr(linux, name), getattr(macos, name)
        assert type(ours) is type(theirs)
        assert not callable(ours) or inspect.signature(ours) == inspect.signature(theirs)


def test_nowhere_else_is_the_platform_asked_for():
    asked = re.compile(r"sys\.platform|os\.uname|SO_PEERCRED|platform\.system\(\) ==")
    files = [path for path in PACKAGE.rglob("*.py") if asked.search(path.read_text(encoding="utf-8"))]
    sent = PACKAGE / "targets" / "attach" / "entry.py"  # as text to a process that has no labserver, on Linux alone
    assert {path.parent.name for path in files if path != sent} == {"system"}


def test_another_system_gets_what_promises_least():
    code = """
        import sys
        sys.platform = "freebsd14"
        from labserver import system
        print(system.CAN_FORK, system.peer_of.__module__)
    """
    code = textwrap.dedent(code)
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said == "False labserver.system.macos\n"


@pytest.mark.linux("the kernel names the peer in its own way")
def test_the_process_and_the_user_at_the_other_end_are_known():
    one, other = socket.socketpair()
    with one, other:
        assert linux.peer_of(one) == Peer(os.getpid(), os.getuid())


class Connection:
    """Answers as a socket of macOS does, by its headers."""

    def __init__(self, credentials, pid=b"\x29\0\0\0"):
        self.answers = {macos._LOCAL_PEERCRED: credentials, macos._LOCAL_PEERPID: pid}

    def getsockopt(self, level, option, _bytes):
        assert level == 0
        if self.answers[option] is None:
            raise OSError(22, "Invalid argument")
        return self.answers[option]


@pytest.mark.parametrize(
    ("connection", "peer"),
    [
        (Connection(struct.pack("IIh", 0, 501, 1) + bytes(64)), Peer(41, 501)),
        (Connection(struct.pack("IIh", 1, 501, 1) + bytes(64)), None),
        (Connection(None), None),
        (Connection(b"\0\0"), None),
        (Connection(struct.pack("IIh", 0, 501, 1), pid=None), None),
    ],
    ids=["told", "of another version", "refused", "too short", "without a process"],
)
def test_macos_names_the_peer_or_nobody(connection, peer):
    assert macos.peer_of(connection) == peer


@pytest.mark.linux("only Linux enforces it")
def test_an_address_space_is_limited():
    code = "import sys; sys.stdin.readline(); bytearray(1 << 30); print('more')"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        size, peak = linux.address_space(process.pid)
        assert 0 < size <= peak
        linux.limit_address_space(process.pid, size + (1 << 28))
        said, error = process.communicate(b"\n", timeout=60)
    assert said == b""
    assert b"MemoryError" in error
    with pytest.raises(OSError):
        linux.address_space(process.pid)


def test_where_no_address_space_is_limited_that_is_an_error():
    with pytest.raises(OSError):
        macos.limit_address_space(os.getpid(), 1)
    with pytest.raises(OSError):
        macos.address_space(os.getpid())
