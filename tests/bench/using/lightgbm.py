"""Predictions of a small model."""

# /// script
# dependencies = ["lightgbm"]
# [tool.libraries]
# kind = "OpenMP"
# ///

import lightgbm
import numpy as np
from using.pair import pair

rng = np.random.default_rng(0)
rows = rng.random((500, 4))
model = lightgbm.train({"verbose": -1, "num_threads": 2}, lightgbm.Dataset(rows, rows.sum(axis=1)), 5)
leak, clean = pair(lambda _: model.predict(rows))
