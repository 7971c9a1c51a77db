"""How IPython displays an answer and its parts: as the reports write them."""

import importlib

_WRITER = "labserver.report.in_notebook"
"""Asked for by its name: the reports know the results, and not the other way round."""


class Shown:
    """What `labserver.report` knows how to write."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(importlib.import_module(_WRITER).html_of(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        # A dataclass has a `__repr__` of its own, which IPython would show as the text.
        return {"text/html": self._repr_html_(), "text/plain": str(importlib.import_module(_WRITER).text_of(self))}
