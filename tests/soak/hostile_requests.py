"""Some 10,000 hostile requests and more, each attack as often as any other, and the verdict on what they leave."""

import os
import runpy
import sys
import threading
from collections import Counter
from pathlib import Path

from labserver.diagnosis import Verdict, leak_check
from labserver.incident.hosting.embedded import embedded

HERE = Path(__file__).parent
hostile = runpy.run_path(str(HERE.parent / "integration" / "test_hostile_requests.py"))
TOLERANCE = 256.0  # bytes per round of all attacks
AT_LEAST = 10_000


def main() -> int:
    """Attack each store in turn, print the table, and return 1 where something is left or wrong."""
    return max(soak(store) for store in ("ttl", "byte-budget"))


def soak(store: str) -> int:
    """Attack a server of one store."""
    answers: Counter[int] = Counter()
    faults: dict[str, list[int]] = {}
    rounds = 0
    with embedded(store=store, **hostile["SMALL"]) as server:

        def attack() -> None:
            nonlocal rounds
            rounds += 1
            seen = hostile["attack"](server)
            faults.update(hostile["faults"](seen))
            for statuses in seen.values():
                answers.update(statuses)

        attack()
        before = threading.active_count(), hostile["descriptors"]()
        result = leak_check(attack, tolerance=TOLERANCE)
        after = threading.active_count(), hostile["descriptors"]()
        kept = server.service.store.kept_bytes()
    # Some get many answers and some none.
    requests = answers.total() + rounds * len(hostile["SILENT"])
    print(f"{store}: {requests:,} hostile requests in {rounds:,} rounds of {len(hostile['ATTACKS'])} attacks")
    print("  answers:", ", ".join(f"{count:,} x {status}" for status, count in sorted(answers.items())))
    print(f"  faults: {faults or 'none'}")
    print(f"  verdict: {result.verdict} at {TOLERANCE:.0f} B per round of all attacks; {result.interval}")
    print(f"  threads and descriptors before {before}, after {after}; bytes of images kept: {kept}", flush=True)
    left = kept or any(now > then for now, then in zip(after, before, strict=True))
    enough = requests >= AT_LEAST and answers[503] and answers[410]
    return int(not enough or bool(faults) or result.verdict is not Verdict.NO_LEAK or bool(left))


def without_thread_caches() -> None:
    """Begin again without glibc's caches of what each thread has freed: they count as in use, and fill slowly."""
    if "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"
        os.execv(sys.executable, [sys.executable, *sys.argv])


if __name__ == "__main__":
    without_thread_caches()
    sys.exit(main())
