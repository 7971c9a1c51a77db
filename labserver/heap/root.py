"""Where a chain of references begins: a module, or what CPython holds outside of any."""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from labserver.heap.message import Message

_NUMBER = re.compile(r"\d+")


class RootKind(StrEnum):
    """What holds a root."""

    MODULE = "module"
    LOCAL = "local"
    GLOBALS = "globals"
    EXCEPTION = "exception"
    CONTEXT_VARIABLE = "context variable"
    CONTEXT = "context"
    THREAD_LOCAL = "thread-local"
    HOOK = "hook"
    C_CODE = "C code"
    OTHER = "other"

    @classmethod
    def _missing_(cls, _: object) -> "RootKind":
        return cls.OTHER  # a newer version's

    @property
    def is_thread(self) -> bool:
        """Whether a thread at work holds it: with one of its frames, or by the exception that it handles."""
        return self in {RootKind.LOCAL, RootKind.GLOBALS, RootKind.EXCEPTION}


_TITLES = {
    RootKind.MODULE: "module {name}",
    RootKind.LOCAL: "thread {thread} in {function}, local {name}",
    RootKind.GLOBALS: "thread {thread} in {function}, globals",
    RootKind.EXCEPTION: "thread {thread} handling {name}",
    RootKind.CONTEXT_VARIABLE: "contextvar {name} of thread {thread}",
    RootKind.CONTEXT: "context of thread {thread}",
    RootKind.THREAD_LOCAL: "thread-local of thread {thread}",
    RootKind.HOOK: "{name}",
    RootKind.C_CODE: "references from C code",
    RootKind.OTHER: "{name}",
}


def without_numbers(name: str) -> str:
    """A name with `…` for each number in it."""
    return _NUMBER.sub("…", name)


@dataclass(frozen=True, slots=True)
class Root(Message):
    """A root by what holds it.

    Attributes:
        kind: what that is.
        name: a module's, a variable's, an exception type's or a hook's; empty where the kind says it all.
        thread: whose it is, by name; empty for what belongs to no thread.
        function: in which the thread is, for what a frame holds.
    """

    kind: RootKind = field(metadata={"read": RootKind})
    name: str = ""
    thread: str = ""
    function: str = ""

    @property
    def title(self) -> str:
        """What a reader calls it: `thread worker-1 in render, local image`."""
        return _TITLES[self.kind].format(name=self.name, thread=self.thread, function=self.function)

    def without_numbers(self) -> Self:
        """The same without the numbers in its names: threads of one pool grow for one reason."""
        name, thread, function = map(without_numbers, (self.name, self.thread, self.function))
        return replace(self, name=name, thread=thread, function=function)
