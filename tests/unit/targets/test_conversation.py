import json
import socket

import pytest

from labserver.errors import CannotRun
from labserver.heap.protocol import Lines
from labserver.targets import conversation as module
from labserver.targets.conversation import Conversation


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def talk(ours, alive=True):
    return Conversation(Lines(ours), lambda: alive, lambda: CannotRun("It died."), lambda: "; its last output: x")


def say(theirs, *answers):
    theirs.sendall(b"".join(json.dumps(answer).encode() + b"\n" for answer in answers))


def test_a_question_is_sent_and_answered(ends):
    ours, theirs = ends
    say(theirs, {"result": [1]})
    assert talk(ours).ask("count", {"of": "a"}, 5) == [1]
    assert json.loads(theirs.recv(1000)) == {"command": "count", "of": "a"}


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(ends):
    ours, theirs = ends
    conversation = talk(ours)
    with pytest.raises(CannotRun, match="did not answer 'slow' within 0 s; its last output: x"):
        conversation.ask("slow", {}, 0.05)
    say(theirs, {"result": "slow"}, {"result": "quick"})
    assert conversation.ask("quick", {}, 5) == "quick"
    say(theirs, {"result": "next"})
    assert conversation.ask("next", {}, 5) == "next"


def test_an_answer_that_has_come_late_is_waited_for_no_more(ends):
    ours, theirs = ends
    conversation = talk(ours)
    with pytest.raises(CannotRun, match="'slow'"):
        conversation.ask("slow", {}, 0.05)
    say(theirs, {"result": "slow"})
    with pytest.raises(CannotRun, match="'slow, too'"):
        conversation.ask("slow, too", {}, 0.05)
    say(theirs, {"result": "slow, too"}, {"result": "quick"})
    assert conversation.ask("quick", {}, 5) == "quick"


def test_a_failure_of_an_instrument_is_a_sentence(ends):
    ours, theirs = ends
    say(theirs, {"error": "ValueError: no heap today"})
    with pytest.raises(CannotRun, match=r"process failed \(ValueError: no heap today"):
        talk(ours).ask("floor", {}, 5)


def test_a_connection_that_a_forked_process_keeps_open_does_not_hide_a_death(ends, monkeypatch):
    monkeypatch.setattr(module, "_LOOK_S", 0.02)
    with pytest.raises(CannotRun, match="It died"):
        talk(ends[0], alive=False).ask("floor", {}, 60)


def test_a_closed_connection_is_a_death(ends):
    ends[1].close()
    with pytest.raises(CannotRun, match="It died"):
        talk(ends[0]).ask("floor", {}, 60)


def test_an_agent_that_was_put_there_for_it_is_taken_out_at_its_end(ends):
    taken = []
    visit = Conversation(
        Lines(ends[0]), lambda: True, lambda: CannotRun("It died."), lambda: "", take_out=lambda: taken.append(1)
    )
    assert (visit.with_a_guest, talk(ends[0]).with_a_guest) == (True, False)
    assert taken == []
    visit.close()
    assert taken == [1]
    assert ends[1].recv(1) == b""
