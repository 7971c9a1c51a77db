"""A forest of trees on two threads."""

# /// script
# dependencies = ["scikit-learn"]
# [tool.libraries]
# kind = "OpenMP, threads"
# ///

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from using.pair import pair

rows = np.random.default_rng(0).random((500, 4))
forest = RandomForestRegressor(5, n_jobs=2).fit(rows, rows.sum(axis=1))
leak, clean = pair(lambda _: forest.predict(rows))
