from pathlib import Path

from labserver.diagnosis.measure.options import LoadOptions, MeasureOptions, options_of
from labserver.suite.parameters import read_parameters

NOTEBOOK = Path(__file__).parents[5] / "notebooks" / "09_diagnose_your_own_service.ipynb"


def test_the_notebook_has_the_names_and_defaults_of_a_check():
    options = {one.name: one.default for one in options_of(LoadOptions, MeasureOptions)}
    parameters = {name: spec.default for name, spec in read_parameters(NOTEBOOK).items()}
    shared = {"users", "max_jobs", "max_seconds", "settle", "tolerance", "fast"}
    assert {name: parameters[name] for name in shared} == {name: options[name] for name in shared}
