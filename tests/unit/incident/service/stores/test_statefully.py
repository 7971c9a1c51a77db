"""Each policy against a model of it that is written to be read, over random lives of jobs and a clock of its own."""

import shutil
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import StoreFull, create_store

TTL = 100
LARGEST = largest_png_bytes(16)
BUDGET = 3 * LARGEST + 100
SETTINGS = Settings(
    ttl_s=TTL, sweep_s=3600, result_px=16, budget_bytes=BUDGET, max_jobs=3, soft_s_per_mib=50 * 2**20 / BUDGET
)

SIZES = st.one_of(st.integers(0, LARGEST), st.just(BUDGET + 1))


class Model:
    """Keeps everything; ages and uses are remembered for the policies below."""

    def __init__(self):
        self.now = 0
        self.jobs = {}  # in the order of the newest states
        self.used = {}  # when each finished job was put or last asked for, the latest last
        self.read = []

    def put(self, job_id, result):
        self.drop(job_id)
        self.jobs[job_id] = result
        if result.state.finished:
            self.used[job_id] = self.now
        return True

    def get(self, job_id):
        if job_id in self.used:
            del self.used[job_id]
            self.used[job_id] = self.now
        return self.jobs.get(job_id)

    def take(self, job_id):
        return self.get(job_id)

    def sweep(self):
        return 0

    def drop(self, job_id):
        self.jobs.pop(job_id, None)
        self.used.pop(job_id, None)
        if job_id in self.read:
            self.read.remove(job_id)

    def age(self, job_id):
        job = self.jobs.get(job_id)
        return self.now - job.created_at if job and job.state.finished else 0

    def bytes(self):
        return sum(len(job.image or b"") for job in self.jobs.values())

    def oldest(self):
        return min((job.created_at for job in self.jobs.values() if job.state.finished), default=None)

    def drop_older(self, age):
        old = [job_id for job_id in self.jobs if self.age(job_id) > age]
        for job_id in old:
            self.drop(job_id)
        return len(old)


class Swept(Model):
    def sweep(self):
        return self.drop_older(TTL)


class HiddenAndSwept(Swept):
    def get(self, job_id):
        return None if self.age(job_id) > TTL else super().get(job_id)


class Lazy(Model):
    def put(self, job_id, result):
        self.drop_older(TTL - 1)  # cachetools counts the last second out; the clock ticks whole ones
        return super().put(job_id, result)

    def get(self, job_id):
        return None if self.age(job_id) >= TTL else super().get(job_id)


class Weak(Model):
    def put(self, job_id, result):
        super().put(job_id, result)
        if result.state.finished:
            self.drop(job_id)
        return True


class Soft(Model):
    def put(self, job_id, result):
        super().put(job_id, result)
        self.sweep()
        return True

    def sweep(self):
        patience = 50 * max(0, BUDGET - self.bytes()) / BUDGET
        gone = [job_id for job_id, used in self.used.items() if self.now - used > patience]
        for job_id in gone:
            self.drop(job_id)
        while self.bytes() > BUDGET:
            gone.append(next(iter(self.used)))
            self.drop(gone[-1])
        return len(gone)


class EvictOnFetch(Model):
    def take(self, job_id):
        result = self.get(job_id)
        if result and result.image is not None:
            self.drop(job_id)
        return result


class LruCount(Model):
    def put(self, job_id, result):
        super().put(job_id, result)
        while len(self.used) > SETTINGS.max_jobs:
            self.drop(next(iter(self.used)))
        return True


class ByteBudget(HiddenAndSwept):
    def promised(self):
        return self.bytes() + LARGEST * sum(not job.state.finished for job in self.jobs.values())

    def put(self, job_id, result):
        before = self.jobs.pop(job_id, None)
        need = LARGEST if not result.state.finished else len(result.image or b"")
        if self.promised() + need > BUDGET:
            self.drop_older(TTL)
        while self.promised() + need > BUDGET and self.read:
            self.drop(self.read[0])
        if self.promised() + need > BUDGET:
            if before is None:
                return False
            result = replace(result, state=JobState.FAILED, image=None, error="The result is too large to be kept.")
        return super().put(job_id, result)

    def take(self, job_id):
        result = self.get(job_id)
        if result and result.image is not None and job_id not in self.read:
            self.read.append(job_id)
        return result


class Disk(HiddenAndSwept):
    def put(self, job_id, result):
        size = len(result.image or b"")
        if size > BUDGET:
            result = replace(result, state=JobState.FAILED, image=None, error="The result is too large to be kept.")
            size = 0
        while self.bytes() + size > BUDGET:
            self.drop(next(job_id for job_id, job in self.jobs.items() if job.image is not None))
        return super().put(job_id, result)


MODELS = {
    "leaky": Model,
    "ttl": Swept,
    "ttl-lazy": Lazy,
    "timer": Swept,  # their threads know real time only: under the machine's clock it is the sweep that acts
    "scheduler": Swept,
    "weak": Weak,
    "soft": Soft,
    "evict-on-fetch": EvictOnFetch,
    "lru-count": LruCount,
    "byte-budget": ByteBudget,
    "disk": Disk,
    "redis": HiddenAndSwept,
}
# The promises of the modules' docstrings, checked by themselves: a model could share a store's mistake.
LOSES_NOTHING_UNREAD = {"leaky", "ttl", "ttl-lazy", "timer", "scheduler", "evict-on-fetch", "byte-budget"}
BOUNDED_IN_BYTES = {"soft", "byte-budget", "disk"}
BOUNDED_IN_TIME = {"ttl", "timer", "scheduler", "byte-budget", "disk", "redis"}


class Lives(RuleBasedStateMachine):
    """Jobs are submitted, run, end, are looked at and fetched, while time passes and sweeps come."""

    unfinished, finished = Bundle("unfinished"), Bundle("finished")

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.model = MODELS[name]()
        # A Redis server's connections alone take more than the others' budget; its eviction has a test of its own.
        budget = 2**26 if name == "redis" else BUDGET
        self.store = create_store(replace(SETTINGS, store=name, budget_bytes=budget), lambda: self.model.now)
        if name != "scheduler":  # whose thread would act between two steps
            self.store.start()
        self.submitted = 0
        self.unread = {}

    def put(self, job_id, state, image=None, error=None):
        # Two values: the store of weak references must be the only one that knows its own.
        expected = self.model.put(job_id, JobResult(state, image, error, self.model.now))
        try:
            self.store.put(job_id, JobResult(state, image, error, self.model.now))
        except StoreFull:
            assert not expected
            return False
        assert expected
        return True

    @rule(target=unfinished)
    def submit(self):
        self.submitted += 1
        job_id = f"job {self.submitted}"
        self.put(job_id, JobState.PENDING)
        return job_id

    @rule(target=finished, job_id=consumes(unfinished), size=SIZES)
    def succeed(self, job_id, size):
        if job_id in self.model.jobs:
            self.put(job_id, JobState.RUNNING)
            self.put(job_id, JobState.DONE, image=bytes(size))
            if size <= LARGEST:
                self.unread[job_id] = self.model.now
        return job_id

    @rule(target=finished, job_id=consumes(unfinished))
    def fail(self, job_id):
        if job_id in self.model.jobs:
            self.put(job_id, JobState.FAILED, error="No face.")
        return job_id

    @rule(target=finished, size=SIZES)
    def succeed_at_once(self, size):
        return self.succeed(self.submit(), size)

    @rule(job_id=st.one_of(unfinished, finished))
    def look(self, job_id):
        assert self.store.get(job_id) == self.model.get(job_id)

    @rule(job_id=finished)
    def fetch(self, job_id):
        assert self.store.take(job_id) == self.model.take(job_id)
        self.unread.pop(job_id, None)

    @rule(seconds=st.one_of(st.integers(1, TTL // 4), st.sampled_from([TTL - 1, TTL, TTL + 1])))
    def wait(self, seconds):
        self.model.now += seconds

    @rule()
    def sweep(self):
        assert self.store.sweep() == self.model.sweep()
        if self.name in BOUNDED_IN_TIME:
            assert all(self.model.age(job_id) <= TTL for job_id in self.model.jobs)

    @invariant()
    def keeps_exact_books(self):
        counts = self.store.counts()
        assert len(self.store) == sum(counts.values()) == len(self.model.jobs)
        assert counts == {state: [*map(state_of, self.model.jobs.values())].count(state) for state in JobState}
        assert self.store.kept_bytes() == self.model.bytes()
        assert self.store.oldest() == self.model.oldest()

    @invariant()
    def stays_within_its_budget(self):
        if self.name in BOUNDED_IN_BYTES:
            assert self.store.kept_bytes() <= BUDGET

    @invariant()
    def loses_nothing_unread(self):
        if self.name in LOSES_NOTHING_UNREAD:
            for job_id, finished_at in self.unread.items():
                if self.model.now - finished_at < TTL:
                    assert self.store.get(job_id).state is JobState.DONE

    def teardown(self):
        try:
            for job_id in list(self.model.jobs):
                assert self.store.get(job_id) == self.model.get(job_id)
        finally:
            self.store.close()


def state_of(job):
    return job.state


@pytest.mark.parametrize("name", MODELS)
def test_lives_as_its_model_does(name):
    if name == "redis" and shutil.which("redis-server") is None:
        pytest.skip("the program redis-server is missing")
    run_state_machine_as_test(
        lambda: Lives(name),
        settings=hypothesis_settings(
            max_examples=4 if name == "redis" else 25,  # each starts a server
            stateful_step_count=30,
            phases=[Phase.generate, Phase.shrink],
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_every_store_has_a_model(store_name):
    assert store_name in MODELS
