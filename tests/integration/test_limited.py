"""A service under a hard limit dies of it, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from labserver.errors import CannotRun
from labserver.incident.experiments.capacity.run import exhaust, grainy_photos
from labserver.incident.hosting.limited import limited_server
from labserver.incident.service.settings import Settings

needs_limit = pytest.mark.linux("this system does not limit the address space")


@needs_limit
def test_a_leaky_service_dies_within_its_room_and_still_answers():
    trial = exhaust(
        # Slowly: on a busy machine, photographs that wait for their turn would fill the room instead.
        Settings(store="leaky", workers=1),
        grainy_photos(),
        room=6 * 2**20,
        rate_per_s=10.0,
        duration_s=60.0,
    )
    assert trial.death is not None
    assert 3 < trial.jobs < 40
    assert trial.readings.peak.max() <= trial.room
    assert "damaged" not in trial.failures  # the photographs are not to blame
    assert trial.process_alive
    assert trial.health == "HTTP 200"


@needs_limit
def test_it_is_gone_after_the_block_whatever_ended_it():
    with pytest.raises(ZeroDivisionError), limited_server(Settings()) as server:
        raise ZeroDivisionError
    assert not psutil.pid_exists(server.pid)
    with pytest.raises(CannotRun, match="has ended"):
        server.address_space()


def test_it_ends_with_its_parent():
    script = (
        "import time\nfrom labserver.incident.service.settings import Settings\n"
        "from labserver.incident.hosting.limited import limited_server\n"
        "with limited_server(Settings()) as server:\n    print(server.pid, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
