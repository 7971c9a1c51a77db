"""What the agent in a service that its owner runs answers, however it came there."""

import tracemalloc
from typing import Any

import psutil

from labserver.heap.agent import Command, converse, light_commands, memory_commands
from labserver.heap.interpreter import require_global_lock
from labserver.heap.protocol import Lines
from labserver.job_counters import count_jobs
from labserver.targets.commands import instruments_of
from labserver.targets.listeners import served_connections


def answer(lines: Lines, instruments: str) -> None:
    """Answer until the other side has gone, and leave the process as it was.

    Args:
        lines: the connection.
        instruments: `module:callable` that gives the further commands, imported at the first question for them.
    """
    process = psutil.Process()
    others = served_connections(process)  # of other clients, before there is any load
    tracing = tracemalloc.is_tracing()

    def commands() -> dict[str, Command]:
        require_global_lock()
        memory = memory_commands(lambda: max(served_connections(process) - others, 0))
        return memory | instruments_of(instruments)

    try:
        converse(lines, commands, _watching())
    finally:
        if tracemalloc.is_tracing() and not tracing:
            tracemalloc.stop()


def _watching() -> dict[str, Command]:
    """The command `reading` with the jobs of the services in this process that count theirs."""
    commands = light_commands()

    def reading() -> dict[str, Any]:
        memory: dict[str, Any] = commands["reading"]()
        return memory | count_jobs()

    return {"reading": reading}
