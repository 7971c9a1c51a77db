import csv
import json
import math
from datetime import UTC, datetime

import pytest

from labserver.errors import UsageError
from labserver.load.http import RequestRecord
from labserver.load.outputs import open_outputs, parse_output
from labserver.load.samples import Samples

GOOD = RequestRecord("status", 0, 0.001, 0.002, 0.003, 0.004, 0.009, 200, None, 7, 8, "GET", "http://x/s")
REFUSED = RequestRecord("submit", 0, 0, 0, 0, 0, math.inf, None, "refused", 0, 0, "POST", "http://x/a")


@pytest.fixture
def both(tmp_path):
    """The same samples in both formats."""
    outputs = open_outputs(
        [f"json={tmp_path / 'out.json'}", f"csv={tmp_path / 'out.csv'}"],
        [("http_req_duration", "p(95)<500"), ("http_req_duration{name:status}", "p(95)<50")],
    )
    samples = Samples(outputs)
    samples.request(GOOD)
    samples.request(REFUSED)
    samples.check("job done", ok=True, why="")
    samples.iteration(1.5, ok=True)
    samples.tick(3)
    outputs.close()
    lines = [json.loads(line) for line in (tmp_path / "out.json").read_text().splitlines()]
    with (tmp_path / "out.csv").open(newline="") as file:
        return lines, list(csv.DictReader(file))


def test_json_lines_declare_each_metric_before_its_points(both):
    lines, _ = both
    declared = {}
    for line in lines:
        if line["type"] == "Metric":
            declared[line["metric"]] = line["data"]
        else:
            assert line["metric"] in declared
            at = datetime.fromisoformat(line["data"]["time"])
            assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert declared["http_req_duration"]["type"] == "trend"
    assert declared["http_req_duration"]["contains"] == "time"
    assert declared["http_req_duration"]["thresholds"] == ["p(95)<500"]
    assert {name: data["type"] for name, data in declared.items()}["checks"] == "rate"


def test_points_have_k6s_names_units_and_tags(both):
    lines, _ = both
    points = [line for line in lines if line["type"] == "Point"]
    values = [(point["metric"], point["data"]["value"]) for point in points]
    assert values.count(("http_reqs", 1)) == 2
    assert ("http_req_duration", 9.0) in values
    assert ("http_req_waiting", 3.0) in values
    assert ("iteration_duration", 1500.0) in values
    assert ("vus", 3) in values
    (good, bad) = [point["data"]["tags"] for point in points if point["metric"] == "http_reqs"]
    assert good == good | {"method": "GET", "name": "status", "status": "200", "url": "http://x/s"}
    assert bad == bad | {"expected_response": "false", "status": "0", "error": "refused"}


def test_what_got_no_answer_has_no_duration_and_did_fail(both):
    lines, rows = both
    assert sum(line["type"] == "Point" and line["metric"] == "http_req_duration" for line in lines) == 1
    assert [row["metric_value"] for row in rows if row["metric_name"] == "http_req_failed"] == ["0.000000", "1.000000"]


def test_csv_has_k6s_columns(both):
    _, rows = both
    assert ",".join(rows[0]) == (
        "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,scenario,"
        "service,status,subproto,tls_version,url,extra_tags,metadata"
    )
    assert rows[0]["timestamp"].isdecimal()
    (check,) = [row for row in rows if row["metric_name"] == "checks"]
    assert (check["check"], check["metric_value"]) == ("job done", "1.000000")


@pytest.mark.parametrize("text", ["json", "json=", "xml=a", "=a", "", "json=-", "csv=/dev/stdout"])
def test_what_is_no_output_is_refused(text):
    with pytest.raises(UsageError, match="json=FILE or csv=FILE"):
        parse_output(text)


def test_looking_whether_a_file_can_be_written_neither_makes_nor_changes_one(tmp_path):
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_text("mine")
    assert parse_output(f"csv={there}") == ("csv", there)
    assert parse_output(f"json={new}") == ("json", new)
    assert there.read_text() == "mine"
    assert not new.exists()


def test_a_file_that_cannot_be_written_or_is_named_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        parse_output(f"json={tmp_path / 'none' / 'x'}")
    with pytest.raises(UsageError, match="one file"):
        open_outputs([f"json={tmp_path / 'x'}", f"csv={tmp_path / 'x'}"])
