"""What a notebook is to its own cells: checked parameters, a run directory, figures by name, and claims at its end."""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import show_figure
from labserver.suite.declared import Declared
from labserver.suite.findings import Findings, run_directory
from labserver.suite.parameters import check_cell


class Notebook:
    """A notebook that runs, under the runner or by hand.

    Args:
        name: of its file without suffix, such as ``02_reproduce_the_leak``.
        run_dir: its parameter of that name.

    Raises:
        UsageError: a parameter is wrong, in the words of `labserver run`.

    Attributes:
        run_dir: the run directory.
        curves: the folder of its curves.
    """

    def __init__(self, name: str, run_dir: str) -> None:
        _write_numbers_as_numbers()
        check_cell(Path(f"{name}.ipynb"), _names_of_the_cells())
        self.run_dir = run_directory(run_dir)
        self.curves = self.run_dir / "curves"
        self._number = name.partition("_")[0]
        self._findings = Findings(self.run_dir, name)

    def curve(self, name: str) -> Path:
        """Where the curve of that name is written to: ``curves/02_leaky.csv``."""
        return self.curves / f"{self._number}_{name}.csv"

    def show(self, figure: Figure, name: str) -> None:
        """Show a figure, and keep it under the name that claims refer to: ``figures/02_heap_over_time.svg``."""
        show_figure(figure, self.run_dir, f"{self._number}_{name}")

    def conclude(self, *declared: Declared) -> None:
        """End the notebook: record what is claimed, show each claim with what it was held against, and check them.

        Raises:
            ClaimFailed: a claim does not hold, or nothing was recorded.
        """
        from IPython.display import display  # noqa: PLC0415 - only there in a notebook

        for each in declared:
            each.record(self._findings)
        claims = self._findings.claims()
        if claims.claims:
            display(claims)
        self._findings.check()


def _write_numbers_as_numbers() -> None:
    """Let what a cell gives back read `1.5`, and not `np.float64(1.5)`, as NumPy 2 has it."""
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        np.set_printoptions(legacy="1.25")


def _names_of_the_cells() -> dict[str, object] | None:
    """The namespace in which the cells run; None outside of IPython."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - only there in a notebook

    shell = get_ipython()
    return None if shell is None else shell.user_ns
