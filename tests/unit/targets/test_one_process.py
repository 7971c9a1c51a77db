import os
import subprocess
import sys

import pytest

from labserver.errors import CannotRun, UsageError
from labserver.targets.attach import attached
from labserver.targets.attach.refusal import NotAttachable
from labserver.targets.one_process import OneProcess, open_to_look
from labserver.targets.visited import NotInstrumented


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_a_process_without_instruments_says_that_and_runs_on(sleeper):
    process = OneProcess(sleeper.pid)
    assert process.pid == sleeper.pid
    assert process.alive()
    assert not process.instrumented
    with pytest.raises(NotInstrumented, match="no 'growth'"):
        process.growth()
    process.close()
    with (
        pytest.raises(NotInstrumented, match=f"Process {sleeper.pid} runs no instruments: call labserver.listen"),
        open_to_look(f"pid:{sleeper.pid}"),
    ):
        pass
    assert sleeper.poll() is None


@pytest.mark.linux("only there is an agent put into a process")
def test_why_no_agent_may_be_put_into_it_is_one_sentence_with_a_way_out(monkeypatch, sleeper):
    monkeypatch.setattr(attached, "require_permission", refuse)
    with (
        pytest.raises(NotInstrumented, match=r"^The kernel forbids it; or call labserver\.listen\(\) in it\.$"),
        open_to_look(f"pid:{sleeper.pid}", attach_s=5),
    ):
        pass


def refuse(_):
    raise NotAttachable("The kernel forbids it.")


def test_one_that_has_ended_says_so(sleeper):
    process = OneProcess(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert not process.alive()
    assert str(process.death()) == f"Process {sleeper.pid} has ended."
    with pytest.raises(CannotRun, match="has ended"):
        process.growth()


def test_what_is_no_process_is_one_sentence():
    with pytest.raises(CannotRun, match="There is no process 2147483646"), open_to_look("pid:2147483646"):
        pass
    with pytest.raises(UsageError), open_to_look("pid:x"):
        pass


def test_a_process_that_listens_answers_though_it_serves_nothing(tmp_path):
    code = "import labserver, time; labserver.listen(); print('on', flush=True); time.sleep(600)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    ) as listening:
        try:
            assert listening.stdout.readline() == b"on\n"
            with open_to_look(f"pid:{listening.pid}") as process:
                assert process.instrumented
                assert process.collect().objects >= 0
        finally:
            listening.kill()
