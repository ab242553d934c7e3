# ruff: noqa: E402 - the imports below need PyTorch
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vision.needs_torch import skip_without_torch

skip_without_torch()

import torch

from segmentation.batches import Pictures, order
from segmentation.hyperparameters import parse
from segmentation.job import Folders, JobError
from segmentation.penn_fudan import read_folder, read_parts
from segmentation.stopping import Stop
from segmentation.training import Trainer
from segmentation.world import World

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
SMALL = {"backbone": "resnet18", "image_size": "64", "workers": "0", "warmup_steps": "0", "learning_rate": "0.01"}
SMALL |= {"maximum_detections": "5", "batch_size": "1"}
Job = Callable[..., Folders]


class StopAfter(Stop):
    """Asks to stop once it has been asked that often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def requested(self) -> bool:
        self._times -= 1
        return self._times < 0


def trainer(folders: Folders, stop: Stop | None = None, **hyperparameters: str) -> Trainer:
    settings = parse(SMALL | hyperparameters)
    parts = read_parts(folders, validation_share=settings.validation_share, seed=settings.seed)
    return Trainer(settings, parts=parts, folders=folders, world=ALONE, stop=stop or Stop())


def evaluation_of(folders: Folders) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folders.output / "evaluation.json").read_text())
    return document


def test_a_stopped_training_goes_on_to_the_very_model_of_one_that_was_not(job: Job, tmp_path: Path) -> None:
    """Two steps; and one, the wish to stop in the middle of an epoch, and the other one."""
    whole = job()
    trainer(whole, max_steps="2").run()
    interrupted = Folders(base=tmp_path / "again")
    interrupted.base.mkdir()
    (interrupted.base / "input").symlink_to(whole.base / "input")
    assert trainer(interrupted, StopAfter(0), max_steps="2").run() is None
    assert not (interrupted.output / "evaluation.json").exists()
    resumed = trainer(interrupted, max_steps="2")
    assert (resumed.progress.epoch, resumed.progress.step) == (0, 1)
    resumed.run()
    one, other = (torch.load(each.model / "model.pt", weights_only=True) for each in (whole, interrupted))
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    metrics = [evaluation_of(each)["instance_segmentation_metrics"] for each in (whole, interrupted)]
    assert metrics[0] == metrics[1]


def test_the_log_has_the_loss_and_the_mask_metrics(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    folders = job()
    evaluation = trainer(folders, max_steps="1").run()
    log = capsys.readouterr().out
    assert "epoch=1 step=1 train:loss=" in log
    assert "validation:mask_ap=" in log
    assert evaluation
    assert evaluation["images"] == 2
    kept = evaluation_of(folders)
    assert kept["training"]["steps"] == 1
    assert set(kept["instance_segmentation_metrics"]) == {"mask_ap", "mask_ap_50", "mask_ap_75"}


def test_a_stop_during_the_evaluation_leaves_model_and_checkpoint_but_no_figures(job: Job) -> None:
    folders = job()
    assert trainer(folders, StopAfter(2), epochs="1", batch_size="4").run() is None
    assert (folders.model / "model.pt").exists()
    assert (folders.checkpoints / "checkpoint.pt").exists()
    assert not (folders.output / "evaluation.json").exists()


def test_a_training_that_diverges_says_what_to_change(job: Job) -> None:
    folders = job()
    one = trainer(folders, learning_rate="1", clip_norm="0", max_steps="50", epochs="1000")
    with torch.no_grad():
        for weight in one.network.parameters():
            weight.mul_(1e20)
    with pytest.raises(JobError, match=r"the loss is not finite at step 1: .* lower learning_rate \(1\)"):
        one.run()


def test_a_checkpoint_of_other_settings_is_refused(job: Job) -> None:
    folders = job()
    trainer(folders, StopAfter(0)).run()
    with pytest.raises(JobError, match=r"made with other settings \(momentum '0.9' -> '0.8'\)"):
        trainer(folders, momentum="0.8")
    assert trainer(folders, epochs="2", workers="1").progress.steps == 1


def test_a_damaged_checkpoint_is_named(job: Job) -> None:
    folders = job()
    folders.checkpoints.mkdir()
    (folders.checkpoints / "checkpoint.pt").write_bytes(b"half of it")
    with pytest.raises(JobError, match=r"checkpoint.pt cannot be read as weights"):
        trainer(folders)


def test_mixed_precision_trains(job: Job) -> None:
    assert trainer(job(), mixed_precision="true", max_steps="1").run() is not None


def test_every_process_has_as_many_batches_and_no_picture_is_left_out() -> None:
    parts = [order(7, batch_size=2, seed=1, epoch=0, rank=rank, size=3) for rank in range(3)]
    assert [[len(batch) for batch in part] for part in parts] == [[2, 1]] * 3
    assert {index for part in parts for batch in part for index in batch} == set(range(7))


def test_the_order_changes_with_the_epoch_and_repeats_with_the_seed() -> None:
    first, second, again = (order(20, batch_size=4, seed=1, epoch=epoch, rank=0, size=1) for epoch in (0, 1, 0))
    assert first == again != second


def test_a_mirrored_picture_has_mirrored_objects(shapes: Any) -> None:
    examples = read_folder(shapes)
    (plain, target), (mirrored, other) = (Pictures(examples, flip=flip, seed=1, epoch=0)[0] for flip in (0.0, 1.0))
    assert torch.equal(mirrored, plain.flip(2))
    assert torch.equal(other["masks"], target["masks"].flip(2))
    left, right = target["boxes"][:, 0], target["boxes"][:, 2]
    assert torch.equal(other["boxes"][:, 0], 64 - right)
    assert torch.equal(other["boxes"][:, 2], 64 - left)
    for mask, (x0, y0, x1, y1) in zip(target["masks"], target["boxes"].int().tolist(), strict=True):
        assert mask[y0:y1, x0:x1].sum() == mask.sum()
        assert mask[:, x0].any()
        assert mask[y1 - 1].any()
