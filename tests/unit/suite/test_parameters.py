import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labserver.errors import UsageError
from labserver.suite.parameters import check_parameters, read_parameters

CELL = """\
# the load
users: int = 5  # virtual users [1, 100]
duration_s: float = 30  # seconds [0.5, 3600]
store: str = "leaky"  # retention policy {leaky, ttl}
trace: bool = False  # trace allocations
run_dir: str = ""
"""


@pytest.fixture
def notebook(tmp_path):
    def write(source=CELL, tags=("parameters",)):
        path = tmp_path / "02_toy.ipynb"
        cell = new_code_cell(source, metadata={"tags": list(tags)})
        nbformat.write(new_notebook(cells=[new_code_cell("1"), cell]), path)
        return path

    return write


@pytest.fixture
def specs(notebook):
    return read_parameters(notebook())


def test_reads_type_default_unit_range_and_choices(specs):
    assert list(specs) == ["users", "duration_s", "store", "trace", "run_dir"]
    users, store = specs["users"], specs["store"]
    assert (users.type, users.default, users.help, users.low, users.high) == ("int", 5, "virtual users", 1, 100)
    assert (store.type, store.default, store.help, store.choices) == (
        "str",
        "leaky",
        "retention policy",
        ("leaky", "ttl"),
    )


def test_converts_by_type(specs):
    given = {"users": "7", "duration_s": "2", "store": "ttl", "trace": "true"}
    values = check_parameters(specs, given)
    assert values == {"users": 7, "duration_s": 2.0, "store": "ttl", "trace": True}
    assert [type(value) for value in values.values()] == [int, float, str, bool]


def test_takes_typed_values_of_a_file(specs):
    assert check_parameters(specs, {"users": 7, "duration_s": 2, "trace": True}) == {
        "users": 7,
        "duration_s": 2.0,
        "trace": True,
    }


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("users", "1.5", "Parameter 'users' must be a whole number, not '1.5'."),
        ("users", "many", "Parameter 'users' must be a whole number, not 'many'."),
        ("users", 1.0, "Parameter 'users' must be a whole number, not '1.0'."),
        ("users", True, "Parameter 'users' must be a whole number, not 'True'."),
        ("users", "0", "Parameter 'users' must be from 1 to 100, not 0."),
        ("users", "101", "Parameter 'users' must be from 1 to 100, not 101."),
        ("duration_s", "nan", "Parameter 'duration_s' must be a finite number, not 'nan'."),
        ("duration_s", "inf", "Parameter 'duration_s' must be a finite number, not 'inf'."),
        ("trace", "1", "Parameter 'trace' must be true or false, not '1'."),
        ("store", "redis", "Parameter 'store' must be one of leaky, ttl, not 'redis'."),
        ("store", 5, "Parameter 'store' must be a text, not '5'."),
        ("run_dir", "x", "Parameter 'run_dir' is filled by the runner and cannot be given."),
    ],
)
def test_refuses_in_one_sentence(specs, name, value, sentence):
    with pytest.raises(UsageError) as caught:
        check_parameters(specs, {name: value})
    assert str(caught.value) == sentence


@pytest.mark.parametrize("bound", ["1", "100"])
def test_a_range_is_inclusive(specs, bound):
    assert check_parameters(specs, {"users": bound}) == {"users": int(bound)}


def test_an_unknown_name_gets_the_nearest_and_all(specs):
    with pytest.raises(UsageError) as caught:
        check_parameters(specs, {"user": "5"})
    text = str(caught.value)
    assert "did you mean 'users'?" in text
    assert "duration_s, store, trace, users" in text
    assert "run_dir" not in text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("users = 5", ["users", "02_toy.ipynb", "name: type = value"]),
        ("users: list = [5]", ["users", "02_toy.ipynb"]),
        ("users: int = 5  # more = better", ["users", "no other '='"]),
        ("users: int = 5 +", ["Line 1", "not Python"]),
        ("import os", ["Line 1", "02_toy.ipynb"]),
        ("users: int = 500  # [1, 100]", ["02_toy.ipynb", "from 1 to 100"]),
        ("users: int = 1.5", ["02_toy.ipynb", "whole number"]),
        ('users: int = "5"', ["02_toy.ipynb", "whole number"]),
        ("users: int = len('a')", ["users", "plain value"]),
    ],
)
def test_refuses_a_cell_it_cannot_read(notebook, source, words):
    with pytest.raises(UsageError) as caught:
        read_parameters(notebook(source))
    assert all(word in str(caught.value) for word in words), caught.value


def test_names_the_notebook_without_a_parameters_cell(notebook):
    with pytest.raises(UsageError, match=r"02_toy\.ipynb has no cell tagged 'parameters'"):
        read_parameters(notebook(tags=()))


def test_names_the_file_that_is_no_notebook(tmp_path):
    path = tmp_path / "03_broken.ipynb"
    with pytest.raises(UsageError, match=r"no notebook 03_broken\.ipynb"):
        read_parameters(path)
    path.write_text("{")
    with pytest.raises(UsageError, match=r"03_broken\.ipynb is not a notebook"):
        read_parameters(path)
