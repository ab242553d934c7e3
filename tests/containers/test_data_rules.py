"""Every rule that the raw data can break, and how the report tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.containers.processing_job import HEADER, as_csv, customers

if TYPE_CHECKING:
    from tests.containers.processing_job import Job

PLAN, AGE, CHARGE, LABEL = 1, 2, 3, 4


def broken(column: int, value: str, *, at: int = 15) -> str:
    """Return a file in which one cell of one row is replaced; row 15 is line 17."""
    rows = customers(300)
    rows[at][column] = value
    return as_csv(rows)


@pytest.mark.parametrize(
    ("column", "value", "rule", "words"),
    [
        (LABEL, "", "missing-label", ["label 'churned' is blank", "line 17"]),
        (LABEL, "  ", "missing-label", ["label 'churned' is blank", "line 17"]),
        (LABEL, "yse", "category", ["'yse'", "allowed: 'no', 'yes'", "did you mean 'yes'?"]),
        (LABEL, "1", "category", ["'1'", "allowed: 'no', 'yes'"]),
        (AGE, "", "missing-value", ["column 'age' is blank", "line 17", "missing: true"]),
        (AGE, "forty", "type", ["column 'age' is not a number", "line 17 has 'forty'"]),
        (AGE, "40.5", "type", ["column 'age' is not a whole number", "'40.5'"]),
        (AGE, "4_0", "type", ["not a number"]),
        (AGE, "٤٠", "type", ["not a number"]),
        (AGE, "99999999999999999999", "type", ["too large to be a quantity", "'99999999999999999999'"]),
        (AGE, "9" * 5000, "type", ["too large", "'9999999999999999999999999999999999999999...'"]),
        (AGE, "17", "range", ["column 'age' is below its minimum 18", "line 17 has '17'"]),
        (AGE, "121", "range", ["column 'age' is above its maximum 120"]),
        (CHARGE, "nan", "type", ["not a number", "leave a missing value blank"]),
        (CHARGE, "N/A", "type", ["leave a missing value blank"]),
        (CHARGE, "-inf", "type", ["not a number"]),
        (CHARGE, "1e999", "type", ["too large for the 32-bit numbers"]),
        (CHARGE, "1,234.50", "type", ["thousands separator"]),
        (CHARGE, "0x10", "type", ["not a number"]),
        (CHARGE, "-0.01", "range", ["below its minimum 0"]),
        (PLAN, "premuim", "category", ["'premuim'", "did you mean 'premium'?"]),
        (PLAN, "Basic", "category", ["did you mean 'basic'?"]),
        (PLAN, " plus", "category", ["' plus'"]),
    ],
)
def test_a_cell_that_breaks_a_rule_is_named(job: Job, column: int, value: str, rule: str, words: list[str]) -> None:
    violation = job.violation(broken(column, value))
    assert (violation["rule"], violation["column"]) == (rule, HEADER[column])
    assert (violation["rows"], violation["count"]) == ([17], 1)
    assert [word for word in words if word not in violation["message"]] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [(CHARGE, "1e-3"), (CHARGE, " 12.5 "), (CHARGE, ".5"), (CHARGE, ""), (AGE, "40.0"), (AGE, "4e1"), (PLAN, "")],
)
def test_unusual_cells_that_break_no_rule_pass(job: Job, column: int, value: str) -> None:
    assert job.prepare(broken(column, value))["passed"]


def test_all_violations_come_at_once(job: Job) -> None:
    rows = customers(300)
    rows[0][LABEL], rows[1][AGE], rows[2][CHARGE], rows[3][PLAN], rows[4][AGE] = "", "x", "-1", "gold", ""
    rules = [each["rule"] for each in job.prepare(as_csv(rows))["violations"]]
    assert sorted(rules) == ["category", "missing-label", "missing-value", "range", "type"]


def test_ten_rows_are_named_and_all_are_counted(job: Job) -> None:
    rows = customers(300)
    for row in rows[20:45]:
        row[AGE] = "old"
    violation = job.violation(as_csv(rows))
    assert violation["rows"] == list(range(22, 32))
    assert violation["count"] == 25
    assert "and 22 more" in violation["message"]


def test_rows_are_named_by_their_line_also_after_a_cell_that_spans_lines(job: Job) -> None:
    rows = customers(300)
    rows[3][0] = "two\nlines"
    rows[15][AGE] = "x"
    assert job.violation(as_csv(rows))["rows"] == [18]


def test_a_renamed_column_is_one_violation_with_both_names(job: Job) -> None:
    header = ("customer_id", "plan", "Age", "charge", "churned")
    violation = job.violation(as_csv(customers(300), header))
    assert (violation["rule"], violation["column"]) == ("schema", "age")
    assert "the column 'age' is missing, but the header has 'Age'" in violation["message"]


def test_missing_and_extra_columns_are_named(job: Job) -> None:
    header = ("customer_id", "plan", "shoe_size", "charge", "churned")
    violations = job.violations(as_csv(customers(300), header), "schema")
    assert [each["column"] for each in violations] == ["age", "shoe_size"]
    assert "type ignore" in violations[1]["message"]


def test_a_missing_label_column_is_named(job: Job) -> None:
    rows = [row[:4] for row in customers(300)]
    assert job.violation(as_csv(rows, HEADER[:4]))["column"] == "churned"


def test_an_ignored_column_may_be_left_out(job: Job) -> None:
    assert job.prepare(as_csv([row[1:] for row in customers(300)], HEADER[1:]))["passed"]


def test_a_column_that_comes_twice_is_named(job: Job) -> None:
    rows = [[*row, "x"] for row in customers(300)]
    assert "'plan' more than once" in job.violation(as_csv(rows, (*HEADER, "plan")))["message"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf", "the file is empty", id="nothing but a BOM"),
        pytest.param(as_csv(customers(300)).encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param(b"PAR1" + bytes(100), "Parquet", id="Parquet"),
        pytest.param(b"\x1f\x8b" + bytes(100), "gzip", id="gzip"),
        pytest.param(as_csv(customers(300)).split("\n", 1)[1].encode(), "no declared column", id="no header"),
        pytest.param(as_csv(customers(300)).replace(",", ";").encode(), "no declared column", id="semicolons"),
    ],
)
def test_a_file_of_another_form_has_one_violation_that_says_so(job: Job, raw: bytes, words: str) -> None:
    violation = job.violation(raw)
    assert violation["rule"] == "schema"
    assert words in violation["message"]


def test_a_header_without_rows_is_too_few_rows(job: Job) -> None:
    violation = job.violation(",".join(HEADER))
    assert violation["rule"] == "row-count"
    assert "the file has 0 rows, at least 100 are required" in violation["message"]


def test_rows_with_too_few_or_too_many_cells_are_named(job: Job) -> None:
    lines = as_csv(customers(300)).splitlines()
    lines[16] += ",surplus"
    lines[19] = "C,basic"
    violation = job.violation("\n".join(lines))
    assert (violation["rule"], violation["rows"]) == ("schema", [17, 20])
    assert "line 17 has 6 cells, line 20 has 2 cells" in violation["message"]


def test_bytes_that_are_not_utf_8_are_named_with_their_lines(job: Job) -> None:
    rows = customers(300)
    rows[15][0] = "Café"
    violation = job.violation(as_csv(rows).encode("latin-1"))
    assert (violation["rule"], violation["rows"]) == ("schema", [17])
    assert "byte 0xe9" in violation["message"]


@pytest.mark.parametrize("cell", ['"never closed', '"closed" and more'])
def test_a_broken_quote_is_named_with_its_line(job: Job, cell: str) -> None:
    lines = as_csv(customers(300)).splitlines()
    lines[16] = cell + lines[16]
    violations = job.violations("\n".join(lines), "schema")
    assert violations[0]["rows"] == [17]
    assert "quote" in violations[0]["message"]


def test_too_few_rows(job: Job) -> None:
    violation = job.violation(as_csv(customers(99)))
    assert violation["rule"] == "row-count"
    assert "99 rows, at least 100" in violation["message"]


def test_a_class_that_is_too_rare(job: Job) -> None:
    rows = customers(300)
    for row in rows[9:]:
        row[LABEL] = "no"
    rows[0][LABEL] = "yes"
    violation = job.violation(as_csv(rows))
    assert (violation["rule"], violation["column"]) == ("class-balance", "churned")
    assert "have the label 'yes', at least 5.00% must" in violation["message"]


def test_a_class_without_rows_fails_whatever_the_gate_says(job: Job) -> None:
    job.settings["gates"]["data"]["minimum_class_share"] = 0.0
    rows = customers(300)
    for row in rows:
        row[LABEL] = "yes"
    assert "no row has the label 'no'" in job.violation(as_csv(rows))["message"]


def test_a_class_too_small_for_all_splits_fails(job: Job) -> None:
    job.settings["gates"]["data"]["minimum_class_share"] = 0.0
    rows = customers(300)
    for number, row in enumerate(rows):
        row[LABEL] = "yes" if number == 5 else "no"
    violations = job.violations(as_csv(rows), "class-balance")
    assert len(violations) == 2
    assert all("too few rows have the label 'yes'" in each["message"] for each in violations)


def test_copies_beyond_the_allowed_share_are_named(job: Job) -> None:
    rows = customers(300)
    copies = [["another id", *row[1:]] for row in rows[:5]]
    violation = job.violation(as_csv(rows + copies))
    assert violation["rule"] == "duplicates"
    assert (violation["rows"], violation["count"]) == ([302, 303, 304, 305, 306], 5)
    assert "1.64% of all, 1.00% are allowed" in violation["message"]


def test_few_copies_pass_and_are_reported(job: Job) -> None:
    rows = customers(300)
    twin = ["another id", *rows[0][1:4], "no" if rows[0][4] == "yes" else "yes"]
    report = job.prepare(as_csv([*rows, twin]))
    assert report["passed"]
    duplicates = report["profile"]["duplicates"]
    assert (duplicates["rows"], duplicates["contradicting"]) == (1, 2)


def test_equal_numbers_in_other_digits_are_copies(job: Job) -> None:
    rows = customers(300)
    for number in range(5):
        rows[number][CHARGE] = "50"
        rows.append(["other", rows[number][1], rows[number][2] + ".0", "5.0e1", rows[number][4]])
    assert job.violation(as_csv(rows))["count"] == 5


def test_a_column_in_which_every_cell_is_blank_teaches_nothing(job: Job) -> None:
    job.settings["gates"]["data"]["maximum_duplicate_share"] = 0.9
    rows = customers(300)
    for row in rows:
        row[CHARGE] = ""
    violation = job.violation(as_csv(rows))
    assert (violation["rule"], violation["column"]) == ("missing-value", "charge")
    assert "has no value in any row" in violation["message"]
