"""The line that starts a server, as the user has given it."""

import os
import re
import shlex
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from labserver.errors import UsageError

_PORT = "{port}"
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_OF_A_SHELL = re.compile(r"[|&;<>]+|2>&1")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What is started.

    Attributes:
        arguments: the program's path, and what it is given.
        environment: variables that stand before it, as in `PORT=1 program`.
        port: that took the place of `{port}`; None where there is no such place.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "CommandLine":
        """Read it as a shell would, without being one, and find it a free port where it wants one.

        Raises:
            UsageError: there is nothing in it, a quote is left open, it needs a shell, or there is no such program.
        """
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"The command cannot be read ({str(error).lower()}): {text}") from None
        shell = next((word for word in words if _OF_A_SHELL.fullmatch(word)), None)
        if shell is not None:
            raise UsageError(f"No shell runs the command, so {shell!r} means nothing in it: give it as sh -c '…'.")
        port = _free_port() if _PORT in text else None
        words = [word.replace(_PORT, str(port)) for word in words]
        environment = {}
        while words and _ASSIGNMENT.match(words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if not words:
            raise UsageError("The command is empty: give the line that starts the server, such as 'gunicorn shop:app'.")
        return cls((_program(words[0], environment), *words[1:]), environment, port)


def _program(name: str, environment: dict[str, str]) -> str:
    """The program's path: by PATH, or beside this interpreter, where a virtual environment has its own."""
    path = environment.get("PATH", os.environ.get("PATH"))
    found = shutil.which(name, path=path) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is not None:
        return found
    if os.sep in name and Path(name).is_file():
        raise UsageError(f"The command {name} may not be executed: make it executable, or give the interpreter first.")
    raise UsageError(f"The command {name} was not found: give its path, or install it here.")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
