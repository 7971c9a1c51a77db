"""Virtual users that put a server under load, and the summary of what they met."""

from labserver.load.progress import Progress
from labserver.load.summary import Check, Generator, LittlesLaw, Sizes, Summary, Trend
from labserver.load.users import VirtualUsers, virtual_users

__all__ = [
    "Check",
    "Generator",
    "LittlesLaw",
    "Progress",
    "Sizes",
    "Summary",
    "Trend",
    "VirtualUsers",
    "virtual_users",
]
