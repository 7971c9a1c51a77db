import threading

import pytest

from labserver.incident.experiments.capacity.scheduled_clients import scheduled_clients


def test_a_client_that_finds_no_thread_is_said_and_not_waited_for(monkeypatch):
    start = threading.Thread.start

    def granted(thread):
        if thread.name == "client-1":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", granted)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        scheduled_clients(1, [], lambda _: 0.0, jobs=0).__enter__()
