"""All stores under one script, one after the other; what cannot be measured here is named with its reason."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labserver.errors import CannotRun, UsageError
from labserver.heap.tracemalloc_tools import tracing
from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.stores.client import ScriptedClient, scripted_client
from labserver.incident.experiments.stores.playback import run_script
from labserver.incident.experiments.stores.script import Script
from labserver.incident.experiments.stores.store_run import StoreRun
from labserver.incident.experiments.units import MIB
from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import STORES, create_store
from labserver.names import unknown_name
from labserver.suite.status_line import StatusLine

# Longer than any run: the sweeper's own thread never comes, the script sweeps by its clock.
_NEVER_S = 10.0**6
_WARM_UP = Script(steady_jobs=4, burst_jobs=6, late_jobs=1, failed_jobs=1)


@dataclass(frozen=True, slots=True)
class Comparison(Measured):
    """What all stores did with one script.

    Attributes:
        runs: by the store's name, in the order asked for.
        missing: why a store could not be measured on this machine.
    """

    runs: dict[str, StoreRun]
    missing: dict[str, str]


def store_names(stores: str) -> list[str]:
    """The stores of a comma list, or all where it says so.

    Raises:
        UsageError: one is unknown, or there is none.
    """
    if stores == "all":
        return list(STORES)
    names = [name.strip() for name in stores.split(",") if name.strip()]
    for name in names:
        if name not in STORES:
            raise unknown_name("store", name, list(STORES))
    if not names:
        raise UsageError("The comparison needs at least one store, or 'all'.")
    return list(dict.fromkeys(names))


def settings_for(store: str, script: Script, *, budget_results: int, result_px: int) -> Settings:
    """One store's settings: every bound is the same memory, in bytes or in results.

    Args:
        store: its name.
        script: the load, whose times the store gets.
        budget_results: results, each at the largest it can be, that the bounded stores have room for.
        result_px: side of a result.
    """
    budget = budget_results * largest_png_bytes(result_px)
    return Settings(
        store=store,
        ttl_s=script.ttl_s,
        sweep_s=_NEVER_S,
        result_px=result_px,
        budget_bytes=budget,
        max_jobs=budget_results,
        # An idle result's patience is one time to live in an empty heap; HotSpot's second a MiB is meant for gigabytes.
        soft_s_per_mib=script.ttl_s / (budget / MIB),
        queue_size=max(64, script.burst_jobs),
        retry_after_s=script.retry_after_s,
    )


def why_missing(settings: Settings) -> str:
    """Why a store cannot be made on this machine, in a sentence; empty where it can."""
    try:
        create_store(settings, time.time).close()
    except CannotRun as error:
        return str(error)
    return ""


def compare(  # noqa: PLR0913 - keyword-only, each with a unit of its own
    stores: Sequence[str], script: Script, *, budget_results: int, result_px: int, seed: int, curves: Path
) -> Comparison:
    """Play the script to each store, in this process, on a server of its own.

    Args:
        stores: their names.
        script: the load.
        budget_results: what the bounded stores have room for, in results of the largest size.
        result_px: side of a result.
        seed: of the photographs' variation.
        curves: the folder for the samples, one CSV file for each store.
    """
    runs: dict[str, StoreRun] = {}
    missing: dict[str, str] = {}
    status_line = StatusLine()
    with tracing(1), scripted_client(seed=seed, users=4) as client:
        _warm_up(client, curves, result_px)
        for number, store in enumerate(stores, 1):
            status_line.say(f"{store}: store {number} of {len(stores)}")
            settings = settings_for(store, script, budget_results=budget_results, result_px=result_px)
            reason = why_missing(settings)
            if reason:
                missing[store] = reason
            else:
                runs[store] = run_script(settings, script, client, curves / f"06_{store}.csv")
    return Comparison(runs, missing)


def _warm_up(client: ScriptedClient, curves: Path, result_px: int) -> None:
    """Let this process's imports and caches fill, which would look like bytes that the first store keeps."""
    csv = curves / "06_warm-up.csv"
    run_script(settings_for("leaky", _WARM_UP, budget_results=8, result_px=result_px), _WARM_UP, client, csv)
    csv.unlink()
