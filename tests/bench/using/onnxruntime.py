"""A model on its pool of threads."""

# /// script
# dependencies = ["onnxruntime", "onnx"]
# [tool.libraries]
# kind = "C threads"
# ///

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from using.pair import pair

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", values[:1], values[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
leak, clean = pair(lambda _: session.run(None, {"x": np.ones(1000, np.float32)}))
