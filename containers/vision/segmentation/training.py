"""The training itself, in one process or in many."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD

from segmentation import checkpoint
from segmentation.batches import Pictures, loader, order
from segmentation.checkpoint import Progress, fingerprint_of
from segmentation.evaluation import evaluate
from segmentation.hyperparameters import Hyperparameters
from segmentation.job import Folders, JobError, write_json
from segmentation.model_files import read_pretrained, save_model
from segmentation.network import LAYERS, Architecture, Norm, build, norm_of, start_from
from segmentation.penn_fudan import Parts
from segmentation.stopping import Stop
from segmentation.world import World

PRETRAINED_LAYERS = 3
"""How many layers of a backbone are trained on where it comes with weights; the first ones stay as they are."""
LOG_EVERY = 10


@dataclass(kw_only=True)
class _Pace:
    images: int = 0
    seconds: float = 0.0


class Trainer:
    """Trains, writes a checkpoint after each epoch and on the wish to stop, and leaves model and evaluation."""

    def __init__(self, settings: Hyperparameters, *, parts: Parts, folders: Folders, world: World, stop: Stop) -> None:
        self.settings, self.parts, self.folders, self.world, self.stop = settings, parts, folders, world, stop
        self.pace = _Pace()
        torch.manual_seed(settings.seed)
        self.architecture, self.network = self._build()
        trained = [one for one in self.network.parameters() if one.requires_grad]
        self.optimizer = SGD(
            trained, lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
        )
        self.fingerprint = fingerprint_of(settings, images=len(parts.train), processes_in_all=world.size)
        self.progress = checkpoint.restore(
            folders.checkpoints, network=self.network, optimizer=self.optimizer, fingerprint=self.fingerprint
        )
        self._refuse_different_checkpoints()
        self.together = self._together()

    def run(self) -> dict[str, Any] | None:
        """Train to the end and return the evaluation; None where the job was stopped before it."""
        if self.progress.steps:
            self._say(f"resumed epoch={self.progress.epoch + 1} step={self.progress.step}")
        evaluation = None
        while not self._finished():
            if not self._train_epoch():
                return self._leave(None)
            evaluation = self._evaluate()
            if evaluation is None:
                return self._leave(None)
        return self._leave(evaluation or self._evaluate())

    def _build(self) -> tuple[Architecture, nn.Module]:
        folder = self.folders.channel("pretrained")
        weights = read_pretrained(folder) if folder else None
        settings = self.settings
        architecture = Architecture(
            backbone=settings.backbone,
            norm=Norm.GROUP if weights is None else norm_of(weights),
            categories=(settings.category,),
            image_size=settings.image_size,
            minimum_score=settings.minimum_score,
            maximum_detections=settings.maximum_detections,
        )
        layers = settings.trainable_layers
        if layers is None:
            layers = LAYERS if weights is None else PRETRAINED_LAYERS
        network = build(architecture, trainable_layers=layers)
        if weights is not None:
            self._say(f"pretrained tensors={start_from(network, weights)} of={len(network.state_dict())}")
        return architecture, network.to(self.world.device)

    def _together(self) -> Any:
        if self.world.size == 1:
            return self.network
        device = self.world.device
        return DistributedDataParallel(self.network, device_ids=[device] if device.type == "cuda" else None)

    def _refuse_different_checkpoints(self) -> None:
        found = self.world.gather(self.progress)
        if any(one != found[0] for one in found):
            msg = "the hosts hold different checkpoints: give all of them the same checkpoint folder, or none"
            raise JobError(msg)

    def _finished(self) -> bool:
        limit = self.settings.max_steps
        return self.progress.epoch >= self.settings.epochs or 0 < limit <= self.progress.steps

    def _train_epoch(self) -> bool:
        """Train to the end of the epoch, or of the steps allowed; False where the wish to stop came first."""
        settings, world, progress = self.settings, self.world, self.progress
        batches = order(
            len(self.parts.train),
            batch_size=settings.batch_size,
            seed=settings.seed,
            epoch=progress.epoch,
            rank=world.rank,
            size=world.size,
        )
        pictures = Pictures(self.parts.train, flip=settings.flip, seed=settings.seed, epoch=progress.epoch)
        self.together.train()
        begin = time.perf_counter()
        for images, targets in loader(pictures, batches[progress.step :], settings):
            stopping = self._step(images, targets)
            self.pace.images += len(images) * world.size
            if stopping or self._finished():
                break
        self.pace.seconds += time.perf_counter() - begin
        whole = self.progress.step == len(batches)
        if whole:
            self.progress = Progress(epoch=progress.epoch + 1, steps=self.progress.steps)
        if world.first:
            checkpoint.save(
                self.folders.checkpoints,
                network=self.network,
                optimizer=self.optimizer,
                progress=self.progress,
                fingerprint=self.fingerprint,
            )
        return whole or self._finished()

    def _step(self, images: list[torch.Tensor], targets: list[dict[str, torch.Tensor]]) -> bool:
        """Learn from one batch; return whether any process has been asked to stop."""
        settings, device = self.settings, self.world.device
        self._set_chance()
        rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.mixed_precision):
            losses = self.together(
                [image.to(device) for image in images],
                [{name: each.to(device) for name, each in target.items()} for target in targets],
            )
            loss = sum(losses.values())
        # One exchange for both: all processes go on, stop or fail at the same step, so that none waits for another.
        total, asked = self.world.total(float(loss.detach()), float(self.stop.requested()))
        progress = Progress(epoch=self.progress.epoch, step=self.progress.step + 1, steps=self.progress.steps + 1)
        if not math.isfinite(total):
            msg = (
                f"the loss is not finite at step {progress.steps}: the training diverged; "
                f"lower learning_rate ({settings.learning_rate:g}) or raise warmup_steps ({settings.warmup_steps})"
            )
            raise JobError(msg)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if settings.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        self.optimizer.step()
        self.progress = progress
        if progress.steps % LOG_EVERY == 1 or asked:
            loss_of_all = total / self.world.size
            self._say(f"epoch={progress.epoch + 1} step={progress.steps} train:loss={loss_of_all:.6f} rate={rate:.6f}")
        return bool(asked)

    def _set_chance(self) -> None:
        """Draw the regions to learn from by the number of the step, so that a resumed training draws the same ones."""
        place = [self.settings.seed, self.world.rank, self.progress.steps]
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))

    def _learning_rate(self) -> float:
        """Return the rate of the next step: rising over the first steps, then lower after every `lr_step` epochs."""
        settings = self.settings
        rising = min(1.0, (self.progress.steps + 1) / (settings.warmup_steps + 1))
        return settings.learning_rate * rising * settings.lr_gamma ** (self.progress.epoch // settings.lr_step)

    def _evaluate(self) -> dict[str, Any] | None:
        evaluation = evaluate(
            self.network, self.parts.validation, world=self.world, stop=self.stop, seed=self.settings.seed
        )
        if evaluation is not None:
            metrics = evaluation["instance_segmentation_metrics"]
            values = " ".join(f"validation:{name}={one['value']:.6f}" for name, one in metrics.items())
            speed = f"validation:seconds_per_image={evaluation['seconds_per_image']:.4f}"
            self._say(f"epoch={self.progress.epoch} {values} {speed}")
        return evaluation

    def _leave(self, evaluation: dict[str, Any] | None) -> dict[str, Any] | None:
        """Leave the model as it is; a stopped job keeps what it has learned so far."""
        if not self.world.first:
            return evaluation
        save_model(self.folders.model, self.network, self.architecture)
        if evaluation is None:
            self._say(f"stopped epoch={self.progress.epoch + 1} step={self.progress.step}")
            return None
        training = {
            "images": self.pace.images,
            "steps": self.progress.steps,
            "seconds_per_image": self.pace.seconds / self.pace.images if self.pace.images else None,
            "processes": self.world.size,
            "device": self.world.device.type,
        }
        write_json(self.folders.output / "evaluation.json", evaluation | {"training": training})
        return evaluation

    def _say(self, text: str) -> None:
        if self.world.first:
            print(text, flush=True)  # noqa: T201 - SageMaker reads metrics from the output
