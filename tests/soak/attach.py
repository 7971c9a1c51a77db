"""Attaches to processes that are busy in all sorts of ways, again and again, and asks whether they noticed.

    python tests/soak/attach.py [--rounds N] [--python PYTHON] [CIRCUMSTANCE…]

Prints a line for each circumstance with the pauses of the main thread; exits 1 where anything is wrong.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from labserver.targets.attach.attached import attach
from labserver.targets.attach.maps import Memory, mappings_of

APP = Path(__file__).with_name("attach_app.py")
CIRCUMSTANCES = (
    "idle",
    "busy",
    "mallocs",
    "packing",
    "garbage",
    "hashing",
    "floats",
    "vectors",
    "polling",
    "waits_in_c",
    "receiving",
    "several",
    "signalled",
)
SAME = ("descriptors", "strangers", "finders", "path", "names", "switch", "collecting", "handlers", "blocked")
ATTACH_S = 60.0
LOOK_S = 120.0


@dataclass
class Outcome:
    """What happened to one process."""

    rounds: int = 0
    pauses_s: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    wrong: list = field(default_factory=list)


@contextmanager
def running(python, circumstance):
    """The process, and what it said when it was ready."""
    with subprocess.Popen(
        [python, str(APP), circumstance], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def ended(process):
    """What it says at its end, its exit code, and what it printed where nothing should be."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    return json.loads(out or "{}"), process.returncode, err


def ask(lines, command, **arguments):
    lines.send({"command": command, **arguments})
    answer = lines.receive(LOOK_S)
    if "result" not in answer:
        raise RuntimeError(f"{command}: {answer}")
    return answer["result"]


def visit(pid, *, looks):
    """Attach, look, and let go; for how long the main thread stood."""
    attached = attach(pid, ATTACH_S)
    try:
        ask(attached.lines, "reading")
        for _ in range(looks):
            ask(attached.lines, "baseline")
            ask(attached.lines, "growth")
    finally:
        attached.close()
    return attached.pause_s


def texts_left(pid):
    """How many of the texts that were sent are still in its memory."""
    found = 0
    with Memory(pid) as memory:
        for one in mappings_of(pid):
            if one.rights == "rw-p" and not one.path:
                with suppress(OSError):  # given back meanwhile
                    found += memory.read(one.start, 9) == b"\ntry:\n __"
    return found


def attach_to(python, circumstance, *, rounds, looks_every=10):
    """Attach so many times."""
    outcome, sent = Outcome(), 0
    with running(python, circumstance) as (process, before):
        for number in range(rounds):
            for _ in range(3 * (circumstance == "signalled")):
                os.kill(process.pid, signal.SIGRTMIN)
                sent += 1
            began = time.monotonic()
            try:
                pause_s = visit(process.pid, looks=int(number % looks_every == 0))
            except Exception as error:  # noqa: BLE001 - it is told
                outcome.wrong.append(f"round {number}: {type(error).__name__}: {error}")
                break
            outcome.rounds += 1
            outcome.seconds.append(time.monotonic() - began)
            outcome.pauses_s += [pause_s] * (pause_s is not None)
        if process.poll() is None:
            left = texts_left(process.pid)
            outcome.wrong += [f"{left} texts left"] * bool(left)
        after, code, said = ended(process)
        outcome.wrong += faults(before, after, code, said, sent)
    return outcome


def faults(before, after, code, said, sent):
    """What is not as it was, in words."""
    if code or said:
        yield f"it ended with {code} and said {said!r}"
    if not after:
        return
    for name in SAME:
        if before[name] != after[name]:
            yield f"{name}: {before[name]} before, {after[name]} afterwards"
    if after["threads"] + after["workers"] > before["threads"]:
        yield f"threads: {before['threads']} before, {after['threads']} afterwards"
    if after["wrong"] or not after["rounds"]:
        yield f"{after['wrong']} of {after['rounds']} rounds of its work were wrong: {after['seen']}"
    if after["signals"] != sent:
        yield f"{sent} signals were sent and {after['signals']} came"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("circumstances", nargs="*", default=CIRCUMSTANCES)
    parser.add_argument("--rounds", type=int, default=1000, help="of all circumstances together")
    parser.add_argument("--python", default=sys.executable)
    given = parser.parse_args()
    rounds, wrong, pauses = -(-given.rounds // len(given.circumstances)), 0, []
    for circumstance in given.circumstances:
        outcome = attach_to(given.python, circumstance, rounds=rounds)
        pauses += outcome.pauses_s
        wrong += len(outcome.wrong)
        print(
            f"{circumstance:12} {outcome.rounds:5} rounds  {shown(outcome.pauses_s)}  {outcome.wrong or 'unharmed'}",
            flush=True,
        )
    print(f"{'together':12} {shown(pauses)}")
    return int(bool(wrong))


def shown(pauses):
    if not pauses:
        return "no pause"
    return f"pause {statistics.median(pauses) * 1000:.2f} ms in the median, {max(pauses) * 1000:.2f} at most"


if __name__ == "__main__":
    sys.exit(main())
