"""The typed parameters of a notebook, checked before a kernel starts.

papermill warns about an unknown parameter and never looks at types or ranges; here each wrong one is a sentence
and nothing is run. A line of the cell tagged ``parameters`` reads ``users: int = 5  # virtual users [1, 100]`` or
``store: str = "leaky"  # retention policy {leaky, ttl}``; an indented comment below it goes on with its own.
"""

import ast
import math
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from papermill.translators import PythonTranslator

from labserver.errors import UsageError
from labserver.names import unknown_name

RESERVED = "run_dir"
"""The parameter that the runner fills: the run directory, as seen from the notebook's folder."""

_TYPES = ("int", "float", "str", "bool")
_RANGE = re.compile(r"\[\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*\]")
_CHOICES = re.compile(r"\{([^{}]+)\}")
_CONTINUED = re.compile(r"\n[ \t]+#[ \t]*")
_INTEGER = re.compile(r"[-+]?\d+")


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter: ``low`` and ``high`` are inclusive, ``help`` holds the unit."""

    name: str
    type: str
    default: Any
    help: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def convert(self, given: object) -> Any:
        """The value of the right type.

        Args:
            given: a string from the command line, or an already typed value from a file.

        Raises:
            UsageError: it is of another type, out of range, or not among the choices.
        """
        value = _typed(self.type, given)
        if value is None:
            raise UsageError(f"Parameter '{self.name}' must be {_article(self.type)}, not '{given}'.")
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            raise UsageError(f"Parameter '{self.name}' must be from {self.low:g} to {self.high:g}, not {value}.")
        if self.choices and str(value) not in self.choices:
            raise UsageError(f"Parameter '{self.name}' must be one of {', '.join(self.choices)}, not '{value}'.")
        return value


def read_parameters(path: Path) -> dict[str, ParameterSpec]:
    """The parameters of the notebook at ``path``, in the order of the cell.

    Raises:
        UsageError: the file is no notebook, has no cell tagged ``parameters``, or a line of it cannot be read.
    """
    specs = _written_parameters(path)
    for spec in specs.values():
        _check_default(spec, path)
    return specs


def _written_parameters(path: Path) -> dict[str, ParameterSpec]:
    """The same without a look at the defaults.

    papermill's own reader finds them; its translator is called directly because ``inspect_notebook`` refuses a
    notebook that names no kernel.
    """
    source = _parameter_cell(path)
    found = {p.name: p for p in PythonTranslator.inspect({"source": _CONTINUED.sub(" ", source)})}
    for line, name in _assignments(source, path):
        # papermill drops what it cannot read with a warning only, and a lost parameter would go unnoticed.
        if name not in found or found[name].inferred_type_name not in _TYPES:
            raise UsageError(
                f"Parameter '{name}' on line {line} of the parameters of {path.name} needs the form "
                f"'name: type = value  # unit' with type {', '.join(_TYPES)} and no other '='."
            )
    return {name: _spec(p, path) for name, p in found.items()}


def check_parameters(specs: Mapping[str, ParameterSpec], given: Mapping[str, object]) -> dict[str, Any]:
    """The given values by type: the ones left out keep the notebook's default and are not in the answer.

    Raises:
        UsageError: a name is unknown or reserved, or a value is wrong.
    """
    for name in given:
        if name == RESERVED:
            raise UsageError(f"Parameter '{RESERVED}' is filled by the runner and cannot be given.")
        if name not in specs:
            raise unknown_name("parameter", name, [n for n in specs if n != RESERVED])
    return {name: specs[name].convert(value) for name, value in given.items()}


def check_cell(path: Path, names: MutableMapping[str, Any] | None) -> None:
    """Check what the cell tagged ``parameters`` has set, as it was typed and run, and give each value its type.

    The file says what is allowed; what it has as defaults may be older than what was typed.

    Args:
        path: the notebook, as seen from its kernel; where it was moved or renamed, nothing is checked.
        names: the kernel's own; None where there is no kernel.

    Raises:
        UsageError: a value is wrong, or the cell was not run.
    """
    if names is None or not path.is_file():
        return
    specs = _written_parameters(path)
    for name in specs:
        if name not in names:
            raise UsageError(f"Parameter '{name}' is missing: run the cell that is tagged 'parameters'.")
    names.update({name: spec.convert(names[name]) for name, spec in specs.items() if name != RESERVED})


def _parameter_cell(path: Path) -> str:
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise UsageError(f"There is no notebook {path.name}.") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is not a notebook: {str(error).splitlines()[0]}") from None
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            return str(cell.source)
    raise UsageError(f"{path.name} has no cell tagged 'parameters'.")


def _assignments(source: str, path: Path) -> list[tuple[int, str]]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise UsageError(f"Line {error.lineno} of the parameters of {path.name} is not Python.") from None
    names = []
    for statement in statements:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            raise UsageError(f"Line {statement.lineno} of the parameters of {path.name} is not a parameter.")
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        names.append((statement.lineno, ast.unparse(target)))
    return names


def _spec(parameter: Any, path: Path) -> ParameterSpec:
    bounds = _RANGE.search(parameter.help)
    choices = _CHOICES.search(parameter.help)
    try:
        default = ast.literal_eval(parameter.default)
        return ParameterSpec(
            name=parameter.name,
            type=parameter.inferred_type_name,
            default=default,
            help=_CHOICES.sub("", _RANGE.sub("", parameter.help)).strip(),
            low=float(bounds[1]) if bounds else None,
            high=float(bounds[2]) if bounds else None,
            choices=tuple(choice.strip() for choice in choices[1].split(",")) if choices else (),
        )
    except (ValueError, SyntaxError):
        raise UsageError(f"Parameter '{parameter.name}' of {path.name} needs a plain value and bounds.") from None


def _check_default(spec: ParameterSpec, path: Path) -> None:
    if spec.type != "str" and isinstance(spec.default, str):
        raise UsageError(f"The default of parameter '{spec.name}' of {path.name} must be {_article(spec.type)}.")
    try:
        spec.convert(spec.default)
    except UsageError as error:
        raise UsageError(f"{path.name}: {error}") from None


def _article(type_name: str) -> str:
    return {
        "int": "a whole number",
        "float": "a finite number",
        "bool": "true or false",
        "str": "a text",
    }[type_name]


def _typed(type_name: str, given: object) -> Any:
    """The value, or None where it is of another type."""
    if type_name == "str":
        return given if isinstance(given, str) else None
    if type_name == "bool":
        return given if isinstance(given, bool) else {"true": True, "false": False}.get(str(given).lower())
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    if type_name == "int":
        return int(given) if _INTEGER.fullmatch(str(given)) else None
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
