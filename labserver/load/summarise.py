"""From the samples of a run to its summary; done in the generator's process, so that no sample leaves it."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labserver.load.metrics import BUSY_GENERATOR, LITTLE_TOLERANCE, Check, Generator, LittlesLaw, Sizes, Trend
from labserver.load.samples import Samples
from labserver.load.summary import Summary
from labserver.text import formatted

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def summarise(samples: Samples, *, vus: int, elapsed_s: float, cpu_s: float, peak_rss: int) -> Summary:
    """The summary of a run.

    Args:
        samples: what its users recorded.
        vus: how many users there were.
        elapsed_s: seconds from its first to its last moment, graceful stop included.
        cpu_s: seconds of processor time that the generator used meanwhile.
        peak_rss: the generator's largest resident size, bytes.
    """
    duration = np.array(samples.duration)
    answered = np.isfinite(duration)
    expected = np.array(samples.went_well, dtype=bool)
    iteration_s = np.array(samples.iteration_s)
    finished = np.where(np.array(samples.iteration_ok, dtype=bool), iteration_s, math.inf)
    checks = {name: Check(passes, fails) for name, (passes, fails) in samples.checks.items()}
    requests, iterations = len(duration), len(iteration_s)
    failed = requests - int(expected.sum())
    return Summary(
        vus=vus,
        elapsed_s=elapsed_s,
        iterations=iterations,
        iteration_rate=iterations / elapsed_s,
        interrupted_iterations=samples.interrupted,
        iteration_duration=trend(finished),
        checks=checks,
        check_rate=_share(sum(c.passes for c in checks.values()), sum(c.passes + c.fails for c in checks.values())),
        http_reqs=requests,
        http_req_rate=requests / elapsed_s,
        http_req_failed=failed,
        http_req_failed_rate=_share(failed, requests),
        http_req_duration=_by_tag(samples, duration, expected),
        http_req_connecting=trend(np.array(samples.connecting)[answered]),
        http_req_sending=trend(np.array(samples.sending)[answered]),
        http_req_waiting=trend(np.array(samples.waiting)[answered]),
        http_req_receiving=trend(np.array(samples.receiving)[answered]),
        errors=dict(sorted(samples.errors.items())),
        statuses={str(code): count for code, count in sorted(Counter(samples.status).items()) if code},
        data_sent=samples.sent,
        data_received=samples.received,
        png_bytes=sizes(samples.png_bytes),
        littles_law=littles_law(vus, iteration_s, elapsed_s, samples.interrupted),
        generator=_generator(cpu_s, elapsed_s, peak_rss),
        first_failure=samples.first_failure,
        first_reason=samples.first_reason,
        first_failed_answer=samples.first_failed_answer,
    )


def trend(seconds: Floats) -> Trend:
    """The distribution of times, of which infinite ones got no answer."""
    answered = np.sort(seconds[np.isfinite(seconds)])
    count = len(answered)
    return Trend(
        answered=count,
        unanswered=len(seconds) - count,
        avg=float(answered.mean()) if count else None,
        min=float(answered[0]) if count else None,
        med=percentile(answered, len(seconds), 50),
        max=float(answered[-1]) if count else None,
        p90=percentile(answered, len(seconds), 90),
        p95=percentile(answered, len(seconds), 95),
    )


def percentile(answered: Floats, total: int, percent: float) -> float | None:
    """The percentile of `total` times of which only the fastest are known, by linear interpolation.

    Args:
        answered: the known times in rising order.
        total: how many there are with those that got no answer.
        percent: 0 to 100.

    Returns:
        The percentile, or None when one of the two times it lies between is unknown.
    """
    if not len(answered):
        return None
    last_needed = math.ceil(percent * (total - 1) / 100)
    if last_needed >= len(answered):
        return None
    # The filling is never looked at: it stands above the last time that is needed.
    filled = np.concatenate([answered, np.full(total - len(answered), answered[-1])])
    return float(np.percentile(filled, percent))


def sizes(values: Sequence[int]) -> Sizes:
    """Count, mean, spread and range of sizes."""
    if not len(values):
        return Sizes(count=0, mean=None, sd=None, min=None, max=None)
    figures = np.array(values, dtype=float)
    spread = float(figures.std(ddof=1)) if len(figures) > 1 else None
    return Sizes(len(figures), float(figures.mean()), spread, int(figures.min()), int(figures.max()))


def littles_law(users: int, iteration_s: Floats, elapsed_s: float, interrupted: int) -> LittlesLaw:
    """The audit: do rate and time of the iterations account for the users?"""
    rate = len(iteration_s) / elapsed_s
    if not len(iteration_s):
        nothing = "No iteration finished, so Little's law has nothing to compare."
        return LittlesLaw(users, rate, None, 0.0, None, nothing)
    busy = float(iteration_s.sum()) / elapsed_s
    ratio = busy / users
    note = None
    if abs(ratio - 1) > LITTLE_TOLERANCE:
        note = (
            f"Little's law accounts for {busy:.2f} of {users} users (X·R/N = {ratio:.2f}): the others rested after "
            f"failures, had no iteration left at the end of the run, or were cut off ({interrupted} interrupted)."
        )
    return LittlesLaw(users, rate, float(iteration_s.mean()), busy, ratio, note)


def _by_tag(samples: Samples, duration: Floats, expected: Mask) -> dict[str, Trend]:
    codes = np.array(samples.name_code)
    by_name = {name: trend(duration[codes == code]) for code, name in enumerate(samples.names)}
    return {"all": trend(duration), "expected_response:true": trend(duration[expected]), **by_name}


def _generator(cpu_s: float, elapsed_s: float, peak_rss: int) -> Generator:
    share = cpu_s / elapsed_s
    note = None
    if share > BUSY_GENERATOR:
        note = (
            f"The load generator used {formatted(share, '.0%')} of a core: "
            "it measures itself, so take fewer users or several generators."
        )
    return Generator(cpu_seconds=cpu_s, cpu_share=share, peak_rss=peak_rss, note=note)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
