import os
import socket

import psutil
import pytest

from labserver.errors import CannotRun, UsageError
from labserver.targets.listeners import listeners, ports_of, served_connections
from labserver.targets.running import of_pid
from labserver.targets.target import Spec, open_target, parse_target


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("shop:app", Spec(application="shop:app")),
        ("shop.app:Holder.create", Spec(application="shop.app:Holder.create")),
        ("http://127.0.0.1:8000", Spec(address=("127.0.0.1", 8000))),
        ("http://localhost:8000/", Spec(address=("localhost", 8000))),
        ("http://[::1]:8000", Spec(address=("::1", 8000))),
        ("http://127.0.0.9", Spec(address=("127.0.0.9", 80))),
        ("pid:17", Spec(pid=17)),
    ],
)
def test_a_target_is_an_application_an_address_or_a_process(text, spec):
    assert parse_target(text) == spec


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shop", "give it as module:attribute"),
        ("shop:", "give it as module:attribute"),
        (":app", "give it as module:attribute"),
        ("shop:app()", "give it as module:attribute"),
        ("a b:c", "give it as module:attribute"),
        ("../shop:app", "give it as module:attribute"),
        ("shop/app.py:app", "did you mean shop.app:app"),
        ("https://127.0.0.1:8000", "is encrypted"),
        ("http://example.org", "run the check beside the service"),
        ("http://10.0.0.1:8000", "run the check beside the service"),
        ("http://127.0.0.1:99999", "is no address"),
        ("http://127.0.0.1:8000/shop", "give host and port alone"),
        ("http://me@127.0.0.1:8000", "give host and port alone"),
        ("http://", "run the check beside the service"),
        ("pid:x", "is no process"),
        ("pid:0", "is no process"),
        ("pid:-1", "is no process"),
    ],
)
def test_a_target_that_is_spelt_otherwise_is_refused(text, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        parse_target(text)
    assert "\n" not in str(caught.value)


def test_a_file_in_the_working_directory_is_not_taken_for_a_module_named_py(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_target("shop.py:app") == Spec(application="shop.py:app")
    (tmp_path / "shop.py").touch()
    with pytest.raises(UsageError, match="did you mean shop:app"):
        parse_target("shop.py:app")


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_who_listens_on_a_port_is_found(listening):
    me, port = psutil.Process(), listening.getsockname()[1]
    assert [process.pid for process in listeners(port)] == [me.pid]
    assert ports_of(me)[port] == "127.0.0.1"
    others = served_connections(me)
    assert served_connections(me, port) == 0
    with socket.create_connection(listening.getsockname()) as client, listening.accept()[0]:
        assert served_connections(me, port) == 1
        assert served_connections(me) == others + 1
        client.close()
        assert served_connections(me, port) == 1  # its buffers are still there
    assert served_connections(me, port) == 0


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("http://127.0.0.1:{port}", "No process that may be looked at listens"),
        ("pid:4194304999", "There is no process"),
    ],
)
def test_what_does_not_run_is_one_sentence(spec, sentence):
    with socket.socket() as taken:  # bound, so that nobody else listens there meanwhile
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(CannotRun, match=sentence), open_target(spec.format(port=port)):
            pass


def test_a_process_that_listens_nowhere_cannot_be_put_under_load(monkeypatch):
    monkeypatch.setattr("labserver.targets.running.ports_of", lambda _: {})
    with pytest.raises(CannotRun, match="listens on no TCP port"):
        of_pid(os.getpid())
