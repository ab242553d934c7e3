"""Training data that cannot be used is refused with file, row and column; so is what only other programs can do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tabular import channels
from tabular.channels import Channel
from tabular.contract import TrainingError
from tabular.hyperparameters import Task

BROKEN = {
    "header": ("label,a\n1,2\n", 'row 1, column 1: the label is "label", which is no number'),
    "empty cell": ("1,2\n0,\n", "row 2, column 2: the cell is empty"),
    "no label": (",2\n0,1\n", "row 1, column 1: the label is empty"),
    "missing": ("1,nan\n", 'row 1, column 2: the cell is "nan", which is no number'),
    "endless": ("1,2\n1,inf\n", "row 2, column 2"),
    "too large": ("1,1e39\n", 'row 1, column 2: the cell is "1e39", which is too large'),
    "ragged": ("1,2\n1,2,3\n", "row 2 has 3 columns where the first has 2"),
    "label only": ("1\n0\n", "have one column"),
    "fraction": ("0,1\n1.5,2\n", "row 2 of the channel train has the label 1.5"),
    "negative": ("-1,1\n", "has the label -1"),
    "semicolons": ("1;2\n", 'the label is "1;2"'),
    "quotes": ('1,"2\n', "row 1"),
    "nothing": ("", "the channel train is empty"),
    "blank lines": ("\n\n", "it has no rows"),
}


def channel(folder: Path, text: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "part.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_rows_are_refused_with_their_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as raised:
        channels.read(channel(tmp_path / "train", text), Task.CLASSIFICATION)
    assert said in str(raised.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no CSV file in UTF-8"):
        channels.read(channel(tmp_path / "train", b"1,2\n\xff,3\n"), Task.REGRESSION)


def test_several_mistakes_are_told_together_and_counted(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"row 5.*; and 3 more mistakes"):
        channels.read(channel(tmp_path / "train", "x,1\n" * 8), Task.REGRESSION)


def test_all_files_of_a_channel_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = channel(tmp_path / "train", "2,1\n")
    (folder / "a").mkdir()
    (folder / "a/first.csv").write_text('1,"5"\r\n')
    (folder / ".hidden").write_text("x")
    (folder / "empty.csv").write_text("")
    found = channels.read(folder, Task.REGRESSION)
    assert found.labels.tolist() == [1, 2]
    assert found.features.tolist() == [[5], [1]]


def test_files_of_different_widths_are_refused(tmp_path: Path) -> None:
    folder = channel(tmp_path / "train", "2,1\n")
    (folder / "wide.csv").write_text("2,1,1\n")
    with pytest.raises(TrainingError, match="have 2 and 3 columns"):
        channels.read(folder, Task.REGRESSION)


@pytest.mark.parametrize(
    ("labels", "said"),
    [([1, 1], "every label .* is 1"), ([0, 2], "no row of the classes 1"), ([1, 2], "the classes 0")],
)
def test_classes_are_numbered_without_gaps(labels: list[float], said: str) -> None:
    train = Channel(name="train", features=np.ones((2, 1), np.float32), labels=np.array(labels, dtype=float))
    with pytest.raises(TrainingError, match=said):
        channels.check_labels(train, Task.CLASSIFICATION)
    channels.check_labels(train, Task.REGRESSION)


def test_both_channels_have_the_same_columns_and_classes() -> None:
    train = Channel(name="train", features=np.ones((2, 1), np.float32), labels=np.array([0.0, 1.0]))
    wide = Channel(name="validation", features=np.ones((2, 2), np.float32), labels=np.array([0.0, 1.0]))
    other = Channel(name="validation", features=np.ones((1, 1), np.float32), labels=np.array([2.0]))
    with pytest.raises(TrainingError, match="train has 1 features and the channel validation 2"):
        channels.check_together(train, wide, Task.REGRESSION)
    with pytest.raises(TrainingError, match="validation has the classes 2"):
        channels.check_together(train, other, Task.CLASSIFICATION)


def test_what_this_program_cannot_do_is_refused_before_the_data_is_read(tmp_path: Path) -> None:
    (tmp_path / "resourceconfig.json").write_text(json.dumps({"hosts": ["algo-1", "algo-2"]}))
    train = {"TrainingInputMode": "Pipe", "ContentType": "application/x-parquet"}
    (tmp_path / "inputdataconfig.json").write_text(json.dumps({"train": train, "validation": {}}))
    with pytest.raises(TrainingError) as raised:
        channels.check_job(tmp_path)
    for said in (
        "set the instance count to 1",
        "the channel train is a pipe",
        "application/x-parquet; expected text/csv",
    ):
        assert said in str(raised.value)
