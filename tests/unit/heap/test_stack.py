import pytest

from labserver.heap.frame import Frame
from labserver.heap.origin import Origin
from labserver.heap.stack import called_part, own_lines

PARSER = Frame("json/decoder.py", 353, "JSONDecoder.raw_decode", Origin.STANDARD)
OWN = Frame("shop/app.py", 20, "work", Origin.APPLICATION)
LIBRARY = Frame("flask/app.py", 902, "Flask.dispatch_request")
SERVER = Frame("waitress/task.py", 435, "WSGITask.execute")
DOORS = ["labserver/targets/host_waitress.py", "labserver/plugins/wsgi.py", "labserver/diagnosis/measure/in_process.py"]


def tool(file):
    return Frame(file, 1, "call", Origin.TOOL)


@pytest.mark.parametrize("door", DOORS)
def test_a_stack_ends_where_this_package_calls_the_application(door):
    assert called_part([PARSER, OWN, LIBRARY, tool(door), SERVER]) == (PARSER, OWN, LIBRARY)


def test_a_stack_without_this_package_is_whole():
    assert called_part([PARSER, OWN, SERVER]) == (PARSER, OWN, SERVER)
    assert called_part([]) == ()


@pytest.mark.parametrize("file", ["labserver/heap/agent.py", "labserver/load/http.py", "labserver/report/terminal.py"])
def test_what_this_package_allocates_for_itself_has_no_stack_to_tell(file):
    assert called_part([PARSER, tool(file), tool(DOORS[0]), SERVER]) == ()
    assert called_part([tool(DOORS[0]), SERVER]) == ()


def test_own_lines_are_the_applications_or_else_all():
    assert own_lines([PARSER, OWN, LIBRARY]) == ("shop/app.py:20 in work",)
    assert own_lines([PARSER, LIBRARY]) == (str(PARSER), str(LIBRARY))
    assert own_lines([]) == ()
