"""Services under a hard limit of their memory, each under load until it fails or the load ends."""

import io
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from labserver.errors import CannotRun
from labserver.incident.experiments.capacity.forecast import Readings
from labserver.incident.experiments.capacity.formulas import Retention
from labserver.incident.experiments.capacity.scheduled_clients import (
    DONE,
    ScheduledClients,
    fetch,
    health,
    scheduled_clients,
)
from labserver.incident.experiments.capacity.trial import LATE_SHARE, Trial
from labserver.incident.experiments.leak.run import record_bytes
from labserver.incident.experiments.units import mebibytes
from labserver.incident.hosting.limited import LimitedServer, limited_server
from labserver.incident.service.face import compose
from labserver.incident.service.settings import Settings
from labserver.load.image_journey import Upload, encode_upload
from labserver.load.photos import Pair, PhotoPool
from labserver.suite.status_line import StatusLine
from labserver.system import LIMITS_ADDRESS_SPACE

_WARM_UP_JOBS = 16
_LOOK_S = 0.01
_GRAIN = 40.0
_SWEEP_S = 60.0
# A trial that was late is made again, but not for ever.
_TRIES = 3
_LONGEST = 3  # times the duration that was asked for
# How long each is watched, in lives of the leaky one: those that are to die for longer than that should take.
_LIVES = {"leaky": 4.0, "ttl_above": 4.0, "ttl_below": 1.25, "byte_budget": 1.25}


def grainy_photos(seed: int = 0, photos: str = "") -> list[Pair]:
    """Photographs with the grain of a dim room: pictures that hardly compress fill a memory with few jobs.

    Args:
        seed: what the photographs' variation and the grain are drawn from.
        photos: a folder of photographs; empty: those shipped.
    """
    rng = np.random.default_rng(seed)
    pairs = PhotoPool(seed, Path(photos) if photos else None).pairs
    return [Pair(_grainy(a, rng), _grainy(b, rng)) for a, b in pairs]


def picture_bytes(pairs: Sequence[Pair], settings: Settings) -> list[int]:
    """The sizes of the pictures that the service makes of these photographs."""
    px, most = settings.result_px, settings.max_pixels
    return [len(compose(a, b, size_px=px, max_pixels=most)) for a, b in pairs]


def usual_retention(ttl_s: float, *, seed: int = 0, photos: str = "") -> Retention:
    """What the service keeps of its usual pictures, with their records, for a time to live that is swept each minute.

    Args:
        ttl_s: the time to live.
        seed: of the photographs' variation.
        photos: a folder of photographs; empty: those shipped.
    """
    sizes = picture_bytes(PhotoPool(seed, Path(photos) if photos else None).pairs, Settings())
    record = record_bytes(Settings(store="ttl"))
    return Retention(ttl_s, _SWEEP_S, tuple(size + record for size in sizes))


def room_for(jobs: float, photos: Sequence[Pair]) -> int:
    """The bytes that the pictures of so many jobs take, with the service's own settings."""
    return int(jobs * np.mean(picture_bytes(photos, Settings())))


def ttl_that_fills(share: float, given: Settings, *, room: float, rate_per_s: float, result_bytes: float) -> Settings:
    """The settings with such a TTL that λ · (TTL + sweep) · bytes is a share of the room; the sweep is a tenth."""
    window_s = share * room / (rate_per_s * result_bytes)
    return replace(given, ttl_s=window_s / 1.1, sweep_s=window_s / 11)


def exhaust(  # noqa: PLR0913 - a service, a limit, a load: each a figure of its own
    settings: Settings,
    photos: Sequence[Pair],
    *,
    room: int,
    rate_per_s: float,
    duration_s: float,
    aftermath_s: float = 0.3,
    readers: int = 10,
) -> Trial:
    """Start the service, warm it up, limit its memory, and let jobs arrive at even distances.

    Args:
        settings: the service's.
        photos: the uploads, in turn.
        room: bytes that the address space may grow by from then on.
        rate_per_s: jobs that arrive per second.
        duration_s: how long, if it does not die before; on a busy machine longer, until as many jobs have ended as
            arrive in that time.
        aftermath_s: how long the load goes on after a death, to see what the service does then.
        readers: how many of the accepted jobs' clients come back for their picture in the end.

    Raises:
        CannotRun: the service does not start, or this system enforces no limit.
    """
    uploads = [encode_upload(pair) for pair in photos]
    with limited_server(settings) as server:
        with scheduled_clients(server.port, uploads, lambda _: 0.0, jobs=_WARM_UP_JOBS, clients=2) as first:
            first.wait()
        start, cpu_s = server.address_space().size, server.cpu_s()
        server.limit(room)
        with scheduled_clients(server.port, uploads, lambda n: n / rate_per_s) as clients:
            rows = _watch(server, clients, duration_s, int(rate_per_s * duration_s), aftermath_s)
        attempts = list(clients.attempts)
        alive = server.alive()
        accepted = [attempt.job_id for attempt in attempts if attempt.outcome == DONE]
        return Trial(
            settings=settings,
            room=room,
            rate_per_s=rate_per_s,
            readings=Readings.of(rows, start),
            attempts=attempts,
            ended_s=rows[-1][0],
            process_alive=alive,
            fetched=Counter(fetch(server.port, job_id) for job_id in accepted[:readers]),
            health=health(server.port),
            taken_again=_come_again(server, uploads),
            cpu_s=(server.cpu_s() if alive else cpu_s) - cpu_s,
        )


def _watch(
    server: LimitedServer, clients: ScheduledClients, duration_s: float, jobs: int, aftermath_s: float
) -> list[tuple[float, int, int, int]]:
    """Read the address space until the load's end: seconds, jobs done, size, peak."""
    rows: list[tuple[float, int, int, int]] = []
    seen = done = 0
    until_s = _LONGEST * duration_s
    while (now := time.monotonic() - clients.began) < until_s and (now < duration_s or seen < jobs):
        for attempt in clients.attempts[seen:]:
            seen += 1
            done += attempt.outcome == DONE
            if attempt.failed:
                until_s = min(until_s, attempt.t_s + aftermath_s)
        try:
            rows.append((now, done, *server.address_space()))
        except CannotRun:  # it has ended: that is a result
            until_s = min(until_s, now + aftermath_s)
        time.sleep(_LOOK_S)
    return rows


def _come_again(server: LimitedServer, uploads: Sequence[Upload], jobs: int = 4) -> Counter[str]:
    with scheduled_clients(server.port, uploads, lambda _: 0.0, jobs=jobs, clients=1) as clients:
        clients.wait()
    return Counter(attempt.outcome for attempt in clients.attempts)


def _grainy(photo: bytes, rng: np.random.Generator) -> bytes:
    with Image.open(io.BytesIO(photo)) as stored:
        pixels = np.asarray(stored.convert("RGB"), dtype=np.float64)
        exif = stored.getexif()
    grain = rng.normal(0.0, _GRAIN, pixels.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=88, exif=exif)
    return out.getvalue()


def four_trials(  # noqa: PLR0913 - keyword-only, each with a unit of its own
    photos: Sequence[Pair],
    *,
    room: int,
    rate_per_s: float,
    life_s: float,
    leaky_store: str = "leaky",
    ttl_store: str = "ttl",
    bounded_store: str = "byte-budget",
) -> dict[str, Trial]:
    """Put four services under the same limit and load, one after another; none where no limit is enforced.

    A machine that cannot keep the rate gets a lower one, as `in_pace` says: the others get what the leaky one got.

    Args:
        photos: the uploads, in turn.
        room: bytes that each service's address space may grow by.
        rate_per_s: jobs that arrive per second.
        life_s: how long the leaky one is expected to live at that rate; those that survive are watched for longer.
        leaky_store: the policy of `leaky`.
        ttl_store: that of `ttl_above`, whose TTL allows for twice the room, and `ttl_below`, whose allows for half.
        bounded_store: that of `byte_budget`, whose budget is half the room; nothing of it expires.
    """
    if not LIMITS_ADDRESS_SPACE:
        return {}
    mean = float(np.mean(picture_bytes(photos, Settings())))
    status_line, with_ttl = StatusLine(), Settings(store=ttl_store, workers=1)

    def trial(name: str, settings: Settings, rate: float) -> Trial:
        status_line.say(f"{name.replace('_', ' ')}: {mebibytes(room, 0)}, {rate:g} jobs/s")
        # All that budget's clients come back; of the others' a few show what was left.
        readers = 100_000 if name == "byte_budget" else 10
        until_s = life_s * rate_per_s / rate * _LIVES[name]
        return exhaust(settings, photos, room=room, rate_per_s=rate, duration_s=until_s, readers=readers)

    leaky = in_pace(partial(trial, "leaky", Settings(store=leaky_store, workers=1)), rate_per_s)
    load = {"room": room, "rate_per_s": leaky.rate_per_s, "result_bytes": mean}
    others = {
        "ttl_above": ttl_that_fills(2.0, with_ttl, **load),
        "ttl_below": ttl_that_fills(0.5, with_ttl, **load),
        "byte_budget": Settings(store=bounded_store, workers=1, budget_bytes=room // 2),
    }
    return {"leaky": leaky} | {name: trial(name, settings, leaky.rate_per_s) for name, settings in others.items()}


def in_pace(trial: Callable[[float], Trial], rate_per_s: float) -> Trial:
    """The first trial of which nothing was later than by 5 % of its length, of three at most; else the last.

    What a job leaves does not depend on the rate; but a queue that grows because the machine is busy otherwise fills
    the memory, too. So each trial is made at half the rate of the one before.

    Args:
        trial: makes one at a rate.
        rate_per_s: of the first.
    """
    for _ in range(_TRIES - 1):
        made = trial(rate_per_s)
        if made.late_s <= LATE_SHARE * made.ended_s:
            return made
        rate_per_s /= 2
    return trial(rate_per_s)


def cpu_per_job_s(trials: Mapping[str, Trial]) -> float:
    """CPU seconds that the leaky service spent on a job, requests included; without trials, that of composing alone."""
    if trials:
        return trials["leaky"].cpu_s / max(trials["leaky"].jobs, 1)
    pairs = PhotoPool(0).pairs
    began = time.process_time()
    picture_bytes(pairs, Settings())
    return (time.process_time() - began) / len(pairs)
