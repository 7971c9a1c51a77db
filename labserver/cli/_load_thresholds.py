"""The thresholds of a load: those that its generator judges, and those on the service's memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from labserver.errors import CannotRun, UsageError
from labserver.load.progress import Progress
from labserver.load.summary import Summary
from labserver.load.threshold_check import aggregate
from labserver.load.thresholds import OF_THE_SERVICE, parse_threshold
from labserver.watch.background import Watching
from labserver.watch.open import open_source

CROSSED = 99  # k6's
_OF_THE_JOURNEY = {
    "name": ("submit", "status", "result"),
    "expected_response": ("true", "false"),
    "check": ("job accepted", "jobId returned", "job done", "PNG decodes"),
}


class Thresholds:
    """What was asked for, checked before anything starts.

    Raises:
        UsageError: one cannot be read.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._all = [parse_threshold(text, _OF_THE_JOURNEY) for text in texts]
        self._memory = [threshold for threshold in self._all if threshold.metric in OF_THE_SERVICE]
        self.of_the_load = [
            text for text, threshold in zip(texts, self._all, strict=True) if threshold not in self._memory
        ]
        self._watching: Watching | None = None
        self._iterations = 0

    @contextmanager
    def watching(self, target: str) -> Iterator[None]:
        """Read the service's memory meanwhile, where a threshold is about it.

        Args:
            target: a URL or a process's id.

        Raises:
            UsageError: its heap cannot be read there.
        """
        if not self._memory:
            yield
            return
        wanted = " and ".join(sorted({threshold.metric for threshold in self._memory}))
        try:
            source = open_source(target)
        except CannotRun as error:
            raise UsageError(f"The threshold on {wanted} needs --memory-from URL|PID. {error}") from None
        if source.read().heap_bytes is None:
            source.close()
            raise UsageError(
                f"The threshold on {wanted} cannot be judged: {source.what} tells of no heap; "
                "give another --memory-from."
            )
        with Watching(source, lambda: self._iterations) as self._watching:
            yield

    def counting(self, show: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """The callback, which also counts finished iterations for services that do not count their jobs."""

        def count(progress: Progress) -> None:
            self._iterations = progress.iterations
            show(progress)

        return count

    def judge(self, summary: Summary) -> Summary:
        """The summary with the thresholds on memory as well."""
        watched = self._watching
        if watched is None:
            return summary
        judged = [
            threshold.judged(
                aggregate(threshold, watched.heap_bytes) if threshold.metric == "heap_bytes" else watched.bytes_per_job
            )
            for threshold in self._memory
        ]
        return replace(summary, thresholds=[*summary.thresholds, *judged])

    def exit_code(self, summary: Summary | None) -> int:
        """0 where all holds, 99 where a threshold does not, 1 where a check failed that no threshold is about."""
        if summary is None:
            return 1
        if any(not judged.ok for judged in summary.thresholds):
            return CROSSED
        held = any(threshold.metric == "checks" for threshold in self._all)
        return 0 if summary.ok or (held and summary.checks) else 1
