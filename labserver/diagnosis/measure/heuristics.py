"""The figures by which a check is run: unit, and why this value, beside each.

Where no bench is named, a value is a judgement for the reason given; `tests/bench/verdict_real.py` shows whether all of
them together still give the right verdicts. What counts as a leak stands in `labserver.diagnosis.decide`.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The jobs before the first floor.

    Attributes:
        jobs: after which caches, pools and lazy imports are what they stay; of `lru_cache`'s 128 entries, all.
        fast_jobs: the same for a coarse answer, still more than those 128.
        slice_jobs: after which the clock is looked at: a second for an application of 25 jobs a second.
        share: of all seconds, which a slow application's warm-up takes at most, so that most are left to measure.
        probes: tries until one job succeeds. An application that connects lazily may refuse its first ones.
        probe_pause_s: seconds between two tries.
        probe_jobs: of each user in a try: the first one of a user also opens its connection.
    """

    jobs: int = 250
    fast_jobs: int = 150
    slice_jobs: int = 25
    share: float = 0.3
    probes: int = 3
    probe_pause_s: float = 0.5
    probe_jobs: int = 2


@dataclass(frozen=True, slots=True)
class Cycles:
    """The jobs between two floors, and how many floors there are.

    Attributes:
        jobs: of a cycle. A leak at the tolerance, 256 B/job, then brings 12 kB a cycle, six times a floor's noise.
        fast_jobs: of a cycle for a coarse answer: at twice the tolerance a leak brings as much.
        fast_share: part of the jobs that a coarse answer takes at most. Fewer would leave it undecided where a floor's
            noise is large, and waits and challenges cost more than jobs.
        measuring_share: of the seconds that are left after the warm-up; the rest is for looking who holds what.
        floors_that_fit: cycles that there must be time for; where there is not, the cycles become longer and fewer. The
            decision first looks at nine floors.
        fewest_floors: of the slowest application: four are the fewest that are decided by.
        telling_jobs: measured jobs after which growth of which only more jobs can tell whether it ends is challenged:
            at full speed, and with fewer floors.
        far: standard deviations of a floor by which memory must have fallen for it all to begin anew, from below:
            what was full at first has gained nothing, and so no look names it.
        begin_again: times that it does.
        regroupings: times that it all begins anew with the warm-up, for other processes serve than before: a server
            that replaces its workers all the time leaves none for long enough.
    """

    jobs: int = 50
    fast_jobs: int = 25
    fast_share: float = 0.5
    measuring_share: float = 0.85
    floors_that_fit: int = 10
    fewest_floors: int = 5
    telling_jobs: int = 1_000
    far: float = 40.0
    begin_again: int = 2
    regroupings: int = 5


@dataclass(frozen=True, slots=True)
class Coarseness:
    """What is believed of readings that are coarser than the allocators' books.

    Attributes:
        private_noise: bytes, the standard deviation of a floor read from outside: pages that the allocators keep.
        mapped_noise: bytes, the same of memory that is mapped directly, which comes in steps of an allocator's own.
        mapped_tolerance: bytes per job, the least for memory that is mapped directly: a page for four jobs.
        seen_noise: standard deviations of a floor from which on growth is worth a wait or a name: a quarter of it,
            which may expire, is then still above the noise.
        fast_tolerance: bytes per job, the least for a coarse answer: half the jobs show half as little.
        fast_fill_jobs: the time constant of the slowest cache that a coarse answer waits for: half the jobs say
            little of one of the thousands that the full check rules out.
    """

    private_noise: float = 2.0**18
    mapped_noise: float = 2.0**16
    mapped_tolerance: float = 1024.0
    seen_noise: float = 6.0
    fast_tolerance: float = 512.0
    fast_fill_jobs: float = 1000.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long threads are waited for that jobs have started.

    Attributes:
        lingering: floors at which some had not ended in time; from then on it is taken for the rule.
        short_s: seconds of each wait thereafter: threads that never end shall not cost the full wait at each floor.
    """

    lingering: int = 2
    short_s: float = 0.2


@dataclass(frozen=True, slots=True)
class Counting:
    """How often the holders are counted, and what their counts explain.

    Attributes:
        every_floors: floors from one regular count to the next: three counts by the decision's first look.
        quick_s: seconds of a look below which holders are counted whenever the decision asks.
        later: jobs, as a factor of those at the last count, after which a slow look is worth its seconds again.
        explained: part of the growth from which on a holder, or some of them, account for it.
        thread_bytes: of a thread that still runs: the pages of its stack that it touched and its first objects.
        enough_lasting: counts from which on what lasts beside items that are let go of is decided by.
        fewest_lasting: the same at the last decision.
    """

    every_floors: int = 4
    quick_s: float = 0.4
    later: float = 1.25
    explained: float = 0.5
    thread_bytes: float = 16_384.0
    enough_lasting: int = 6
    fewest_lasting: int = 4


@dataclass(frozen=True, slots=True)
class Expiry:
    """The wait for results that go away by themselves.

    Attributes:
        patience_s: seconds of waiting without a fall, which every leak pays for.
        patience_share: of the seconds that are left, the same for a check that has few.
        longest_s: seconds of waiting while memory falls: who needs more gives `--settle`.
        step_s: seconds from one reading to the next.
        falls: part of the growth that must go away for it to count as expiring.
        step_falls: part of the growth by which one reading must be below the lowest one to be a fall.
        margin_s: seconds of wait on top of those seen: the sweep that frees may have just missed a result.
        fewest_floors: part of the planned floors that there must be time for with the wait before each.
    """

    patience_s: float = 4.0
    patience_share: float = 0.3
    longest_s: float = 20.0
    step_s: float = 0.5
    falls: float = 0.25
    step_falls: float = 0.0625
    margin_s: float = 0.5
    fewest_floors: float = 0.25


@dataclass(frozen=True, slots=True)
class Challenging:
    """The jobs and seconds that a suspected holder gets to show a bound, or to let go of what it has.

    Attributes:
        little: entries, where nothing in the code ever removes one: a map of some thousand products fills as well.
        little_s: seconds for these.
        opaque: entries that a container must have been offered whose type an extension has made, for what goes on to
            be called a leak: a slow application gets more seconds for them.
        fast_share: part of the entries and seconds that a coarse answer takes.
        runs: the seconds as a factor, where a thread, a timer or a task that is alive can remove them: it may come
            once a minute, to a coarse answer as well.
        margin: the jobs to a declared bound as a factor: some keys repeat, so that not every job brings an entry.
        unnamed: jobs, where nobody who holds the growth can be named.
        wait_s: seconds from one look to the next while something is waited for that lets go by itself.
        full: the part of a declared bound from which on it counts as reached: some keep a little less.
        filling_share: part of the seconds that are left, which filling up to a declared bound takes at most.
        most_jobs: as a factor of `max_jobs`: who limits the jobs does not want thousands.
        memory_share: part of the memory that the service may take, which a challenge fills at most.
        most_bytes: the same in bytes.
        most_threads: that jobs may leave behind.
        stops: part of the growth a job so far, below which the last jobs' growth shows a bound.
        again: what was seen to stop, as a factor of the entries that it had: beyond that it did not.
        goes_on: the same as `stops`, from which on it goes on as it began.
        telling_errors: standard errors of counts by which the last jobs must have brought too little for either.
        telling_noise: standard deviations of a floor, the same for growth that nobody counts.
        rounds: challenges of one check: beside a cache that was full at last, something else may grow.
    """

    little: int = 2_000
    little_s: float = 5.0
    opaque: int = 2_000
    unnamed: int = 10_000
    wait_s: float = 5.0
    fast_share: float = 0.2
    runs: float = 1.4
    margin: float = 1.2
    full: float = 0.95
    filling_share: float = 0.5
    most_jobs: int = 8
    memory_share: float = 0.125
    most_bytes: float = 2.0**30
    most_threads: int = 1_000
    stops: float = 0.1
    again: float = 1.25
    goes_on: float = 0.75
    telling_errors: float = 4.0
    telling_noise: float = 12.0
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class Telling:
    """What is worth a word beside the verdict.

    Attributes:
        fewest_threads: that are left before they are named: a pool's five first ones are none.
        thread_share: threads a job from which on they are named.
        rising: part of the tolerance from which on growth below it is worth a word.
        hides: over the measured jobs, the rarest part of the jobs that shows with 99 % certainty: ln 100, as
            (1 − p) to the power of n is 1 % at n × p = 4.6.
    """

    fewest_threads: int = 6
    thread_share: float = 0.02
    rising: float = 0.25
    hides: float = 4.6


@dataclass(frozen=True, slots=True)
class Heuristics:
    """All of them, as a check takes them."""

    warm_up: WarmUp = field(default_factory=WarmUp)
    cycles: Cycles = field(default_factory=Cycles)
    coarseness: Coarseness = field(default_factory=Coarseness)
    patience: Patience = field(default_factory=Patience)
    counting: Counting = field(default_factory=Counting)
    expiry: Expiry = field(default_factory=Expiry)
    challenging: Challenging = field(default_factory=Challenging)
    telling: Telling = field(default_factory=Telling)

    def for_processes(self, count: int) -> "Heuristics":
        """The same where so many share the jobs: each has to get as many of them to show what one would."""
        if count == 1:
            return self
        warm, dared = self.warm_up, self.challenging
        return replace(
            self,
            warm_up=replace(warm, jobs=count * warm.jobs, fast_jobs=count * warm.fast_jobs),
            challenging=replace(
                dared, little=count * dared.little, opaque=count * dared.opaque, unnamed=count * dared.unnamed
            ),
        )
