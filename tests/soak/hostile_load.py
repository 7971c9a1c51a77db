"""50 users for a minute on each of two stores, with every bad manner, while the face-api dies and comes back."""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from hostile.load import hostile_load

STORES = ("ttl", "byte-budget")
KILL_WITHIN_S = 4.0
WARM_VISITS = 20


def main() -> int:
    """Load each store in turn, print the table, and return 1 where a check does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    failed = 0
    for store in STORES:
        print(f"{store}: {options.users} users x {options.seconds:g} s, seed {options.seed}", flush=True)
        outcome = hostile_load(
            store,
            users=options.users,
            seconds=options.seconds,
            kill_within_s=KILL_WITHIN_S,
            warm_visits=WARM_VISITS,
            seed=options.seed,
        )
        print("  " + ", ".join(f"{count:,} {what}" for what, count in outcome.figures._asdict().items()))
        for check in outcome.checks:
            print(f"  {'ok ' if check.holds else 'NOT'} {check.name:<58} {check.figures}", flush=True)
            for objection in check.objections[:5]:
                print(f"      {objection}")
            failed += not check.holds
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
