"""Whether floors against finished jobs are a leak, asked again after every few floors until one answer is sure.

Two channels. The bytes (`byte_channel`): a slope with an interval, the risk of a false alarm shared out over the
decisions. The counts (`count_channel`): what each holder keeps more than at the first floor. The bytes say whether
memory grows; the counts say whether that goes on, and what grows unseen.
"""

from dataclasses import dataclass, replace

from labserver.diagnosis.decide import byte_channel, count_channel
from labserver.diagnosis.decide.evidence import Evidence
from labserver.diagnosis.decide.floors import Floors
from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.decide.steadiness import Steadiness
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.verdict import Verdict
from labserver.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class Timing:
    """When a decision is tried; the figures are of tests/bench/verdict_simulate.py.

    Attributes:
        first_floors: floors of the first decision: two counts of the holders go before. With 13 a leak of every job
            takes 600 jobs instead of 400, an idle server 640 instead of 460; with 7 nobody is sure any sooner.
        every_floors: from one decision to the next. Each takes a part of the risk: with 1 a cache takes more jobs.
        fewest_floors: of the last decision, where there was no time for more: a line through three shows no scatter.
        few_jobs: so few jobs at the last decision that growth without a holder is a leak though it shows no trend.
    """

    first_floors: int = 9
    every_floors: int = 2
    fewest_floors: int = 4
    few_jobs: int = 100

    def is_due(self, floors: int, *, final: bool) -> bool:
        """Whether so many floors are decided on."""
        if final:
            return floors >= self.fewest_floors
        return floors >= self.first_floors and not (floors - self.first_floors) % self.every_floors

    def risk(self, floors: int, whole: float) -> float:
        """The part of a check's whole risk that a decision takes: deciding often makes no false alarm more likely."""
        number = max(floors - self.first_floors, 0) // self.every_floors + 1
        return whole / (number * (number + 1))


TIMING = Timing()
_COUNTED = {NoteKind.FOUND_BY_COUNTING, NoteKind.FOUND_IN_TIME}
_UNDECIDED = {
    Steadiness.FILLING: ReasonKind.FILLS,
    Steadiness.LETS_GO: ReasonKind.LETS_GO,
    Steadiness.SLOWING: ReasonKind.SLOWS_DOWN,
    Steadiness.UNSURE: ReasonKind.MAY_BE_A_CACHE,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the evidence says.

    Attributes:
        verdict: `INCONCLUSIVE` means: go on, if there is time.
        interval: bytes per job at the confidence asked for; None for fewer than three floors.
        reason: why it is inconclusive; None where it is not.
        wants_counts: the answer depends on what the holders have gained by now; ask, and decide again.
        fills: the growth is that of a holder that declares a bound and has not reached it.
        notes: what should be known beside the verdict.
        since: the floor that the interval was read from on; None where it is not of floors.
    """

    verdict: Verdict
    interval: Interval | None
    reason: Reason | None = None
    wants_counts: bool = False
    fills: bool = False
    notes: tuple[Note, ...] = ()
    since: int | None = 0

    def undecided(self, reason: Reason) -> "Decision":
        """The same, undecided for a reason."""
        return replace(self, verdict=Verdict.INCONCLUSIVE, reason=reason, fills=False, notes=())


def decide(evidence: Evidence, rules: Rules) -> Decision:
    """Decide, or say why not yet."""
    count = len(evidence.floors)
    if count < 3:
        return _undecided(None, Reason(ReasonKind.NO_SLOPE, {"floors": count}))
    floors = Floors(
        evidence.jobs, evidence.floors, rules.noise_bytes, TIMING.risk(count, rules.risk), wanders=rules.wanders
    )
    if not TIMING.is_due(count, final=evidence.final):
        few = Reason(ReasonKind.FEW_FLOORS, {"floors": count, "least": TIMING.first_floors})
        return _undecided(floors.interval(0, rules.confidence), few)
    return coherent(_decided(evidence, rules, floors), rules.tolerance)


def coherent(decision: Decision, tolerance: float) -> Decision:
    """The same decision, unless the interval that is shown with it says otherwise: then it is undecided.

    A leak's interval lies above the tolerance, or above 0 where a note names the count that speaks for it. That of no
    leak lies below the tolerance.

    Args:
        decision: what the evidence says.
        tolerance: bytes per job.
    """
    interval = decision.interval
    if decision.verdict is Verdict.INCONCLUSIVE or interval is None:
        return decision
    if decision.verdict is Verdict.NO_LEAK:
        return decision if interval.high < tolerance else _unsure(decision, tolerance)
    counted = next((note for note in decision.notes if note.kind in _COUNTED), None)
    if interval.low > (tolerance if counted is None else 0):
        return decision
    if counted is not None:
        return decision.undecided(Reason(ReasonKind.COUNTED_BUT_MAY_BE_NONE, counted.arguments))
    return _unsure(decision, tolerance)


def _unsure(decision: Decision, tolerance: float) -> Decision:
    """The same, undecided: of the tolerance, or of whether there is growth at all."""
    interval = decision.interval
    if interval is None or interval.low <= 0 < tolerance < interval.estimate:
        return decision.undecided(Reason(ReasonKind.MAY_BE_NONE))
    # What decides is stricter than the interval that is shown, and leaves the highest jumps out.
    return decision.undecided(
        Reason(ReasonKind.SPANS_TOLERANCE if tolerance in interval else ReasonKind.NEAR_TOLERANCE)
    )


def _decided(evidence: Evidence, rules: Rules, floors: Floors) -> Decision:
    start = byte_channel.growth_start(floors, rules.tolerance)
    comes_back = start is not None and byte_channel.only_comes_back(floors, start)
    if start is not None and not comes_back:
        return _of_growth(evidence, rules, floors, start)
    quiet = byte_channel.quiet_start(floors, rules.tolerance)
    if quiet is not None:
        interval = floors.interval(quiet, rules.confidence)
        if evidence.gains is not None and not evidence.is_counted:
            return _undecided(interval, Reason(ReasonKind.NOT_COUNTED), wants_counts=True, since=quiet)
        return _counted(evidence, rules, Decision(Verdict.NO_LEAK, interval, since=quiet))
    since = 0 if comes_back else byte_channel.late_start(floors, 0)
    shown = Decision(Verdict.INCONCLUSIVE, floors.interval(since, rules.confidence), since=since)
    unsure = shown.undecided(Reason(ReasonKind.COMES_BACK)) if comes_back else _unsure(shown, rules.tolerance)
    return _counted(evidence, rules, unsure)


def _of_growth(evidence: Evidence, rules: Rules, floors: Floors, start: int) -> Decision:
    """Memory grows by more than the tolerance: a leak, if that goes on."""
    since = byte_channel.late_start(floors, start)
    interval = floors.interval(since, rules.confidence)
    if evidence.gains is not None and not evidence.is_counted:
        return _undecided(interval, Reason(ReasonKind.MAY_BE_A_CACHE), wants_counts=True, since=since)
    steadiness = _steadiness(evidence, rules, floors, start, interval.estimate)
    if steadiness in _UNDECIDED:
        filling = steadiness is Steadiness.FILLING
        return _undecided(interval, Reason(_UNDECIDED[steadiness]), fills=filling, since=since)
    few = evidence.jobs[-1] < count_channel.THRESHOLDS.telling_jobs
    if few and not evidence.final:
        return _undecided(interval, Reason(ReasonKind.FEW_JOBS), since=since)
    notes = (Note(NoteKind.FEW_JOBS),) if few else ()
    return Decision(Verdict.LEAK, interval, notes=notes + _doubts(steadiness), since=since)


def _steadiness(evidence: Evidence, rules: Rules, floors: Floors, start: int, per_job: float) -> Steadiness:
    """How the growth develops: by the holders' counts, or by the bytes where no holder explains it."""
    if evidence.gains is not None:
        steadiness = count_channel.steadiness_of_holders(evidence, per_job)
        if steadiness is not Steadiness.UNKNOWN:
            return steadiness
    final = evidence.final
    steadiness = byte_channel.steadiness_of_bytes(floors, start, rules.slowest_fill_jobs, final=final)
    # So few jobs show no trend, and more there will not be: what a cache may do as well is said in a note.
    hopeless = steadiness is Steadiness.UNSURE and final and evidence.jobs[-1] < TIMING.few_jobs
    return Steadiness.STEADY if hopeless else steadiness


def _counted(evidence: Evidence, rules: Rules, otherwise: Decision) -> Decision:
    """A leak by the counts alone, where the bytes are too few or too noisy to show one; else what the bytes say."""
    jobs, quiet = evidence.jobs[-1], otherwise.verdict is Verdict.NO_LEAK
    notes = []
    for gain in count_channel.suspects(evidence, rules.tolerance):
        steadiness = count_channel.steadiness_of_gain(gain, evidence)
        gained = Note(
            NoteKind.GAINED, {"path": gain.path, "items": gain.items, "jobs": jobs, "item_bytes": gain.item_bytes}
        )
        if steadiness in {Steadiness.STEADY, Steadiness.GOES_ON} and count_channel.is_enough(gain, evidence, rules):
            found = (Note(NoteKind.FOUND_BY_COUNTING, gained.arguments), *_doubts(steadiness))
            return replace(otherwise, verdict=Verdict.LEAK, reason=None, notes=found)
        if steadiness not in {Steadiness.SLOWING, Steadiness.LETS_GO}:
            notes.append(gained)
    if quiet and notes and not evidence.final:
        return otherwise.undecided(Reason(ReasonKind.FEW_LARGE_ITEMS))
    return replace(otherwise, notes=tuple(notes)) if quiet else otherwise


def _doubts(steadiness: Steadiness) -> tuple[Note, ...]:
    # Of undeclared caches of random keys that 1 to 5 % of the jobs use, one in seven is taken for a leak here. The
    # challenge tells them apart (tests/bench/verdict_simulate.py, seldom).
    return (Note(NoteKind.FEW_ITEMS),) if steadiness is Steadiness.GOES_ON else ()


def _undecided(
    interval: Interval | None, reason: Reason, *, wants_counts: bool = False, fills: bool = False, since: int = 0
) -> Decision:
    return Decision(Verdict.INCONCLUSIVE, interval, reason, wants_counts, fills, since=since)
