"""Every bounded claim of every notebook holds on a good run, and fails where its cause is put back.

The judge is the notebook's own code: its last cell of it, which declares the claims, is executed on a run made by hand.
`claims` has a module for each notebook with

- `GOOD`: the figures of a run on which all claims hold,
- `run(given)`: the names that the cell reads, made of such figures,
- `CAUSES`: for each cause in words the figures that it changes, and the claims that then fail; all others still hold.
"""

import ast
import runpy
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from labserver.errors import ClaimFailed
from labserver.suite.findings import Findings
from labserver.suite.parameters import read_parameters

NOTEBOOKS = sorted((Path(__file__).parents[4] / "notebooks").glob("*.ipynb"))
REGISTER = {path.stem: runpy.run_path(str(path)) for path in (Path(__file__).parent / "claims").glob("*.py")}
CASES = [
    pytest.param(path, changed, broken, id=f"{path.stem[:2]}-{cause}")
    for path in NOTEBOOKS
    for cause, (changed, broken) in REGISTER[path.stem[3:]]["CAUSES"].items()
]

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


class InMemory(Findings):
    """Findings that are written nowhere; the evidence of a run made by hand is no file, but the notebook makes it."""

    def __init__(self, path):
        self._made_by = code(path)
        super().__init__("", path.stem)

    def _evidence(self, name, item):
        folder, _, file = item.partition("/")
        assert file.startswith(f"{self.notebook[:2]}_"), name
        made = f'"{Path(file).stem[3:]}")' in self._made_by or (folder == "curves" and self._made_in_a_loop())
        assert made, f"{name}: {item}"
        return item

    def _made_in_a_loop(self):
        return "notebook.curve(name)" in self._made_by or "notebook.curves" in self._made_by

    def _write(self):
        pass


class ByHand:
    """The notebook as its last cell sees it."""

    def __init__(self, path):
        self.findings = InMemory(path)

    def conclude(self, *declared):
        for each in declared:
            each.record(self.findings)
        self.findings.check()


@cache
def sources(path):
    """The code of each cell, without the lines that only IPython knows."""
    found = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return ["\n".join(line for line in source.splitlines() if not line.startswith("%")) for source in found]


def code(path):
    """The code of all cells."""
    return "\n".join(sources(path))


@cache
def cells(path):
    """The code that a run made by hand needs: all imports, then the last one with code, which declares the claims."""
    imports = [node for node in ast.parse(code(path)).body if isinstance(node, ast.Import | ast.ImportFrom)]
    last = ast.parse(sources(path)[-1]).body
    return [compile(ast.Module(body, []), path.stem, "exec") for body in (imports, last)]


def judged(path, **changed):
    """What the notebook's last cell finds on the good run with some figures changed, by name."""
    module = REGISTER[path.stem[3:]]
    assert changed.keys() <= module["GOOD"].keys()
    imports, judging = cells(path)
    names = {name: spec.default for name, spec in read_parameters(path).items()}
    exec(imports, names)
    names |= module["run"](SimpleNamespace(**(module["GOOD"] | changed)))
    names["notebook"] = ByHand(path)
    with suppress(ClaimFailed):
        exec(judging, names)
    return names["notebook"].findings._mine


def can_fail(notebook):
    """The claims of a notebook for which there is a run on which they fail."""
    return set().union(*(broken for _, broken in REGISTER[notebook[3:]]["CAUSES"].values()))


def broken_in(path, **changed):
    return {name for name, finding in judged(path, **changed).items() if not finding.holds}


@every_notebook
def test_all_claims_hold_on_a_good_run(path):
    assert broken_in(path) == set()


@pytest.mark.parametrize(("path", "changed", "broken"), CASES)
def test_a_claim_fails_where_its_cause_is_put_back_and_its_neighbours_hold(path, changed, broken):
    assert broken_in(path, **changed) == broken


@every_notebook
def test_every_bounded_claim_and_no_other_has_a_run_on_which_it_fails(path):
    claims = {name for name, finding in judged(path).items() if finding.bound}
    assert claims == can_fail(path.stem)
