"""A compiled function, and its answer in the library's own memory."""

# /// script
# dependencies = ["tensorflow-cpu"]
# [tool.libraries]
# kind = "C threads"
# ///

import tensorflow
from using.pair import pair

double = tensorflow.function(lambda values: values * 2.0)
leak, clean = pair(lambda _: double(tensorflow.ones(1000)))
