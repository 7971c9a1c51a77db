"""Arrays that a compiled function makes on its threads."""

# /// script
# dependencies = ["numba"]
# [tool.libraries]
# kind = "OpenMP, compiled at run time"
# ///

import numba
import numpy as np
from using.pair import pair


@numba.njit(parallel=True)
def squares(size):
    found = np.empty(size)
    for place in numba.prange(size):
        found[place] = place * place
    return found


squares(1)
leak, clean = pair(lambda _: squares(500))
