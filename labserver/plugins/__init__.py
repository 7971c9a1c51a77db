"""The check where people already are: in a notebook and in pytest."""
