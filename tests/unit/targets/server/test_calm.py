from types import SimpleNamespace

import psutil
import pytest

from labserver.targets.server import calm
from labserver.targets.server.calm import Calm


class Worker:
    def __init__(self, share, status):
        self.share, self._status, self.now = share, status, 0.0

    def cpu_times(self):
        return SimpleNamespace(user=self.share * self.now, system=0.0)

    def status(self):
        return self._status


@pytest.mark.parametrize(
    ("share", "status", "comes"),
    [
        (0.02, psutil.STATUS_SLEEPING, True),
        (0.9, psutil.STATUS_SLEEPING, False),  # between two looks it works
        (0.02, psutil.STATUS_RUNNING, False),  # it wants to, and others have the processor
        (0.02, psutil.STATUS_DISK_SLEEP, False),
    ],
)
def test_who_hardly_works_and_does_not_want_to_is_calm(monkeypatch, share, status, comes):
    worker = Worker(share, status)
    monkeypatch.setattr(calm, "time", SimpleNamespace(monotonic=lambda: worker.now))
    looked = Calm(lambda: [worker])
    came = []
    for look in range(1, 40):
        worker.now = look / 10
        came.append(looked.has_come())
    assert any(came) == comes
    assert not any(came[:14])  # a second and a half is looked at in any case


def test_a_process_that_ends_meanwhile_is_of_no_matter():
    class Gone(Worker):
        def cpu_times(self):
            raise psutil.NoSuchProcess(1)

    assert not Calm(lambda: [Gone(0, psutil.STATUS_ZOMBIE)]).has_come()
