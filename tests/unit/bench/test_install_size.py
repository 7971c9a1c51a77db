import pytest


@pytest.fixture
def install_size(bench):
    return bench("install_size")


def test_files_count_for_the_package_that_they_are_of(install_size, tmp_path):
    files = {
        "labserver/cli/main.py": 10,
        "labserver/cli/__pycache__/main.cpython-311.pyc": 20,
        "labserver-0.2.0.dist-info/RECORD": 3,
        "objgraph.py": 5,
        "__pycache__/objgraph.cpython-311.pyc": 7,
        "numpy/core.so": 100,
        "numpy.libs/libblas.so": 1000,
        "pytest_memray/plugin.py": 2,
        "pytest_memray-1.11.0.dist-info/METADATA": 1,
    }
    for name, size in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    assert install_size.sizes(tmp_path) == {"labserver": 33, "objgraph": 12, "numpy": 1100, "pytest_memray": 3}


def test_the_table_has_a_row_for_each_tool(install_size):
    cost = install_size.Cost
    costs = {
        "labserver": cost("0.2.0", 17, 5_500_000, 20_500_000, 71_400_000, {"the package": 0.015, "a check": 0.415}),
        "objgraph": cost("3.7.0", 0, 51_000, 0, 0, {"the package": 0.028}),
    }
    rows = [line for line in install_size.table_of(costs).splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| labserver | 0.2.0 | 5.5 MB | 17 | 20.5 MB | 71.4 MB | 15 ms, 415 ms (a check) |",
        "| objgraph | 3.7.0 | 0.1 MB | 0 | – | – | 28 ms |",
    ]
