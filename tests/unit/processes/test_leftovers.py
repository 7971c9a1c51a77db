import os
import subprocess
import sys

from labserver.heap.meters import wait_until
from labserver.processes.leftovers import Mark
from labserver.processes.running import runs

# Leaves its session and its parent, as a daemon does, and starts another process.
DAEMON = """
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
"""


def test_daemons_with_the_mark_are_found_and_ended_and_no_others():
    mark, other = Mark("LABSERVER_TEST"), Mark("LABSERVER_TEST")
    assert mark.token != other.token
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env=os.environ | other.environment
    )
    try:
        subprocess.run([sys.executable, "-c", DAEMON], env=os.environ | mark.environment, check=True)
        assert wait_until(lambda: len(mark.processes()) == 2, timeout_s=60)
        found = mark.processes()
        assert mark.end() == 2
        assert not any(runs(process) for process in found)
        assert mark.end() == 0
        assert [process.pid for process in other.processes()] == [bystander.pid]
    finally:
        bystander.kill()
        bystander.wait()
    assert not other.processes()


def test_this_process_is_never_among_them():
    code = (
        "from labserver.processes.leftovers import Mark\n"
        "import os\n"
        "mark = Mark('LABSERVER_TEST', os.environ['LABSERVER_TEST'])\n"
        "print(len(mark.processes()), mark.end())"
    )
    environment = os.environ | Mark("LABSERVER_TEST").environment
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
