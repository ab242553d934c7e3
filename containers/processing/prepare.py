"""The first step of the training workflow: check the raw data, describe it, divide it and encode it for the model.

Data that breaks a rule is not an error of this program: it writes the report and leaves the decision to the data gate.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from data_profile import class_counts, describe
from feature_files import features_document, write_requests, write_rows
from findings import Findings, Rule
from job import JobError, write_json
from job_settings import TWO, Task
from preprocessor_archive import write_archive
from splits import Duplicates, Parts, divide, find_duplicates
from table import Table, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from job_settings import JobSettings

log = logging.getLogger(__name__)


def run(settings: JobSettings, base: Path) -> None:
    """Prepare the file in `base`/input/raw; the results go to `base`/output."""
    source = _source(base / "input" / "raw")
    output = base / "output"
    for folder in ("train", "validation", "test", "score", "requests", "preprocessor", "report"):
        # All are there to be uploaded, also when data that is not fit leaves all but one of them empty.
        (output / folder).mkdir(parents=True, exist_ok=True)
    findings = Findings()
    table = read_table(source, settings, findings, scratch=output)
    log.info("read %d rows of %d columns from %s", table.row_count, len(table.present), source.name)
    duplicates = _duplicates(table)
    _check_whole(table, duplicates, settings, findings)
    parts = None if findings else _divide(table, settings)
    if parts is not None:
        _check_parts(table, parts, settings, findings)
    document: dict[str, Any] = {
        "version": 1,
        "task": settings.task,
        "rows": table.row_count,
        "passed": not findings,
        "violations": findings.document(),
        "profile": describe(table, settings, duplicates),
        "splits": None,
    }
    if parts is not None and not findings:
        named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
        document["splits"] = {name: len(rows) for name, rows in named.items()}
        for name, rows in named.items():
            write_rows(output / name / f"{name}.csv", table, rows, settings)
            log.info("wrote %d rows to %s.csv", len(rows), name)
        # The test rows once more, as they are sent to a model: the answers come in the same order.
        write_rows(output / "score" / "test.csv", table, parts.test, settings, label=False)
        # And as they are sent to an endpoint that encodes them itself, with what it encodes them with.
        write_requests(output / "requests" / "test.csv", table, parts.test, settings)
        write_archive(output / "preprocessor", settings)
    write_json(output / "report" / "features.json", features_document(settings))
    write_json(output / "report" / "validation.json", document)
    for violation in document["violations"]:
        log.info("violation of rule %s: %s", violation["rule"], violation["message"])


def _source(folder: Path) -> Path:
    files = sorted(folder.glob("*.csv"))
    if len(files) == 1:
        return files[0]
    if not files:
        others = ", ".join(sorted(each.name for each in folder.glob("*"))) or "nothing"
        msg = f"no CSV file among the raw data: {folder} holds {others}"
    else:
        msg = f"one CSV file is expected in {folder}, found {len(files)}: {', '.join(each.name for each in files)}"
    raise JobError(msg)


def _duplicates(table: Table) -> Duplicates:
    usable = table.usable
    return find_duplicates(table.digests[usable], np.array(table.values[usable, 0]), table.lines[usable])


def _divide(table: Table, settings: JobSettings) -> Parts:
    labels = np.array(table.values[:, 0])
    return divide(table.digests, labels, settings.shares, stratified=settings.task is not Task.REGRESSION)


def _check_whole(table: Table, duplicates: Duplicates, settings: JobSettings, findings: Findings) -> None:
    """Check what no single cell can break."""
    if table.present:
        _check_row_count(table, settings, findings)
    if settings.task is Task.REGRESSION:
        _check_spread(table, settings, findings)
    else:
        _check_classes(table, settings, findings)
    _check_blank_columns(table, settings, findings)
    # Rows look equal where a column that tells them apart is not there.
    if {each.name for each in settings.features} <= table.present:
        _check_duplicates(duplicates, settings, findings)


def _check_row_count(table: Table, settings: JobSettings, findings: Findings) -> None:
    required = max(settings.gate.minimum_rows, 1)
    if table.row_count < required:
        fault = f"the file has {table.row_count:,} rows, at least {required:,} are required"
        findings.add(Rule.ROW_COUNT, fault, "collect more data, or lower gates.data.minimum_rows")


def _check_classes(table: Table, settings: JobSettings, findings: Findings) -> None:
    counts = class_counts(table, settings)
    total = sum(counts)
    if not total:
        return
    required = settings.gate.minimum_class_share
    remedy = "collect more of them, or lower gates.data.minimum_class_share"
    for name, count in zip(settings.label.categories, counts, strict=True):
        if not count:
            fault = f"no row has the label '{name}'"
        elif count / total < required:
            fault = f"{count / total:.2%} of the rows have the label '{name}', at least {required:.2%} must"
        else:
            continue
        findings.add(Rule.CLASS_BALANCE, fault, remedy, column=settings.label.name)


def _check_spread(table: Table, settings: JobSettings, findings: Findings) -> None:
    labels = np.array(table.values[:, 0])
    present = labels[~np.isnan(labels)]
    if len(present) and present.min() == present.max():
        fault, remedy = f"the label is {present[0]:.15g} in every row", "there is nothing to learn: collect other rows"
        findings.add(Rule.CLASS_BALANCE, fault, remedy, column=settings.label.name)


def _check_blank_columns(table: Table, settings: JobSettings, findings: Findings) -> None:
    """Refuse a column without any value: there is nothing to learn, and XGBoost's CSV reader may not even count it."""
    for place, column in enumerate(settings.features, start=1):
        if not (column.missing and column.name in table.present and len(table.lines)):
            continue
        if not table.unusable_cells[place] and np.all(np.isnan(table.values[:, place])):
            fault, remedy = (
                f"the column '{column.name}' has no value in any row",
                "deliver it, or declare type ignore",
            )
            findings.add(Rule.MISSING_VALUE, fault, remedy, column=column.name)


def _check_duplicates(duplicates: Duplicates, settings: JobSettings, findings: Findings) -> None:
    allowed = settings.gate.maximum_duplicate_share
    if duplicates.share > allowed:
        findings.add_rows(
            Rule.DUPLICATES,
            f"the features equal those of an earlier row ({duplicates.share:.2%} of all, {allowed:.2%} are allowed)",
            "remove the copies, or raise gates.data.maximum_duplicate_share",
            lines=duplicates.lines,
        )


def _check_parts(table: Table, parts: Parts, settings: JobSettings, findings: Findings) -> None:
    """Check that the model can learn, stop and be measured on every class, or on different numbers."""
    for name, rows in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        labels = table.values[rows, 0]
        faults = [
            f"too few rows have the label '{category}': none of them is among the {name} rows"
            for place, category in enumerate(settings.label.categories)
            if not np.any(labels == place)
        ]
        if settings.task is Task.REGRESSION and len(np.unique(labels)) < TWO:
            faults = [f"too few rows: the {name} rows do not have two different labels"]
        for fault in faults:
            findings.add(Rule.CLASS_BALANCE, fault, "collect more of them", column=settings.label.name)
