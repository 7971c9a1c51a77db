"""`{name}` in a request: filled from what earlier answers of the same job said, or fresh for each job.

A dot goes into an object or a list: `{job.id}`, `{items.0.id}`. `{n}` is a running number and `{uuid}` a random id,
each the same in all requests of one job, unless an answer has a field of that name.
"""

import itertools
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

NAME = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)\}")
FRESH = ("n", "uuid")
_MOST_KEYS = 20
_numbers = itertools.count(1)


class Known:
    """What is known in one job."""

    def __init__(self) -> None:
        self._fresh = {"n": next(_numbers), "uuid": str(uuid.uuid4())}
        self._fields: dict[str, Any] = {}

    def learn(self, fields: dict[str, Any]) -> None:
        """Take in an answer; its fields replace earlier ones of the same name."""
        self._fields |= fields

    def fill(self, text: str, write: Callable[[Any], str]) -> str:
        """Put values in the places of the names.

        Args:
            text: with `{name}` in it.
            write: spells a value as it has to stand there.

        Raises:
            KeyError: a name is not known.
        """
        return NAME.sub(lambda match: write(self[match[1]]), text)

    def __getitem__(self, name: str) -> Any:
        try:
            return field(self._fields, name)
        except KeyError:
            return self._fresh[name]

    def names(self) -> str:
        """What answers have given, for a sentence."""
        return ", ".join(itertools.islice(_paths(self._fields), _MOST_KEYS)) or "none"


def field(value: Any, path: str) -> Any:
    """What stands in a JSON value under a dotted path.

    Raises:
        KeyError: nothing does.
    """
    if isinstance(value, dict) and path in value:
        return value[path]
    first, _, rest = path.partition(".")
    try:
        inner = value[int(first)] if isinstance(value, list) else value[first]
    except (LookupError, TypeError, ValueError):
        raise KeyError(path) from None
    return field(inner, rest) if rest else inner


def plain(value: Any) -> str:
    """A JSON value as text: a string as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def in_json(value: Any) -> str:
    """A JSON value inside a JSON text: a string without its quotes, which stand around the name."""
    text = json.dumps(value)
    return text[1:-1] if isinstance(value, str) else text


def _paths(fields: dict[str, Any]) -> Iterator[str]:
    for key in sorted(fields):
        yield key
        inner = fields[key]
        if isinstance(inner, dict):
            yield from (f"{key}.{name}" for name in sorted(inner))
