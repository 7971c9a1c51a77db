"""Results in a Redis server: outside this process, expired by the server, bounded by the server.

Each job is a hash. A finished one has an expiry (PEXPIRE) and is what the server may evict where `maxmemory` is reached
(policy volatile-ttl: the one nearest to its expiry first, among as many as the server looks at in a sample); an
unfinished one has none and is never evicted.

Promises: this process keeps no image; nothing finished is served or kept past its time to live; the server takes no
more than `budget_bytes` beside what it takes when empty, but for the one result that it is being sent. Does not
promise: that a result was read before it goes: under pressure the oldest are evicted. Where not even that makes room,
a new job is refused (503) and a finished one is lost (410); where the server is away, every answer is 503. Each look at
a finished job carries its image over the socket.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from labserver.extras import needed
from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores.redis_server import find_redis_server, redis_server
from labserver.incident.service.stores.retention import Retention
from labserver.incident.service.stores.store import StoreFull, StoreUnavailable

_TIMEOUT_S = 5.0
# The server takes the oldest of a sample: at its default, 5, it missed the oldest in one of 25 fills of a small store.
_SAMPLES = 64
# One step for the server, so that the figures are of one moment: {state, jobs, bytes, oldest} of each state.
_USAGE = """
local jobs, bytes, oldest = {}, {}, {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local state, created = unpack(redis.call('HMGET', key, 'state', 'created_at'))
  if state then
    jobs[state] = (jobs[state] or 0) + 1
    bytes[state] = (bytes[state] or 0) + redis.call('HSTRLEN', key, 'image')
    if not oldest[state] or tonumber(created) < tonumber(oldest[state]) then oldest[state] = created end
  end
end
local rows = {}
for state, count in pairs(jobs) do rows[#rows + 1] = {state, count, bytes[state], oldest[state]} end
return rows
"""
# Removes finished jobs that are older by the service's clock, which may have been moved; the server knows its own only.
_SWEEP = """
local removed = 0
for _, key in ipairs(redis.call('KEYS', '*')) do
  local state, created = unpack(redis.call('HMGET', key, 'state', 'created_at'))
  if (state == 'DONE' or state == 'FAILED') and ARGV[1] - created > tonumber(ARGV[2]) then
    removed = removed + redis.call('DEL', key)
  end
end
return removed
"""
# What the server allocated for each key, its own structures and the allocator's rounding included.
_MEMORY = """
local bytes = 0
for _, key in ipairs(redis.call('KEYS', '*')) do bytes = bytes + (redis.call('MEMORY', 'USAGE', key) or 0) end
return bytes
"""
_LONGEST_EXPIRY_MS = 2**53


class _Usage(NamedTuple):
    jobs: int
    size: int
    oldest: float


class RedisJobStore:
    """Keeps jobs in a Redis server of its own, from `start` to `close`.

    Raises:
        CannotRun: The package redis or the program redis-server is missing.
    """

    def __init__(self, retention: Retention, clock: Clock) -> None:
        self._retention = retention
        self._clock = clock
        self._redis = needed("redis", by="The store 'redis'")
        find_redis_server()  # early, so that nothing has been started where it is missing
        self._stack = ExitStack()
        self._client: Any = None

    def start(self) -> None:
        """Start the server."""
        with ExitStack() as stack:
            socket = stack.enter_context(redis_server())
            # Once more for a connection that has grown stale, but no waiting: a request's thread would wait with it.
            once_more = self._redis.retry.Retry(self._redis.backoff.NoBackoff(), 1)
            client = self._redis.Redis(unix_socket_path=str(socket), socket_timeout=_TIMEOUT_S, retry=once_more)
            stack.callback(client.close)
            client.config_set("maxmemory", client.info("memory")["used_memory"] + self._retention.budget_bytes)
            client.config_set("maxmemory-policy", "volatile-ttl")
            client.config_set("maxmemory-samples", _SAMPLES)
            self._usage_script, self._sweep_script = client.register_script(_USAGE), client.register_script(_SWEEP)
            self._memory_script = client.register_script(_MEMORY)
            self._client = client
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Stop the server, and with it keep nothing."""
        self._client = None
        self._stack.close()

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state in place of the one before.

        Raises:
            StoreFull: Not even eviction made room; the job is not kept any more.
            StoreUnavailable: The server cannot be reached.
        """
        fields = {"state": str(result.state), "created_at": repr(result.created_at)}
        if result.error is not None:
            fields["error"] = result.error
        image = {} if result.image is None else {"image": result.image}
        with self._calling() as client:
            try:
                with client.pipeline(transaction=True) as pipeline:
                    pipeline.hset(job_id, mapping=fields | image)
                    if result.state.finished:
                        pipeline.pexpire(job_id, self._expiry_ms())
                    pipeline.execute()
            except self._redis.exceptions.OutOfMemoryError:
                client.delete(job_id)
                raise StoreFull("The store of results has no room left.", self._retention.retry_after_s) from None

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it expired or was evicted.

        Raises:
            StoreUnavailable: The server cannot be reached.
        """
        if self._client is None:
            return None
        with self._calling() as client:
            fields = client.hgetall(job_id)
        if not fields:
            return None
        error = fields.get(b"error")
        result = JobResult(
            JobState(fields[b"state"].decode()),
            fields.get(b"image"),
            None if error is None else error.decode(),
            float(fields[b"created_at"]),
        )
        # By the service's clock too, which may have been moved past the server's.
        expired = result.state.finished and self._clock() - result.created_at > self._retention.ttl_s
        return None if expired else result

    def take(self, job_id: str) -> JobResult | None:
        """Return the same to a client who asked for the image."""
        return self.get(job_id)

    def __len__(self) -> int:
        return sum(usage.jobs for usage in self._usage().values())

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are kept in each state, zeros included."""
        usage = self._usage()
        return {state: usage[state].jobs if state in usage else 0 for state in JobState}

    def kept_bytes(self) -> int:
        """Return the bytes of all images that are kept."""
        return sum(usage.size for usage in self._usage().values())

    def oldest(self) -> float | None:
        """Return when the oldest of the finished jobs kept had finished, None without one."""
        return min((usage.oldest for state, usage in self._usage().items() if state.finished), default=None)

    def server_bytes(self) -> int:
        """Return the memory that the jobs take in the server, by its allocator and not by the images' lengths."""
        if self._client is None:
            return 0
        with self._calling():
            return int(self._memory_script())

    def sweep(self) -> int:
        """Remove finished jobs that the server does not know to be expired, as the service's clock was moved."""
        if self._client is None:
            return 0
        with self._calling():
            return int(self._sweep_script(args=[repr(self._clock()), repr(self._retention.ttl_s)]))

    def _usage(self) -> dict[JobState, _Usage]:
        """Return what is kept in the states that occur."""
        if self._client is None:
            return {}
        with self._calling():
            rows = self._usage_script()
        return {JobState(state.decode()): _Usage(jobs, size, float(oldest)) for state, jobs, size, oldest in rows}

    def _expiry_ms(self) -> int:
        return max(1, round(min(self._retention.ttl_s * 1000, _LONGEST_EXPIRY_MS)))

    @contextmanager
    def _calling(self) -> Iterator[Any]:
        """Give the client, and say in words for the service's clients when its server is away."""
        away = StoreUnavailable("The store of results cannot be reached.", self._retention.retry_after_s)
        if self._client is None:
            raise away
        try:
            yield self._client
        except (self._redis.exceptions.ConnectionError, self._redis.exceptions.TimeoutError):
            raise away from None
