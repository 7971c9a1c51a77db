"""A counter of jobs on a page in Prometheus' format, named as `URL#name` or `URL#name{label="value"}`."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from labserver.errors import CannotRun, UsageError
from labserver.watch.exposition import Value, parse, total
from labserver.watch.fetch import Fetcher, NoAnswer


@dataclass(frozen=True, slots=True)
class JobCounterPage:
    """The counter, asked for again and again.

    Attributes:
        spec: as it was named.
        url: of the page.
        wanted: the name and the labels; of several lines that have them the values are added up.
    """

    spec: str
    url: str
    wanted: Value
    fetcher: Fetcher

    def read(self) -> float | None:
        """What it has counted by now; None where it cannot be read just now."""
        try:
            return total(parse(self.fetcher.text(self.url)), self.wanted.name, **self.wanted.labels)
        except NoAnswer:
            return None

    def close(self) -> None:
        """Close the connection."""
        self.fetcher.close()


def open_job_counter(spec: str) -> JobCounterPage:
    """The counter that a spelling names.

    Raises:
        UsageError: it names none.
        CannotRun: it cannot be read.
    """
    url, _, name = spec.partition("#")
    wanted = parse(f"{name} 0")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(wanted) != 1:
        raise UsageError(
            f"{spec!r} is no counter: give it as URL#name, such as http://127.0.0.1:8000/metrics#http_requests_total."
        )
    page = JobCounterPage(spec, url, wanted[0], Fetcher())
    if page.read() is None:
        page.close()
        raise CannotRun(f"{url} tells of no counter {name}: is the service up, and its page in Prometheus' format?")
    return page
