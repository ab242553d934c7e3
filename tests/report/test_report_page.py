from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from mlops.report.documents import Evaluation
from mlops.report.html import key_figures, render
from mlops.report.record import Action, ContainerImage, LogLine, RunRecord, Stage, State
from tests.report.sample_record import stopped_by_the_data_gate, succeeded

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Reads a page: its words, its elements, and whether every element that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


RECORDS = [succeeded(), stopped_by_the_data_gate()]
EMPTY = RunRecord(title="t", model="churn", state=State.STOPPED, started="now", elapsed=0.3)


@pytest.mark.parametrize("record", [*RECORDS, EMPTY])
def test_the_page_is_well_formed(record: RunRecord) -> None:
    assert Page(render(record)).open == []


@pytest.mark.parametrize("record", RECORDS)
def test_the_page_needs_no_script_and_no_network(record: RunRecord) -> None:
    text = render(record)
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", text.split("<body>")[0])
    assert [one for one in page.elements for name in one[1] if name.startswith("on") or name in ("src", "href")] == []


@pytest.mark.parametrize("record", RECORDS)
def test_every_state_is_written_out_and_never_colour_alone(record: RunRecord) -> None:
    badges = re.findall(r'<span class="state [a-z-]+">([^<]*)</span>', render(record))
    assert badges
    assert all(re.search(r"[a-z]{4}", badge) for badge in badges)


@pytest.mark.parametrize("record", RECORDS)
def test_every_picture_has_a_name_or_is_decoration(record: RunRecord) -> None:
    drawings = [one for one in Page(render(record)).all("svg") if "height" not in one or "aria-label" in one]
    assert drawings
    assert all(one.get("aria-label") or one.get("aria-hidden") for one in drawings)


def test_what_a_run_holds_is_markup_nowhere() -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=y>"
    stage = Stage(
        name=evil,
        state=State.FAILED,
        actions=(Action(name=evil, provider=evil, state=State.FAILED, started=0.0, seconds=1.0, cause=evil),),
    )
    document = stopped_by_the_data_gate().model_dump()
    replaced: Any = _replace_strings(document, evil)
    record = RunRecord.model_validate(
        replaced
        | {
            "state": "failed",
            "stages": [stage],
            "workflows": [],
            "log": [LogLine(at=0, source=evil, text=evil)],
            "steps": [],
        }
    )
    page = Page(render(record))
    assert page.open == []
    assert not page.all("script")
    assert not page.all("img")
    assert "<script>alert(1)" in page.text


def _replace_strings(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: item if key == "state" else _replace_strings(item, text) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_strings(item, text) for item in value]
    return text if isinstance(value, str) else value


def test_a_manager_reads_the_outcome_first() -> None:
    text = Page(render(succeeded())).text
    sentence = "The new model was trained and passed every gate; it now answers in dev, staging and prod."
    assert text.index(sentence) < text.index("Pipeline Execution")
    names = [figure.name for figure in key_figures(succeeded())]
    assert names == ["Time", "AUC", "Against champion", "Verified", "Rows of data", "Calls under IAM"]


def test_a_run_that_stopped_names_the_place_and_the_cause_and_shows_no_model() -> None:
    record = stopped_by_the_data_gate()
    text = Page(render(record)).text
    assert record.outcome.startswith("The run stopped in Train: DataGateFailed")
    assert "row 118 has no label" in text
    assert "Model quality" not in text
    assert "not started" in text
    assert "s3:GetObject" in text


def test_every_part_of_a_full_record_is_shown() -> None:
    text = Page(render(succeeded())).text
    for heading in (
        *("Pipeline", "Model quality", "Gates", "Deployment", "Approval", "Data", "Where the time goes", "Permissions"),
        *("Lineage", "Not rehearsed", "Log", "ROC curve", "Confusion matrix", "Learning curve"),
    ):
        assert heading in text
    for word in (
        "floor 0.75",
        "champion 0.871",
        "ceiling 0.5",
        "plan=basic",
        "MetricGate",
        "sagemaker:StopTrainingJob",
    ):
        assert word in text


def test_a_metric_beyond_its_limit_is_said_to_have_failed() -> None:
    good, bad = render(succeeded()), render(succeeded(floors={"auc": 0.99}, ceilings={"log_loss": 0.1}))
    assert bad.count("✕ failed") == good.count("✕ failed") + 2


def test_a_first_model_is_judged_without_a_champion() -> None:
    evaluation = succeeded().evaluation
    assert evaluation is not None
    first = Evaluation.model_validate(evaluation.model_dump() | {"champion": None})
    text = Page(render(succeeded(evaluation=first))).text
    assert "No model was in service before" in text
    assert "Against champion" not in text


def test_the_page_follows_the_preference_of_the_reader_for_dark() -> None:
    assert "prefers-color-scheme: dark" in render(EMPTY)


def _evaluated(**parts: Any) -> RunRecord:
    good = succeeded()
    assert good.evaluation is not None
    evaluation = Evaluation.model_validate({"rows": 90, "metrics": {}, **parts})
    return good.model_copy(update={"evaluation": evaluation})


def test_a_model_of_several_classes_shows_which_class_was_taken_for_which() -> None:
    matrix = {"categories": ["oak", "elm", "ash"], "counts": [[30, 0, 0], [0, 27, 3], [0, 1, 29]]}
    page = Page(render(_evaluated(multiclass_classification_metrics={"f1": {"value": 0.95}}, confusion_matrix=matrix)))
    assert "predicted elm" in page.text
    assert "was ash" in page.text


def test_a_model_of_numbers_shows_its_residuals() -> None:
    residuals = {"edges": [-10, 0, 10], "counts": [40, 50]}
    text = render(_evaluated(regression_metrics={"rmse": {"value": 4.2}}, residuals=residuals))
    assert "RMSE" in text
    assert "Residuals" in text


def test_a_margin_below_zero_is_said_to_allow_being_worse() -> None:
    good = succeeded()
    assert good.evaluation is not None
    assert good.evaluation.champion is not None
    assert good.evaluation.champion.comparison is not None
    texts = [
        Page(render(good.model_copy(update={"margin": margin, "evaluation": _difference(good.evaluation, low)}))).text
        for margin, low in ((-0.1, -0.05), (-0.1, -0.2))
    ]
    assert "and is not" in texts[0]
    assert "the champion stays" in texts[1]


def _difference(evaluation: Evaluation, low: float) -> Evaluation:
    assert evaluation.champion is not None
    assert evaluation.champion.comparison is not None
    comparison = evaluation.champion.comparison.model_copy(update={"low": low})
    return evaluation.model_copy(update={"champion": evaluation.champion.model_copy(update={"comparison": comparison})})


def test_each_image_says_how_it_was_represented_and_what_had_no_effect() -> None:
    image = ContainerImage(uri="repository@sha256:abc", rung="bubblewrap", not_executed=("RUN apt-get install tree",))
    page = Page(render(succeeded().model_copy(update={"images": (image,)})))
    for words in ("repository@sha256:abc", "bubblewrap", "RUN apt-get install tree"):
        assert words in page.text
