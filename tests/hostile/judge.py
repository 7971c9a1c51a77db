"""The verdict on a hostile load: named checks, each with its figures and with what speaks against it."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from .books import Answer, ClientLog, ServerLog

ANSWERED = "who waits is answered"
ALLOWED = "each answer is one that the request allows"
TAKEN_ONCE = "each submission is taken once, under an id of its own"
SAME_COUNT = "clients and server count the same jobs"
AT_REST = "the server comes to rest"
ENDS_ONCE = "each job ends once, and there is no other"
NOT_EARLY = "no result is lost before its time"
NOT_LATE = "nothing finished is kept beyond its time"
SAYS_WHY = "each failed job says why"
OWN_FACE = "each result is the face of its own photographs"
BYTES = "the store's books are exact"
THREADS = "threads are back"
DESCRIPTORS = "descriptors are back"
HEAP = "bytes are back"
PROCESSES = "no process is left"

TOLERANCE = 256  # bytes per job, as `labserver check` has it
# What is left once, however many jobs there are: the interpreter's caches, and each thread's store of freed pieces,
# which the C library counts as in use. Half of it was seen.
ALLOWANCE = 512 * 1024

UPLOAD_ANSWERS = defaultdict(
    lambda: {202, 503},
    {
        "an oversized upload": {413},
        "a truncated photograph": {422},
        "a bomb": {422},
        "another boundary": {400},
    },
)
JOB_ANSWERS = {"status": {200, 410}, "result": {200, 409, 410}}
LOST_FACE_API = frozenset({"The face-api broke the connection off.", "The face-api cannot be reached."})


class Check(NamedTuple):
    """A check's name, its figures, and the first few of what it objects to."""

    name: str
    figures: str
    objections: tuple[str, ...]

    @property
    def holds(self):
        return not self.objections


@dataclass(frozen=True)
class Promise:
    """What the service under load has promised.

    Attributes:
        ttl_s: How long a result is kept, counted from its completion.
        evicts_read: Whether a result that was read may go before.
        faces: What must come of each pair of photographs.
        reasons: Why a job may fail.
    """

    ttl_s: float
    evicts_read: bool
    faces: list[bytes]
    reasons: frozenset[str]


@dataclass
class Evidence:
    """A load and what it left.

    Attributes:
        clients: What they noted.
        server: The same.
        forged: Ids that the server never gave.
        unrest: What still moved when the load had long ended; empty where nothing did.
        finished: Jobs that the service counted as ended.
        now: The service's time at the audit, which stood still for it.
        audit: Every job's status then, and its result where it was done.
        kept_bytes: The store's account of it.
        kept: The same by state.
        left_bytes: Its account when everything has expired.
        left: The same by state.
    """

    clients: ClientLog = field(default_factory=ClientLog)
    server: ServerLog = field(default_factory=ServerLog)
    forged: frozenset[str] = frozenset()
    unrest: str = ""
    finished: int = 0
    now: float = 0.0
    audit: dict[str, tuple[Answer, Answer | None]] = field(default_factory=dict)
    kept_bytes: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    left_bytes: int = 0
    left: dict[str, int] = field(default_factory=dict)


class Floor(NamedTuple):
    """The process at rest; `heap` is None where nobody keeps such books."""

    threads: int
    descriptors: int
    heap: int | None


def judge(evidence, promise):
    """Return the checks on conservation: every job accounted for, every byte."""
    judged = _Judge(evidence, promise)
    return [
        judged.answered(),
        judged.allowed(),
        judged.taken_once(),
        judged.same_count(),
        judged.at_rest(),
        judged.ends_once(),
        judged.not_early(),
        judged.not_late(),
        judged.says_why(),
        judged.own_face(),
        judged.bytes_exact(),
    ]


def judge_floors(floors, orphans, jobs):
    """Return the checks on what the process has back.

    Args:
        floors: Pairs of before and after: while the server serves, and around the whole of it.
        orphans: Process ids that are still there.
        jobs: How many jobs lay between the first two.
    """
    serving, outside = floors
    checks = []
    for name, what in ((THREADS, "threads"), (DESCRIPTORS, "descriptors")):
        pairs = [(getattr(before, what), getattr(after, what)) for before, after in (serving, outside)]
        wrong = [f"{before} before, {after} after" for before, after in pairs if after > before]
        checks.append(_check(name, "; ".join(f"{before} → {after}" for before, after in pairs), wrong))
    checks.append(_heap(serving, jobs))
    checks.append(_check(PROCESSES, f"{len(orphans)} left", [f"process {pid}" for pid in orphans]))
    return checks


def _heap(serving, jobs):
    before, after = (floor.heap for floor in serving)
    if before is None or after is None:
        return _check(HEAP, "not known on this platform", [])
    grown = after - before
    figures = f"{grown:+,} B over {jobs:,} jobs ({grown / max(jobs, 1):+.0f} B/job)"
    return _check(HEAP, figures, [figures] if grown > ALLOWANCE + TOLERANCE * jobs else [])


class _Judge:
    def __init__(self, evidence, promise):
        self._seen = evidence
        self._promise = promise
        self._accepted = [entry for entry in evidence.server.handled if entry.status == 202]
        self._times = Counter(entry.job_id for entry in self._accepted)
        self._ends = Counter(end.job_id for end in evidence.server.ended)
        self._ended_at = {end.job_id: end.at for end in evidence.server.ended}
        self._asked = [answer for answer in evidence.clients.answers if answer.job_id not in evidence.forged]
        self._audited = [answer for pair in evidence.audit.values() for answer in pair if answer is not None]

    def answered(self):
        submissions = self._seen.clients.submissions
        figures = f"{len(submissions):,} uploads, {len(self._seen.clients.answers):,} questions"
        return _check(ANSWERED, figures, self._seen.clients.broken)

    def allowed(self):
        wrong = [
            f"{status} to {upload.act}"
            for upload in self._seen.clients.submissions
            if (status := upload.status) is not None and status not in UPLOAD_ANSWERS[upload.act]
        ]
        for answer in [*self._seen.clients.answers, *self._audited]:
            forged = answer.job_id in self._seen.forged
            if answer.status not in ({404} if forged else JOB_ANSWERS[answer.question]):
                wrong.append(f"{answer.status} to the {answer.question} of {_short(answer.job_id)}")
        by_status = Counter(self._seen.server.statuses)
        wrong += [f"{count} x {status}" for status, count in by_status.items() if status >= 500 and status != 503]
        return _check(ALLOWED, _counted(by_status), wrong)

    def taken_once(self):
        tickets = Counter(entry.ticket for entry in self._seen.server.handled)
        wrong = [f"submission {ticket}: {count} times" for ticket, count in tickets.items() if count > 1]
        wrong += [f"id {_short(job_id)}: {count} times" for job_id, count in self._times.items() if count > 1]
        return _check(TAKEN_ONCE, f"{len(self._accepted):,} accepted, {len(self._times):,} ids", wrong)

    def same_count(self):
        """Compare both sides one submission at a time: only who left may not know what became of his."""
        server = {entry.ticket: entry for entry in self._seen.server.handled}
        wrong, told, unread, cut = [], 0, 0, 0
        for upload in self._seen.clients.submissions:
            entry = server.pop(upload.ticket, None)
            if not upload.complete:
                cut += 1
                wrong += [f"submission {upload.ticket} was cut off, and handled"] if entry else []
            elif upload.stays and upload.status is not None:
                told += upload.status == 202
                if entry is None or (entry.status, entry.job_id) != (upload.status, upload.job_id):
                    wrong.append(f"submission {upload.ticket}: {upload.status} for the client, {entry} for the server")
            elif entry is not None:
                unread += entry.status == 202
        wrong += [f"submission {ticket} is nobody's" for ticket in server]
        if len(self._accepted) != told + unread and not wrong:
            wrong.append(f"{len(self._accepted)} accepted are not {told} told and {unread} unread")
        figures = f"{len(self._accepted):,} accepted = {told:,} told + {unread:,} never read; {cut:,} cut off"
        return _check(SAME_COUNT, figures, wrong)

    def at_rest(self):
        return _check(AT_REST, self._seen.unrest or "nothing moves", [self._seen.unrest] if self._seen.unrest else [])

    def ends_once(self):
        wrong = [
            f"{_short(job_id)} ended {self._ends[job_id]} times"
            for job_id, times in self._times.items()
            if self._ends[job_id] != times
        ]
        others = {*self._ends, *self._seen.server.begun} - {*self._times}
        wrong += [f"nobody submitted {_short(job_id)}" for job_id in others]
        wrong += [
            f"{_short(job_id)} is still {status.state}"
            for job_id, (status, _) in self._seen.audit.items()
            if status.state in {"PENDING", "RUNNING"}
        ]
        if self._seen.finished != len(self._accepted):
            wrong.append(f"{self._seen.finished} were counted as finished")
        states = Counter(end.state for end in self._seen.server.ended)
        return _check(ENDS_ONCE, f"{self._seen.finished:,} finished: {_counted(states)}", wrong)

    def not_early(self):
        gone = [answer for answer in [*self._asked, *self._audited] if answer.status == 410]
        wrong = [f"{_short(answer.job_id)} is gone" for answer in gone if self._is_early(answer)]
        return _check(NOT_EARLY, f"{len(gone):,} x 410", wrong)

    def _is_early(self, answer):
        ended_at = self._ended_at.get(answer.job_id)
        if ended_at is None:
            return True
        excused = self._promise.evicts_read and answer.job_id in self._seen.server.read
        return answer.at - ended_at <= self._promise.ttl_s and not excused

    def not_late(self):
        wrong = [
            f"{_short(job_id)} is {self._seen.now - self._ended_at[job_id]:.1f} s old"
            for job_id, (status, _) in self._seen.audit.items()
            if status.state in {"DONE", "FAILED"}
            and self._seen.now - self._ended_at.get(job_id, self._seen.now) > self._promise.ttl_s
        ]
        left = {state: count for state, count in self._seen.left.items() if count and state in {"DONE", "FAILED"}}
        wrong += [f"{count} {state} after all have expired" for state, count in left.items()]
        return _check(NOT_LATE, f"{sum(left.values())} left after expiry", wrong)

    def says_why(self):
        errors = Counter(answer.error for answer in [*self._asked, *self._audited] if answer.state == "FAILED")
        wrong = [f"{count} x {error!r}" for error, count in errors.items() if error not in self._promise.reasons]
        return _check(SAYS_WHY, _counted(errors) or "none failed", wrong)

    def own_face(self):
        pairs = {upload.ticket: upload.pair for upload in self._seen.clients.submissions}
        faces = defaultdict(set)
        for entry in self._accepted:
            if (pair := pairs.get(entry.ticket)) is not None:
                faces[entry.job_id].add(self._promise.faces[pair])
        fetched = [answer for answer in [*self._asked, *self._audited] if answer.face is not None]
        known = [answer for answer in fetched if answer.job_id in self._times]
        wrong = [f"{_short(a.job_id)} is another's" for a in known if a.face not in faces[a.job_id]]
        wrong += [
            f"{_short(job_id)} is DONE and has no picture"
            for job_id, (status, result) in self._seen.audit.items()
            if status.state == "DONE" and (result is None or result.face is None)
        ]
        times = Counter(answer.job_id for answer in fetched)
        again = sum(count > 1 for count in times.values())
        return _check(OWN_FACE, f"{len(times):,} fetched, {again:,} of them more than once", wrong)

    def bytes_exact(self):
        audit = self._seen.audit.values()
        size = sum(result.size for _, result in audit if result is not None)
        states = Counter(status.state for status, _ in audit if status.state is not None)
        kept = {state: count for state, count in self._seen.kept.items() if count}
        wrong = []
        if size != self._seen.kept_bytes:
            wrong.append(f"{self._seen.kept_bytes:,} B by its account, {size:,} B when fetched")
        if kept != states:
            wrong.append(f"{kept} by its account, {dict(states)} when asked")
        if self._seen.left_bytes and not self._seen.left.get("DONE"):
            wrong.append(f"{self._seen.left_bytes:,} B by its account, and no result")
        figures = f"{self._seen.kept_bytes:,} B in {kept.get('DONE', 0):,} results; {self._seen.left_bytes:,} B at last"
        return _check(BYTES, figures, wrong)


def _check(name, figures, objections):
    return Check(name, figures, tuple(objections))


def _counted(counter):
    return ", ".join(f"{count:,} x {what}" for what, count in sorted(counter.items(), key=str))


def _short(job_id):
    return str(job_id)[:8]
