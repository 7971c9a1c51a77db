"""A compiled function, and its answer in the library's own memory."""

# /// script
# dependencies = ["jax"]
# [tool.libraries]
# kind = "C threads, at-fork hook"
# ///

import jax
import jax.numpy as jnp
from using.pair import pair

double = jax.jit(lambda values: values * 2.0)
leak, clean = pair(lambda _: double(jnp.ones(1000)).block_until_ready())
