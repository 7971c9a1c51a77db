"""A folder that stands first on PYTHONPATH, so that every Python process that finds it there comes to the check."""

import os
import shutil
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from labserver.processes.sockets import private_directory
from labserver.targets.attach import entry
from labserver.targets.attach.bootstrap import offered
from labserver.targets.server import newcomer

MEETING = "meeting"
"""The name of the socket in the folder."""

# Any Python may read it, however old. `site` takes an ImportError of that name for "there is none": then it is as if
# there had never been ours. Else the application's own takes its place.
_TEXT = """import sys
def _come():
    try:
        exec({source}, {{"__name__": "labserver_newcomer"}})
    except BaseException:
        pass
_come()
sys.path[:] = [one for one in sys.path if one != {folder}]
sys.path_importer_cache.pop({folder}, None)
sys.modules.pop("sitecustomize", None)
import sitecustomize
"""
_COME = """
Newcomer(
    {meeting}, connected, lambda connection: stay(connection, offered={offered}, suffix={suffix})
).come()
"""


class SiteFolder:
    """The folder, to be closed.

    Attributes:
        meeting: the path of the socket in it, at which the processes are to be met.
    """

    def __init__(self) -> None:
        self._path = private_directory("labserver-server-", MEETING)
        self.meeting = self._path / MEETING
        (self._path / "sitecustomize.py").write_text(_text(self._path, self.meeting), encoding="ascii")

    def environment(self, known: str | None) -> dict[str, str]:
        """The variables that have a process find it.

        Args:
            known: PYTHONPATH as it is.
        """
        return {"PYTHONPATH": os.pathsep.join([str(self._path), *([known] if known else [])])}

    def close(self) -> None:
        """Remove it; processes that start later are as if it had never been."""
        shutil.rmtree(self._path, ignore_errors=True)


def _text(folder: Path, meeting: Path) -> str:
    texts = [Path(str(one.__file__)).read_text(encoding="utf-8") for one in (entry, newcomer)]
    come = _COME.format(meeting=ascii(str(meeting)), offered=ascii(offered()), suffix=ascii(EXTENSION_SUFFIXES[0]))
    return _TEXT.format(source=ascii("\n".join([*texts, come])), folder=ascii(str(folder)))
