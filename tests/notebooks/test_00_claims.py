"""What the whole suite claims is what is shown to fail."""

import runpy
from pathlib import Path

REGISTER = runpy.run_path(
    str(Path(__file__).parents[1] / "unit" / "incident" / "experiments" / "test_every_claim_can_fail.py")
)


def test_every_claim_of_the_story_has_a_run_on_which_it_fails(story):
    can_fail = REGISTER["can_fail"]
    claims = {(item.name, found.name) for item in story.notebooks for found in item.findings if found.bound}
    assert {(notebook, name) for notebook, name in claims if name not in can_fail(notebook)} == set()
