from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.hyperparameters import DEFAULTS, RULES, Backbone, Hyperparameters, parse
from segmentation.job import FAILURE_BYTES, JobError, write_failure

# Not st.from_type(object): it asks every class there is, typing's own too, and those answer differently afterwards.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
WRONG = {
    "backbone": "vgg16",
    "batch_size": "0",
    "category": "",
    "clip_norm": "-1",
    "epochs": "1.5",
    "flip": "1.01",
    "image_size": "63",
    "learning_rate": "0",
    "lr_gamma": "nan",
    "lr_step": "three",
    "max_steps": "-1",
    "maximum_detections": "501",
    "minimum_score": "1",
    "mixed_precision": "True",
    "momentum": "1",
    "processes": "17",
    "seed": "2147483648",
    "trainable_layers": "6",
    "validation_share": "0.6",
    "warmup_steps": "1e3",
    "weight_decay": "inf",
    "workers": "\u0661",
}


def test_the_defaults_are_allowed() -> None:
    assert parse({}) == parse(dict(DEFAULTS))


def test_strings_become_values() -> None:
    settings = parse({"backbone": "resnet18", "epochs": "3", "learning_rate": "1e-2", "mixed_precision": "true"})
    assert (settings.backbone, settings.epochs, settings.learning_rate) == (Backbone.RESNET18, 3, 0.01)
    assert settings.mixed_precision is True
    assert settings.processes is None


def test_every_hyperparameter_has_a_rule_and_a_wrong_value_in_this_table() -> None:
    names = {one.name for one in dataclasses.fields(Hyperparameters)}
    assert names == set(RULES) == set(WRONG)


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(JobError) as error:
        parse({name: value})
    assert str(error.value) == f"1 hyperparameter is wrong: {name} is {value!r}, allowed is {RULES[name].allowed}"


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(JobError, match=f"^{len(WRONG)} hyperparameters are wrong: ") as error:
        parse(WRONG)
    assert [name for name in WRONG if f"{name} is " not in str(error.value)] == []


def test_an_unknown_name_is_told_its_neighbour() -> None:
    with pytest.raises(JobError, match="'epoch' is unknown, did you mean epochs"):
        parse({"epoch": "1"})


def test_a_number_that_is_no_string_is_refused_as_sagemaker_would() -> None:
    with pytest.raises(JobError, match="epochs is 3 \\(every hyperparameter is a string\\)"):
        parse({"epochs": 3})


def test_what_sagemaker_adds_is_nobodys_mistake() -> None:
    assert parse({"sagemaker_region": "eu-west-1", "_tuning_objective_metric": "mask_ap"}) == parse({})


@given(st.one_of(st.dictionaries(st.one_of(st.sampled_from(sorted(RULES)), st.text()), st.text()), JSON))
def test_whatever_the_document_it_is_read_or_refused_with_a_reason(document: object) -> None:
    with contextlib.suppress(JobError):
        assert isinstance(parse(document), Hyperparameters)


def test_the_first_reason_of_a_failure_stays_and_fits(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("failure") / "output" / "failure"
    write_failure(path, "\u00e9" * FAILURE_BYTES)
    write_failure(path, "a later one")
    assert path.read_text() == "\u00e9" * (FAILURE_BYTES // 2)
