from types import SimpleNamespace

GOOD = {"missing": []}


def run(given):
    return {"writeup": SimpleNamespace(missing=lambda: given.missing)}


CAUSES = {"a notebook did not run": ({"missing": ["holder", "share_of_growth"]}, {"missing_figures"})}
