"""Some 10,000 hostile requests and more, each attack as often as any other, and the verdict on what they leave."""

import runpy
import sys
import threading
from collections import Counter
from pathlib import Path

from labserver.diagnosis import Verdict, leak_check
from labserver.targets.embedded import embedded

HERE = Path(__file__).parent
hostile = runpy.run_path(str(HERE.parent / "integration" / "test_hostile_requests.py"))
TOLERANCE = 256.0  # bytes per round of all attacks


def main() -> int:
    """Attack each store in turn, print the table, and return 1 where something is left or wrong."""
    return max(soak(store) for store in ("ttl", "byte-budget"))


def soak(store: str) -> int:
    """Attack a server of one store."""
    answers: Counter[int] = Counter()
    rounds = 0
    with embedded(store=store, result_px=32, max_upload_bytes=300_000, budget_bytes=2**18) as server:

        def attack() -> None:
            nonlocal rounds
            rounds += 1
            for statuses in hostile["attack"](server).values():
                answers.update(statuses)

        attack()
        before = threading.active_count(), hostile["descriptors"]()
        result = leak_check(attack, tolerance=TOLERANCE)
        after = threading.active_count(), hostile["descriptors"]()
    errors = {status: count for status, count in answers.items() if status >= 500 and status != 503}
    print(f"{store}: {rounds * len(hostile['ATTACKS']):,} hostile requests")
    print("  answers:", ", ".join(f"{count:,} x {status}" for status, count in sorted(answers.items())))
    print(f"  verdict: {result.verdict} at {TOLERANCE:.0f} B per round of all attacks; {result.interval}")
    print(f"  threads and descriptors before {before}, after {after}")
    left = any(now > then for now, then in zip(after, before, strict=True))
    return int(bool(errors) or result.verdict is not Verdict.NO_LEAK or left)


if __name__ == "__main__":
    sys.exit(main())
