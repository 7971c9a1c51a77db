"""The metrics of a service over HTTP: Spring Boot's Actuator, or Prometheus' text format."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from labserver.errors import CannotRun
from labserver.watch.exposition import Value, parse, total
from labserver.watch.fetch import Fetcher, NoAnswer, metric_value
from labserver.watch.sample import Lifetimes, Sample, Source

_HEAP = "jvm.memory.used?tag=area:heap"
_ONE_METRIC = "/metrics/"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something may answer: an Actuator's metric below its `metrics` address, or a page of Prometheus'."""

    url: str
    metrics: str | None = None


class Actuator:
    """An Actuator's metric, its process's start, and the jobs where the service counts them."""

    def __init__(self, fetcher: Fetcher, url: str, metrics: str) -> None:
        self.what = f"{url} (Actuator)"
        self._fetcher, self._url = fetcher, url
        self._lifetimes = Lifetimes()
        # What a service does not have is asked for once, and not with each sample.
        names = ("process.start.time", "process.uptime", "labserver.jobs", "labserver.jobs.finished")
        self._extras = {name: f"{metrics}/{name}" for name in names if self._has(f"{metrics}/{name}")}
        if "process.start.time" in self._extras:
            self._extras.pop("process.uptime", None)

    def read(self) -> Sample:
        """Ask for each metric."""
        try:
            heap = self._fetcher.metric(self._url)
            extras = {name: self._fetcher.metric(url) for name, url in self._extras.items()}
        except NoAnswer as reason:
            return Sample(event=f"gap: {reason}")
        started = extras.get("process.start.time")
        if "process.uptime" in extras:
            started = time.time() - extras["process.uptime"]
        finished = extras.get("labserver.jobs.finished")
        event = self._lifetimes.event(started, finished)
        return Sample(heap_bytes=heap, live_jobs=extras.get("labserver.jobs"), finished_jobs=finished, event=event)

    def close(self) -> None:
        """Close the connections."""
        self._fetcher.close()

    def _has(self, url: str) -> bool:
        try:
            self._fetcher.metric(url)
        except NoAnswer:
            return False
        return True


class Page:
    """A page in Prometheus' format."""

    def __init__(self, fetcher: Fetcher, url: str) -> None:
        self.what = f"{url} (Prometheus)"
        self._fetcher, self._url = fetcher, url
        self._lifetimes = Lifetimes()

    def read(self) -> Sample:
        """Fetch the page and take the memory, the jobs and the start from it."""
        try:
            values = parse(self._fetcher.text(self._url))
        except NoAnswer as reason:
            return Sample(event=f"gap: {reason}")
        sample = sample_of(values)
        if sample.is_gap:
            return Sample(event="gap: malformed answer")
        started = total(values, "process_start_time_seconds")
        return replace(sample, event=self._lifetimes.event(started, sample.finished_jobs))

    def close(self) -> None:
        """Close the connections."""
        self._fetcher.close()


def sample_of(values: list[Value]) -> Sample:
    """What a page tells of memory and jobs, under the names of Micrometer, the clients of Go and Node.js, and ours."""
    heaps = (
        total(values, "jvm_memory_used_bytes", area="heap"),
        total(values, "jvm_memory_bytes_used", area="heap"),  # the Java client's before 1.0
        total(values, "go_memstats_heap_inuse_bytes"),
        total(values, "nodejs_heap_size_used_bytes"),
    )
    return Sample(
        heap_bytes=next((heap for heap in heaps if heap is not None), None),
        resident_bytes=total(values, "process_resident_memory_bytes"),
        live_jobs=total(values, "labserver_jobs"),
        finished_jobs=total(values, "labserver_jobs_finished_total"),
    )


def at_url(url: str) -> Source:
    """The first place at or below an address that tells of the service's memory.

    Args:
        url: the service's address, an Actuator's with its base path, or that of one metric or page.

    Raises:
        CannotRun: there is none.
    """
    fetcher = Fetcher()
    tried = []
    for place in _places(url):
        try:
            return _opened(fetcher, place)
        except NoAnswer as reason:
            tried.append(f"{place.url} ({reason})")
            if str(reason).startswith(("connection", "no answer")):
                break
    fetcher.close()
    raise CannotRun(
        f"Nothing at {url} tells of the service's memory: tried {', '.join(tried)}. Is it up, and are its metrics "
        "exposed (Spring Boot: management.endpoints.web.exposure.include=metrics; another port or path: give it whole)?"
    )


def _places(url: str) -> Iterator[_Place]:
    parts = urlsplit(url)
    path = parts.path.rstrip("/")

    def address(path: str, query: str = "") -> str:
        return urlunsplit((parts.scheme, parts.netloc, path, query, ""))

    before, found, _ = path.partition("/actuator")
    if _ONE_METRIC in path:
        yield _Place(address(path, parts.query), address(path.rpartition(_ONE_METRIC)[0] + "/metrics"))
    elif path:
        yield _Place(address(path, parts.query))
    # Without /actuator in it, the path may be the application's or the management's own.
    roots = [f"{before}/actuator"] if found else [f"{path}/actuator", path]
    for root in roots:
        yield _Place(address(f"{root}/metrics") + f"/{_HEAP}", address(f"{root}/metrics"))
    for page in ([] if found else [f"{path}/metrics"]) + [f"{root}/prometheus" for root in roots]:
        yield _Place(address(page))


def _opened(fetcher: Fetcher, place: _Place) -> Source:
    text = fetcher.text(place.url)
    if place.metrics is not None:
        metric_value(text)
        return Actuator(fetcher, place.url, place.metrics)
    if sample_of(parse(text)).is_gap:
        raise NoAnswer("nothing about memory in it")
    return Page(fetcher, place.url)
