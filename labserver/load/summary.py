"""The end-of-run summary: the metrics of a run, for people and for programs."""

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from labserver.load.answer import Answer
from labserver.load.metrics import Check, Generator, LittlesLaw, Metrics, Sizes, Trend
from labserver.load.table import render
from labserver.load.thresholds import Judged


@dataclass(frozen=True)
class Summary(Metrics):
    """What one run of virtual users did, see `Metrics`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; what cannot be said is null, never infinite or not-a-number."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Summary":
        """The summary that `to_dict` was made from.

        Raises:
            TypeError: a key is missing or unknown.
        """
        trends = [key for key in plain if key.startswith("http_req_") and isinstance(plain[key], dict)]
        made: dict[str, Any] = {key: Trend(**plain[key]) for key in trends if key != "http_req_duration"}
        made["http_req_duration"] = {tag: Trend(**value) for tag, value in plain["http_req_duration"].items()}
        made["iteration_duration"] = Trend(**plain["iteration_duration"])
        made["checks"] = {name: Check(**value) for name, value in plain["checks"].items()}
        made["png_bytes"] = Sizes(**plain["png_bytes"])
        made["littles_law"] = LittlesLaw(**plain["littles_law"])
        made["thresholds"] = [Judged(**value) for value in plain.get("thresholds", [])]
        answer = plain.get("first_failed_answer")
        made["first_failed_answer"] = None if answer is None else Answer(**answer)
        made["generator"] = Generator(**plain["generator"])
        return cls(**{**plain, **made})

    def table(self) -> str:
        """The summary as text, laid out as k6 does at the end of a run."""
        return render(self)

    def _repr_html_(self) -> str:
        # Smaller, so that JupyterLab's column is wide enough for the longest line.
        return f'<div><pre style="font-size: 90%">{escape(self.table())}</pre></div>'
