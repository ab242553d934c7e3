from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mlops.rehearsal import sample_customers
from mlops.rehearsal.faults import Fault

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config" / "models" / "churn.yaml").read_text())
COLUMNS = CONFIG["data"]["columns"]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def customers() -> list[dict[str, str]]:
    return table(sample_customers.generate(4000, seed=2))


def test_the_header_is_the_one_in_the_configuration() -> None:
    assert list(sample_customers.COLUMNS) == list(COLUMNS)


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column["type"] == "category"])
def test_every_configured_category_occurs_and_no_other(customers: list[dict[str, str]], name: str) -> None:
    assert {row[name] for row in customers} == set(COLUMNS[name]["categories"])


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if "minimum" in column])
def test_numbers_keep_to_the_configured_type_and_range(customers: list[dict[str, str]], name: str) -> None:
    column = COLUMNS[name]
    present = [row[name] for row in customers if row[name] or not column.get("missing")]
    read = int if column["type"] == "integer" else float
    assert all(column["minimum"] <= read(cell) <= column["maximum"] for cell in present)
    assert (len(present) < len(customers)) is column.get("missing", False)


def test_equal_seeds_give_equal_data_and_others_do_not() -> None:
    assert sample_customers.generate(500, seed=1) == sample_customers.generate(500, seed=1)
    assert sample_customers.generate(500, seed=1) != sample_customers.generate(500, seed=2)


def test_no_customer_occurs_twice(customers: list[dict[str, str]]) -> None:
    described = [tuple(value for name, value in row.items() if name != "customer_id") for row in customers]
    assert len(set(described)) == len(customers)
    assert len({row["customer_id"] for row in customers}) == len(customers)


@pytest.mark.parametrize("quality", [1.0, 0.5])
def test_about_one_customer_in_six_leaves(quality: float) -> None:
    labels = [row["churned"] for row in table(sample_customers.generate(3000, seed=3, quality=quality))]
    assert 0.14 <= labels.count("yes") / len(labels) <= 0.2


def test_the_blank_label_is_in_the_named_line_of_the_file_and_nowhere_else() -> None:
    lines = sample_customers.extract(version=1, fault=Fault.BLANK_LABEL).splitlines()
    blank = [number for number, line in enumerate(lines, start=1) if line.endswith(",")]
    assert blank == [sample_customers.BLANK_LABEL_LINE]


def test_every_version_passes_the_row_count_of_the_data_gate() -> None:
    minimum = CONFIG["gates"]["data"]["minimum_rows"]
    texts = [
        sample_customers.extract(version=v, rows=rows, fault=f)
        for v in (1, 2)
        for rows in (3000, None)
        for f in (None, Fault.WORSE_CHALLENGER)
    ]
    assert all(len(text.splitlines()) - 1 >= minimum for text in texts)


def test_twelve_thousand_customers_take_less_than_a_third_of_a_second() -> None:
    durations = []
    for seed in range(3):
        began = time.perf_counter()
        sample_customers.generate(12_000, seed=seed)
        durations.append(time.perf_counter() - began)
    assert min(durations) < 0.33  # the best of three: the machine may be busy


def test_importing_it_imports_no_machine_learning() -> None:
    heavy = "{'pandas', 'xgboost', 'sklearn'}"
    code = f"import sys; from mlops.rehearsal import sample_customers; print({heavy} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert found.stdout.strip() == "set()"
