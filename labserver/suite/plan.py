"""Every notebook's parameters, complete and checked, before the first kernel starts."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labserver.errors import UsageError
from labserver.names import unknown_name
from labserver.suite.parameters import RESERVED, ParameterSpec, check_parameters, read_parameters

PROFILES = "profiles.toml"


@dataclass(frozen=True, slots=True)
class Step:
    """A notebook to run: ``changed`` differs from its own cell, ``parameters`` is everything it runs with."""

    notebook: Path
    changed: dict[str, Any]
    parameters: dict[str, Any]
    wants_run_dir: bool

    @property
    def name(self) -> str:
        """The notebook's name without suffix."""
        return self.notebook.stem


def plan_steps(notebooks: Sequence[Path], given: Mapping[str, str], profile: str | None) -> list[Step]:
    """The steps of a run.

    Args:
        notebooks: the files, in order.
        given: values from the command line; each goes to every notebook that has the parameter.
        profile: the table of ``profiles.toml`` beside each notebook; a table that is not there changes nothing.

    Raises:
        UsageError: a parameter is unknown to all notebooks, or a value is wrong for one.
    """
    specs = {notebook: read_parameters(notebook) for notebook in notebooks}
    everywhere = {name: spec for found in specs.values() for name, spec in found.items()}
    for name in given:
        if name not in everywhere or name == RESERVED:
            check_parameters(everywhere, {name: given[name]})
    return [_step(notebook, specs[notebook], given, profile) for notebook in notebooks]


def _step(notebook: Path, specs: dict[str, ParameterSpec], given: Mapping[str, str], profile: str | None) -> Step:
    try:
        changed = check_parameters(specs, _profile_values(notebook, profile))
    except UsageError as error:
        raise UsageError(f"Profile '{profile}' of {notebook.stem}: {error}") from None
    changed |= check_parameters(specs, {name: value for name, value in given.items() if name in specs})
    defaults = {name: spec.default for name, spec in specs.items() if name != RESERVED}
    return Step(notebook, changed, defaults | changed, wants_run_dir=RESERVED in specs)


def _profile_values(notebook: Path, profile: str | None) -> dict[str, Any]:
    path = notebook.parent / PROFILES
    if profile is None or not path.is_file():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{PROFILES} cannot be read: {error}.") from None
    table = tables.get(profile, {})
    if not isinstance(table, dict):
        raise UsageError(f"'{profile}' in {PROFILES} is not a table.")
    _refuse_unknown(table, notebook.parent)
    values = table.get(notebook.stem, {})
    if not isinstance(values, dict):
        raise UsageError(f"'{notebook.stem}' in {PROFILES} is not a table.")
    return values


def _refuse_unknown(table: dict[str, Any], folder: Path) -> None:
    # A misspelt notebook would silently run with its own defaults.
    known = {path.stem for path in folder.glob("*.ipynb")}
    for name in table:
        if name not in known:
            raise unknown_name("notebook", name, known, where=PROFILES)
