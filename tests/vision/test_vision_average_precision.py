from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segmentation.average_precision import Objects, average_precisions, match, summary
from segmentation.run_length import RunLengths, encode


def bar(start: int, length: int) -> RunLengths:
    """A mask of one row of 100 pixels."""
    mask = np.zeros((1, 100), dtype=bool)
    mask[0, start : start + length] = True
    return encode(mask)


def objects(*masks: RunLengths, labels: list[int] | None = None, scores: list[float] | None = None) -> Objects:
    return Objects(labels=labels or [1] * len(masks), masks=masks, scores=scores or [])


def judged(found: Objects, truth: Objects) -> dict[str, float] | None:
    return average_precisions([match(found=found, truth=truth)])


def test_finding_everything_exactly_is_one() -> None:
    masks = [bar(0, 10), bar(20, 10)]
    assert judged(objects(*masks, scores=[0.9, 0.8]), objects(*masks)) == {
        "mask_ap": 1,
        "mask_ap_50": 1,
        "mask_ap_75": 1,
    }


def test_finding_nothing_is_zero() -> None:
    assert judged(objects(), objects(bar(0, 10))) == {"mask_ap": 0, "mask_ap_50": 0, "mask_ap_75": 0}


def test_without_objects_there_is_nothing_to_judge() -> None:
    assert judged(objects(bar(0, 10), scores=[0.9]), objects()) is None
    assert summary([match(found=objects(), truth=objects())], seed=1) == {}


def test_one_of_two_objects_is_the_51_recalls_up_to_a_half() -> None:
    metrics = judged(objects(bar(0, 10), scores=[0.9]), objects(bar(0, 10), bar(20, 10)))
    assert metrics
    assert metrics["mask_ap"] == pytest.approx(51 / 101)


def test_a_surer_false_alarm_halves_the_precision() -> None:
    metrics = judged(objects(bar(50, 10), bar(0, 10), scores=[0.9, 0.8]), objects(bar(0, 10)))
    assert metrics
    assert metrics["mask_ap"] == pytest.approx(0.5)


def test_a_less_sure_false_alarm_costs_nothing() -> None:
    metrics = judged(objects(bar(50, 10), bar(0, 10), scores=[0.7, 0.8]), objects(bar(0, 10)))
    assert metrics
    assert metrics["mask_ap"] == pytest.approx(1)


def test_an_object_is_found_once_and_its_second_detection_is_a_false_alarm() -> None:
    found = objects(bar(0, 10), bar(0, 10), bar(20, 10), scores=[0.9, 0.8, 0.7])
    metrics = judged(found, objects(bar(0, 10), bar(20, 10)))
    assert metrics
    # 51 recalls with precision 1, and 50 with 2 of 3.
    assert metrics["mask_ap"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_an_overlap_of_two_thirds_counts_at_four_of_ten_thresholds() -> None:
    metrics = judged(objects(bar(0, 8), scores=[0.9]), objects(bar(0, 12)))
    assert metrics == pytest.approx({"mask_ap": 0.4, "mask_ap_50": 1, "mask_ap_75": 0})


def test_categories_are_judged_apart_and_averaged() -> None:
    truth = objects(bar(0, 10), bar(20, 10), labels=[1, 2])
    metrics = judged(objects(bar(0, 10), bar(20, 10), labels=[1, 1], scores=[0.9, 0.8]), truth)
    assert metrics
    assert metrics["mask_ap"] == pytest.approx(0.5)


def test_only_the_hundred_surest_detections_of_a_picture_count() -> None:
    noise = [bar(50, 10)] * 100
    found = objects(*noise, bar(0, 10), scores=[0.9] * 100 + [0.8])
    assert judged(found, objects(bar(0, 10))) == {"mask_ap": 0, "mask_ap_50": 0, "mask_ap_75": 0}


def test_the_spread_lies_around_the_value_and_repeats() -> None:
    truth = objects(bar(0, 10))
    images = [match(found=objects(bar(0, 10 - miss), scores=[0.9]), truth=truth) for miss in range(6)]
    metrics = summary(images, seed=1)
    assert metrics == summary(images, seed=1)
    ap = metrics["mask_ap"]
    assert ap["low"] < ap["value"] < ap["high"]
    assert ap["standard_deviation"] > 0


def blobs(generator: np.random.Generator, count: int) -> list[NDArray[np.bool_]]:
    masks = []
    for _ in range(count):
        mask = np.zeros((12, 14), dtype=bool)
        top, left = generator.integers(0, 8, size=2)
        height, width = generator.integers(1, 7, size=2)
        mask[top : top + height, left : left + width] = True
        masks.append(mask)
    return masks


def of_pycocotools(images: list[tuple[Objects, Objects]]) -> list[float]:
    coco = pytest.importorskip("pycocotools.coco", reason="the reference is in the dependency group 'vision'")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    compiled = pytest.importorskip("pycocotools.mask")

    def entry(image: int, objects: Objects, index: int) -> dict[str, Any]:
        document = objects.masks[index].document()
        mask = compiled.frPyObjects(document, *document["size"])
        box = [float(edge) for edge in compiled.toBbox(mask)]
        facts = {"area": objects.masks[index].area, "bbox": box, "iscrowd": 0, "segmentation": mask}
        return {"image_id": image, "category_id": objects.labels[index], **facts}

    def entries(role: int) -> list[dict[str, Any]]:
        return [
            entry(image, pair[role], index)
            | {"score": pair[role].scores[index] if pair[role].scores else None}
            | {"id": 1000 * image + index + 1}
            for image, pair in enumerate(images)
            for index in range(len(pair[role].masks))
        ]

    truth = coco.COCO()
    pictures = [{"id": image, "height": 12, "width": 14} for image in range(len(images))]
    truth.dataset = {"images": pictures, "annotations": entries(1), "categories": [{"id": 1}, {"id": 2}], "info": {}}
    truth.createIndex()
    evaluation = cocoeval.COCOeval(truth, truth.loadRes(entries(0)), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(value) for value in evaluation.stats[:3]]


@pytest.mark.parametrize("seed", range(12))
def test_the_figures_are_those_of_pycocotools(seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = []
    for _ in range(6):
        masks = blobs(generator, int(generator.integers(1, 6)))
        found = [*masks[: int(generator.integers(0, 6))], *blobs(generator, int(generator.integers(1, 6)))]
        found = [np.roll(mask, generator.integers(-1, 2), axis=1) for mask in found]
        # Rounded, so that equal scores occur.
        scores = generator.random(len(found)).round(1).tolist()
        labels, truth_labels = (generator.integers(1, 3, size=len(some)).tolist() for some in (found, masks))
        truth = objects(*map(encode, masks), labels=truth_labels)
        images.append((objects(*map(encode, found), labels=labels, scores=scores), truth))
    expected = of_pycocotools(images)
    metrics = average_precisions([match(found=found, truth=truth) for found, truth in images])
    assert metrics
    assert list(metrics.values()) == pytest.approx(expected, abs=1e-9)
    assert 0 < metrics["mask_ap_50"] < 1
