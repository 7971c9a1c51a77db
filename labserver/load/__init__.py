"""Virtual users that put a server under load, and the summary of what they met."""

from labserver.load.metrics import Check, Generator, LittlesLaw, Sizes, Trend
from labserver.load.progress import Progress
from labserver.load.summary import Summary
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
