"""A frame that is grouped."""

# /// script
# dependencies = ["pandas"]
# [tool.libraries]
# kind = "C extension"
# ///

import pandas as pd
from using.pair import pair


def work(number):
    frame = pd.DataFrame({"number": range(number, number + 500), "group": ["a", "b"] * 250})
    return frame.sort_values("number", ascending=False)


leak, clean = pair(work)
