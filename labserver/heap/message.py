"""What travels between processes: a value with its JSON, which another version of this package can read as well."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from labserver.errors import CannotRun


@dataclass(frozen=True, slots=True)
class Message:
    """A value whose fields are its JSON's keys; a field may name its reader in `metadata["read"]`."""

    def to_json(self) -> dict[str, Any]:
        """The message as JSON values."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read it back; keys that this version does not know are left out.

        Raises:
            CannotRun: what every version sends is missing, or is something else.
        """
        readers = {one.name: one.metadata.get("read", _read) for one in fields(cls)}
        try:
            return cls(**{name: read(values[name]) for name, read in readers.items() if name in values})
        except (AttributeError, KeyError, TypeError) as error:
            raise CannotRun(
                f"The service runs another version of labserver, whose answer cannot be read ({error}): install the "
                "same one on both sides."
            ) from error


def _plain(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return value.to_json()
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def _read(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
