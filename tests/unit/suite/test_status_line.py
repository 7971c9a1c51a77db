import sys

import pytest

from labserver.suite.status_line import StatusLine


@pytest.fixture
def notebook(monkeypatch):
    """A notebook's displays, each with all that it has shown."""
    shown = []

    class Handle:
        def update(self, what, *, raw):
            assert raw
            shown.append(what)

    def display(what, *, raw, display_id):
        assert raw
        assert display_id
        shown.append(what)
        return Handle()

    monkeypatch.setitem(sys.modules, "ipykernel", object())
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.delenv("LABSERVER_RUN_DIR", raising=False)
    return shown


def test_a_drawing_stays_above_the_lines_until_it_is_taken_away(notebook):
    line = StatusLine()
    line.say("cycle 1 < 2")
    line.draw("<svg/>")
    line.say("floor 1")
    line.draw("<svg/>")  # it is the same
    line.draw("")
    assert [what["text/plain"] for what in notebook] == ["cycle 1 < 2", "cycle 1 < 2", "floor 1", "floor 1"]
    assert [what.get("text/html") for what in notebook] == [
        None,
        "<div><svg/><div>cycle 1 &lt; 2</div></div>",
        "<div><svg/><div>floor 1</div></div>",
        None,
    ]


def test_under_the_runner_nothing_is_drawn(notebook, monkeypatch):
    monkeypatch.setenv("LABSERVER_RUN_DIR", "run")
    line = StatusLine()
    line.say("cycle 1")
    line.draw("<svg/>")
    assert not line.is_watched
    assert notebook == [{"text/plain": "cycle 1"}]


def test_outside_of_a_notebook_there_are_lines_alone(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    line = StatusLine()
    line.say("cycle 1")
    line.draw("<svg/>")
    assert capsys.readouterr().err == "cycle 1\n"
