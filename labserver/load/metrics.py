"""What is measured of a run, by k6's definitions; all times in seconds, all sizes in bytes."""

from dataclasses import dataclass, field

from labserver.load.answer import Answer
from labserver.load.thresholds import Judged

LITTLE_TOLERANCE = 0.10
BUSY_GENERATOR = 0.80


@dataclass(frozen=True)
class Check:
    """How often a check passed and failed."""

    passes: int
    fails: int


@dataclass(frozen=True)
class Trend:
    """The distribution of a time.

    `avg`, `min` and `max` are over what was answered. The percentiles are over everything: what got no answer counts as
    slower than every answer (k6 enters a refused connection as 0 s), so a percentile that falls among those is None.
    """

    answered: int
    unanswered: int
    avg: float | None
    min: float | None
    med: float | None
    max: float | None
    p90: float | None
    p95: float | None


@dataclass(frozen=True)
class Sizes:
    """The sizes of the pictures that came back, bytes; `sd` is the sample standard deviation."""

    count: int
    mean: float | None
    sd: float | None
    min: int | None
    max: int | None


@dataclass(frozen=True)
class LittlesLaw:
    """The users against those that rate times time accounts for: N = X · R in a closed loop without rests.

    Attributes:
        users: N.
        rate: X, finished iterations a second.
        seconds: R, mean seconds of an iteration, failed ones included.
        busy_users: X · R.
        ratio: X · R / N, or None when no iteration finished.
        note: a sentence when the two differ by more than 10 %.
    """

    users: int
    rate: float
    seconds: float | None
    busy_users: float
    ratio: float | None
    note: str | None


@dataclass(frozen=True)
class Generator:
    """What the load generator itself used during the run.

    Attributes:
        cpu_seconds: user and system time of its process.
        cpu_share: of one core, 0 to 1 and above.
        peak_rss: the largest resident size seen, bytes, looked at twice a second.
        note: a sentence when the generator was too busy to be trusted.
    """

    cpu_seconds: float
    cpu_share: float
    peak_rss: int
    note: str | None


@dataclass(frozen=True)
class Metrics:
    """What one run of virtual users did.

    Attributes:
        vus: virtual users.
        elapsed_s: the whole run, graceful stop included; every rate divides by it.
        iterations: finished iterations, failed ones included.
        iteration_rate: those a second.
        interrupted_iterations: iterations cut off by the end of the run.
        iteration_duration: their time; one that failed a check counts as unanswered.
        checks: each check by its name.
        check_rate: share of checks that passed, None without any.
        http_reqs: requests, failed ones included.
        http_req_rate: those a second.
        http_req_failed: requests without a whole answer or with a status outside of 200 to 399, or of what they expect.
        http_req_failed_rate: their share, None without requests.
        http_req_duration: by tag: `all`, `expected_response:true`, and each request's name.
        http_req_connecting: look-up, connect and handshake; 0 on a kept connection.
        http_req_sending: part of the duration.
        http_req_waiting: part of the duration.
        http_req_receiving: part of the duration.
        errors: requests without a whole answer, by kind.
        statuses: answers by status.
        data_sent: bytes.
        data_received: bytes.
        png_bytes: sizes of the pictures that came back.
        littles_law: the audit of the load itself.
        generator: the audit of the generator.
        first_failure: the first failed check's name, and why it failed.
        thresholds: how each that was given fared.
        first_failed_answer: the answer that this check was about, where it is known.
        first_reason: why it failed, without its name.
    """

    vus: int
    elapsed_s: float
    iterations: int
    iteration_rate: float
    interrupted_iterations: int
    iteration_duration: Trend
    checks: dict[str, Check]
    check_rate: float | None
    http_reqs: int
    http_req_rate: float
    http_req_failed: int
    http_req_failed_rate: float | None
    http_req_duration: dict[str, Trend]
    http_req_connecting: Trend
    http_req_sending: Trend
    http_req_waiting: Trend
    http_req_receiving: Trend
    errors: dict[str, int]
    statuses: dict[str, int]
    data_sent: int
    data_received: int
    png_bytes: Sizes
    littles_law: LittlesLaw
    generator: Generator
    first_failure: str | None
    thresholds: list[Judged] = field(default_factory=list)
    first_failed_answer: Answer | None = None
    first_reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether at least one check was made and none failed."""
        return self.check_rate == 1.0

    @property
    def notes(self) -> tuple[str, ...]:
        """The audits' sentences, if any."""
        return tuple(note for note in (self.littles_law.note, self.generator.note) if note)
