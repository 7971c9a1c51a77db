"""Where the process that is attached to meets whoever attaches: a socket in a directory that its user alone can enter.

The process comes here, and not the other way round: whoever attaches is waited for by nobody when he has gone. A text
that runs late finds no socket and does nothing.
"""

import contextlib
import os
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from labserver.heap.protocol import Lines
from labserver.processes.sockets import LONGEST_PATH
from labserver.system import peer_of
from labserver.targets.attach.permission import owner_of, status_of
from labserver.targets.attach.refusal import NotAttachable

_SOCKET, _SCRIPT = "meeting", "script.py"


class Meeting:
    """A place to meet; to be closed.

    Attributes:
        address: the path of the socket, as the process sees it.
        pid: the process, as it sees itself.

    Args:
        pid: the process, as it is seen from here.

    Raises:
        NotAttachable: there is no place, or no process.
    """

    def __init__(self, pid: int) -> None:
        self._target = pid
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            status = status_of(pid)
            self._owner = owner_of(status)
            self.pid = int(status.get("NSpid", str(pid)).split()[-1])
            outside, inside = _folders(pid)
            self._folder = Path(tempfile.mkdtemp(prefix=_prefix(pid), dir=outside))
            self._inside = inside / self._folder.name
            self._handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            self._listener.bind(f"/proc/self/fd/{self._handle}/{_SOCKET}")
            self._listener.listen(1)
            self._give(self._folder / _SOCKET)
            self._give(self._folder)
        except OSError as error:
            self._listener.close()
            raise NotAttachable(f"There is no place to meet process {pid} at ({error.strerror}).") from None
        self.address = str(self._inside / _SOCKET)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def script(self) -> str:
        """The path of a file beside the socket, as the process sees it; `write_script` makes it."""
        return str(self._inside / _SCRIPT)

    @property
    def is_here(self) -> bool:
        """Whether the process sees the folder at the same path."""
        return self._inside == self._folder

    def write_script(self, text: bytes) -> None:
        """Make the file, which its user alone can read."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(_SCRIPT, flags, mode=0o600, dir_fd=self._handle), "wb") as file:
            file.write(text)
            if os.geteuid() != self._owner:
                os.fchown(file.fileno(), self._owner, -1)

    def sweep(self) -> None:
        """Remove the scripts of earlier meetings with this process, of which the last one alone is asked for."""
        for folder in self._folder.parent.glob(f"{_prefix(self._target)}*"):
            if folder != self._folder and not (folder / _SOCKET).exists():
                with contextlib.suppress(OSError):
                    _remove_script(folder, self._owner)

    def wait(self, within_s: float) -> tuple[socket.socket, Lines] | None:
        """The process's connection, once it has come; None where it does not come in these seconds."""
        deadline = time.monotonic() + within_s
        while True:
            self._listener.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                return None
            peer = peer_of(connection)
            if peer is not None and peer.pid == self._target and peer.uid in {self._owner, 0}:
                return connection, Lines(connection)
            connection.close()

    def close(self, *, but_script: bool = False) -> None:
        """Wait no longer: whoever comes now finds nobody.

        Args:
            but_script: leave the script, which is still asked for some time, and removes itself then.
        """
        self._listener.close()
        for name in (_SOCKET,) if but_script else (_SOCKET, _SCRIPT):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._handle)
        with contextlib.suppress(OSError):
            os.close(self._handle)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _give(self, path: Path) -> None:
        if os.geteuid() != self._owner:
            os.chown(path, self._owner, -1)


def _prefix(pid: int) -> str:
    return f"labserver-attach-{pid}-"


def _remove_script(folder: Path, owner: int) -> None:
    """Remove a folder with a script in it, if it is that user's own: the folder for all may have any other one."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(handle).st_uid == owner:
            os.unlink(_SCRIPT, dir_fd=handle)
            folder.rmdir()
    finally:
        os.close(handle)


def _folders(pid: int) -> tuple[Path, Path]:
    """A folder for short-lived things, as it is seen from here and from the process."""
    here = Path("/proc/self", "root").stat(), Path("/proc/self/ns/mnt").readlink()
    there = Path(f"/proc/{pid}", "root").stat(), Path(f"/proc/{pid}/ns/mnt").readlink()
    if (here[0].st_dev, here[0].st_ino, here[1]) != (there[0].st_dev, there[0].st_ino, there[1]):
        return Path(f"/proc/{pid}", "root", "tmp"), Path("/tmp")  # noqa: S108 - private below
    folder = Path(tempfile.gettempdir())
    if len(os.fsencode(folder / f"{_prefix(pid)}12345678" / _SOCKET)) > LONGEST_PATH:
        folder = Path("/tmp")  # noqa: S108 - the same
    return folder, folder
