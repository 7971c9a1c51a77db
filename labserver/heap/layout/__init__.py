"""The one room that reads CPython's memory by offsets.

Nothing here is taken for granted: what is to be read is planted first and looked for, in a forked child, and what is
not found is switched off. No other thread can run while the memory of a process that serves is read.
"""
