"""The options of a check as options of the command line."""

from collections.abc import Callable
from dataclasses import Field
from typing import Any

import click

from labserver.cli._duration import Duration
from labserver.diagnosis.measure.options import (
    DURATION,
    AttachOptions,
    LoadOptions,
    MeasureOptions,
    ObserveOptions,
    options_of,
)

# What cannot be right is refused with the option's name in the sentence.
_TYPES = {"users": click.IntRange(min=1), "max_jobs": click.IntRange(min=1), "stall_ms": click.FloatRange(min=0)}
_LEAST_S = {"attach_timeout": 0.1}


def check_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every option of a check, in their order; it is called with them by their names."""
    return _with(command, options_of(LoadOptions, ObserveOptions, AttachOptions, MeasureOptions))


def attach_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of that name among those of attaching."""
    options = [one for one in options_of(AttachOptions) if one.name in names]
    return lambda command: _with(command, options)


def _with(command: Callable[..., None], options: list[Field[Any]]) -> Callable[..., None]:
    for one in reversed(options):
        command = _option(one)(command)
    return command


def _option(one: Field[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    spelling = "--" + one.name.replace("_", "-")
    shown: dict[str, Any] = {"help": one.metadata["help"], "metavar": one.metadata["metavar"]}
    if one.default == ():
        return click.option(spelling.removesuffix("s"), one.name, multiple=True, **shown)
    if one.default is False:
        return click.option(spelling, is_flag=True, help=shown["help"])
    kind = Duration(_LEAST_S.get(one.name, 0.0)) if shown["metavar"] == DURATION else _TYPES.get(one.name)
    return click.option(spelling, default=one.default, show_default=one.default is not None, type=kind, **shown)
