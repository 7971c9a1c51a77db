"""The same, and the answer in the library's own memory."""

# /// script
# dependencies = ["onnxruntime", "onnx"]
# [tool.libraries]
# kind = "C threads"
# ///

import numpy as np
import onnxruntime
from using.onnxruntime import session
from using.pair import pair


def work(_):
    value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ones(1000, np.float32))
    return session.run_with_ort_values(None, {"x": value})


leak, clean = pair(work)
