import json
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from labserver.targets.attach.bootstrap import bootstrap, movable, offered
from labserver.targets.attach.meeting import Meeting

pytestmark = pytest.mark.linux("only there is an agent put into a process")


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as path:
        yield Path(path, "meeting")


def ran(text, *, before="", after=""):
    """What a process says that runs the text as if it had been put there, and then tells what it is like."""
    code = f"""
import os, sys, threading, time
{before}
names, finders, path = sorted(globals()), list(sys.meta_path), list(sys.path)
exec({text!r}.replace(b"%PID%", str(os.getpid()).encode()), globals())
{after}
patience = time.monotonic() + 60
while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < patience:
    time.sleep(0.01)
del patience
print(sorted(globals()) == sorted([*names, "names", "finders", "path"]), sys.meta_path == finders, sys.path == path,
      threading.active_count(), len(os.listdir("/proc/self/task")), "labserver" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout.split(), done.stderr


UNTOUCHED = ["True", "True", "True", "1", "1", "False"]


def text_for(place, **given):
    return bootstrap(pid=4711, meeting=str(place), **given).replace(b"== 4711", b"== %PID%")


def test_a_text_that_runs_when_nobody_waits_any_longer_does_nothing(place):
    assert ran(text_for(place)) == (UNTOUCHED, "")


def test_nor_where_the_socket_is_still_there_and_its_owner_is_not(place):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
    assert ran(text_for(place)) == (UNTOUCHED, "")


def test_nor_in_a_process_that_was_forked_from_the_one_that_was_meant(place):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(1)
        listener.settimeout(0.1)
        assert ran(bootstrap(pid=1, meeting=str(place))) == (UNTOUCHED, "")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_script_removes_itself_whether_or_not_anybody_waits(place):
    script = place.parent / "inner" / "script.py"
    script.parent.mkdir()
    script.touch()
    assert ran(text_for(place, script=str(script))) == (UNTOUCHED, "")
    assert not script.parent.exists()


def test_names_that_the_application_has_for_itself_change_nothing(place):
    said = ran(
        text_for(place), before="exec = open = print_ = isinstance = None; import builtins; exec = builtins.exec"
    )
    assert said == (UNTOUCHED, "")


@pytest.mark.parametrize("within", ["getpid", "unlink"])
def test_an_exception_from_a_signals_handler_reaches_the_application(place, within):
    """A handler that ends the process must end it, also when it is called within the text."""
    script = place.parent / "inner" / "script.py"
    script.parent.mkdir()
    script.touch()
    handled = f"""
import builtins, signal
class Stop(BaseException): pass
def stop(*_): raise Stop
signal.signal(signal.SIGUSR1, stop)
pid, real = os.getpid, os.{within}
def told(*given):
    os.kill(pid(), signal.SIGUSR1)
    return real(*given)
os.{within} = told
"""
    said, error = ran(text_for(place, script=str(script)), before=handled)
    assert said == []
    assert "Stop" in error.splitlines()[-1]


AFTERWARDS = """
input()
import sys, time
patience = time.monotonic() + 60
while refused and len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < patience:
    time.sleep(0.01)
print(len(os.listdir("/proc/self/task")), [type(one).__name__ for one in sys.meta_path].count("Finder"))
"""


def meet(place, text, before, *, refused):
    """The first message of a process that runs the text and has no packages, and its threads and finders afterwards."""
    begin = f"import os\nrefused = {refused}\n{before}\n"
    code = f"{begin}exec({text!r}.replace(b'%PID%', str(os.getpid()).encode())){AFTERWARDS}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(1)
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            listener.settimeout(120)
            connection, _ = listener.accept()
            with connection, connection.makefile() as lines:
                message = json.loads(lines.readline())
            out, _ = process.communicate("\n", timeout=120)
    return message, out.split()


HERE = EXTENSION_SUFFIXES[0]
REPLACED = """
import _thread
real = _thread.start_new_thread
_thread.start_new_thread = lambda *given: real(*given)
"""
BROKEN = """
import sys
class Broken:
    def find_spec(self, name, *_):
        if name == "labserver":
            raise OSError("no disk")
sys.meta_path.insert(0, Broken())
"""


@pytest.mark.parametrize(
    ("before", "replaced", "refused"),
    [
        ("", {}, None),
        ("", {HERE: ".cpython-27-of-another-build.so"}, "build"),
        ("", {offered()["numpy"]: "/nowhere"}, "files"),
        (REPLACED, {}, "threads"),
        (BROKEN, {}, "failed"),
    ],
    ids=["as it should be", "another build", "files that cannot be read", "greenlets", "an error"],
)
def test_why_the_agent_does_not_start_is_told_to_the_other_side_alone(place, before, replaced, refused):
    text = text_for(place)
    for old, new in replaced.items():
        text = text.replace(old.encode(), new.encode())
    message, (threads, finders) = meet(place, text, before, refused=refused is not None)
    assert message.get("refused") == refused
    assert message.get("ready", False) == (refused is None)
    if refused is not None:
        assert (threads, finders) == ("1", "0")


def test_a_text_that_is_moved_says_where_it_stands():
    move = movable(pid=7, meeting="/tmp/x")
    assert move((140_000, 16_384)) == bootstrap(pid=7, meeting="/tmp/x", page=(140_000, 16_384))


def test_a_meeting_is_private_and_leaves_nothing():
    with Meeting(os.getpid()) as meeting:
        folder = Path(meeting.address).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        meeting.write_script(b"1")
        assert Path(meeting.script).stat().st_mode & 0o777 == 0o600
        assert meeting.is_here
        assert meeting.wait(0.01) is None
    assert not folder.exists()


def test_a_script_that_a_later_one_has_replaced_is_removed(place, monkeypatch):
    """It is in the folder for all: nothing else of that name is touched."""
    monkeypatch.setattr(tempfile, "tempdir", str(place.parent))

    def leave(pid):
        meeting = Meeting(pid)
        meeting.write_script(b"1")
        meeting.close(but_script=True)
        return Path(meeting.script)

    with Meeting(os.getpid()) as under_way, Meeting(os.getpid()) as later:
        old, of_another = leave(os.getpid()), leave(os.getppid())
        kept = place.parent / "kept" / "script.py"
        kept.parent.mkdir()
        kept.touch()
        (place.parent / f"labserver-attach-{os.getpid()}-x").symlink_to(kept.parent)
        under_way.write_script(b"1")
        later.write_script(b"1")
        later.sweep()
        assert not old.parent.exists()
        assert [Path(one).exists() for one in (under_way.script, later.script, of_another, kept)] == [True] * 4


def test_a_meeting_lets_the_process_in_that_was_meant_and_no_other():
    code = textwrap.dedent("""
        import socket, sys
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(sys.argv[1])
            print(one.recv(1))
    """)
    with Meeting(os.getpid()) as meeting:
        with subprocess.Popen([sys.executable, "-c", code, meeting.address], stdout=subprocess.PIPE) as other:
            while other.poll() is None:
                assert meeting.wait(0.05) is None
            assert other.stdout.read() == b"b''\n"
        with socket.socket(socket.AF_UNIX) as own:
            own.connect(meeting.address)
            connection, _ = meeting.wait(30)
            connection.close()
