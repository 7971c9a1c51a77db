"""A duration as the value of an option."""

from typing import Any

import click

from labserver.durations import seconds_of


class Duration(click.ParamType):  # type: ignore[type-arg] # new in click 8.4: older ones refuse the subscript
    """Seconds, given as `40`, `40s`, `10m` or `2h`.

    Args:
        least: the shortest that makes sense, in seconds.
    """

    name = "duration"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; a default is a number already."""
        try:
            seconds = float(value) if isinstance(value, int | float) else seconds_of(value)
        except ValueError as error:
            self.fail(f"{value!r} is none: {error}", param, ctx)
        if seconds < self._least:
            self.fail(f"{value} is too short: {self._least:g} s is the least.", param, ctx)
        return seconds
