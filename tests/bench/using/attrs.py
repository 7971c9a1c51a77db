"""Frozen objects with slots, made out of dictionaries."""

# /// script
# dependencies = ["attrs", "cattrs"]
# [tool.libraries]
# kind = "slotted classes"
# ///

import attrs
from cattrs import structure
from using.pair import pair


@attrs.frozen
class Job:
    number: int
    places: list[str]


leak, clean = pair(lambda number: structure({"number": number, "places": [f"{number} {at}" for at in range(50)]}, Job))
