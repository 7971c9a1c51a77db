"""Watches the memory of any service or process from outside, as a curve in time."""
