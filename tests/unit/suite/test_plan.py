import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labserver.errors import UsageError
from labserver.suite.catalog import find_notebooks
from labserver.suite.plan import plan_steps


@pytest.fixture
def folder(tmp_path):
    def write(name, source):
        cell = new_code_cell(source, metadata={"tags": ["parameters"]})
        nbformat.write(new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")

    write("02_reproduce_the_leak", 'run_dir: str = ""\nusers: int = 5  # [1, 100]')
    write("03_trace_the_bytes", "users: int = 6\nframes: int = 10")
    write("10_write_up", 'run_dir: str = ""')
    (tmp_path / "scratch.ipynb").touch()
    return tmp_path


@pytest.mark.parametrize(
    "name", ["02_reproduce_the_leak", "reproduce_the_leak", "02", "2", "02_reproduce_the_leak.ipynb"]
)
def test_a_notebook_has_many_names(folder, name):
    assert [path.stem for path in find_notebooks([name], folder)] == ["02_reproduce_the_leak"]


def test_a_path_names_a_notebook_from_anywhere(folder, tmp_path_factory):
    path = folder / "10_write_up.ipynb"
    assert find_notebooks([str(path)], tmp_path_factory.mktemp("empty")) == [path]


def test_all_in_the_order_of_the_story_and_each_once(folder):
    assert [path.stem[:2] for path in find_notebooks([], folder)] == ["02", "03", "10"]
    assert [path.stem[:2] for path in find_notebooks(["10", "2", "02"], folder)] == ["02", "10"]


def test_an_unknown_notebook_gets_the_nearest(folder):
    with pytest.raises(UsageError, match="did you mean '03_trace_the_bytes'"):
        find_notebooks(["trace_bytes"], folder)
    with pytest.raises(UsageError, match="no notebook 'x"):
        find_notebooks(["x/y"], folder)
    with pytest.raises(UsageError, match="There is no notebook"):
        find_notebooks([str(folder / "04_gone.ipynb")], folder)


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(UsageError, match="--notebooks"):
        find_notebooks([], tmp_path)


def test_two_files_of_one_name_are_refused(folder):
    (folder / "copy").mkdir()
    copy = folder / "copy" / "10_write_up.ipynb"
    copy.write_bytes((folder / "10_write_up.ipynb").read_bytes())
    with pytest.raises(UsageError, match="10_write_up"):
        find_notebooks(["10", str(copy)], folder)


def test_a_value_goes_to_every_notebook_that_has_the_parameter(folder):
    steps = plan_steps(find_notebooks([], folder), {"users": "7"}, None)
    assert [step.changed for step in steps] == [{"users": 7}, {"users": 7}, {}]
    assert [step.parameters for step in steps] == [{"users": 7}, {"users": 7, "frames": 10}, {}]
    assert [step.wants_run_dir for step in steps] == [True, False, True]


@pytest.mark.parametrize(("name", "match"), [("userz", "did you mean 'users'"), ("run_dir", "filled by the runner")])
def test_a_parameter_of_no_notebook_is_refused(folder, name, match):
    with pytest.raises(UsageError, match=match):
        plan_steps(find_notebooks([], folder), {name: "7"}, None)


def test_a_profile_sets_values_and_the_command_line_wins(folder):
    (folder / "profiles.toml").write_text(
        '[seed."02_reproduce_the_leak"]\nusers = 50\n[seed."03_trace_the_bytes"]\nframes = 3\n'
    )
    steps = plan_steps(find_notebooks(["2", "3"], folder), {"users": "7"}, "seed")
    assert [step.changed for step in steps] == [{"users": 7}, {"frames": 3, "users": 7}]
    assert plan_steps(find_notebooks(["2"], folder), {}, "seed")[0].changed == {"users": 50}
    assert plan_steps(find_notebooks(["2"], folder), {}, "ci")[0].changed == {}
    assert plan_steps(find_notebooks(["2"], folder), {}, None)[0].changed == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[seed."02_reproduce_the_leak"]\nusers = 500', ["seed", "02_reproduce_the_leak", "from 1 to 100"]),
        ('[seed."02_reproduce_the_leak"]\nuser = 5', ["seed", "did you mean 'users'"]),
        ('[seed."02_reproduce_leak"]\nusers = 5', ["did you mean '02_reproduce_the_leak'", "profiles.toml"]),
        ("seed = 1", ["'seed'", "not a table"]),
        ('[seed]\n"02_reproduce_the_leak" = 1', ["not a table"]),
        ("[seed", ["profiles.toml cannot be read"]),
    ],
)
def test_a_wrong_profile_is_one_sentence(folder, text, words):
    (folder / "profiles.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        plan_steps(find_notebooks(["2"], folder), {}, "seed")
    assert all(word in str(caught.value) for word in words), caught.value
