"""The instruments: meters, the monitor, allocation sites, the heap graph and the chains in it."""
