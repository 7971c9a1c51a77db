"""A compiled function, and its answer in the library's own memory."""

# /// script
# dependencies = ["tensorflow-cpu"]
# [tool.libraries]
# kind = "C threads"
# ///

import tensorflow as tf
from using.pair import pair

double = tf.function(lambda values: values * 2.0)
leak, clean = pair(lambda _: double(tf.ones(1000)))
