"""Its pool of processes, loky."""

# /// script
# dependencies = ["joblib"]
# [tool.libraries]
# kind = "processes, threads"
# ///

import joblib
from using.pair import pair

parallel = joblib.Parallel(n_jobs=2)
parallel(joblib.delayed(bytes)(1) for _ in range(2))


def work(number):
    return [f"{number} {place}" for place in range(50)]


leak, clean = pair(work)
