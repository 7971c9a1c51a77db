"""Models that are validated."""

# /// script
# dependencies = ["pydantic"]
# [tool.libraries]
# kind = "compiled extension"
# ///

from pydantic import BaseModel
from using.pair import pair


class Job(BaseModel):
    number: int
    places: list[str]


leak, clean = pair(lambda number: Job(number=str(number), places=[f"{number} {place}" for place in range(50)]))
