"""Claims that are declared by their subject where a notebook ends, and recorded there all together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from labserver.suite.findings import Findings

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Declared:
    """Claims that are not yet recorded: `record` judges them and adds them to a notebook's findings."""

    record: Callable[[Findings], None]


def declares(record: Callable[Concatenate[Findings, P], None]) -> Callable[P, Declared]:
    """Make a function that records claims one that declares them: it is called without the findings."""

    @wraps(record)
    def declared(*args: P.args, **kwargs: P.kwargs) -> Declared:
        return Declared(lambda findings: record(findings, *args, **kwargs))

    return declared
