"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ArgumentError, ConvergenceError
from .card import save_weights
from .checkpoint import BEST, LAST, load_checkpoint, save_checkpoint
from .distributed import Group
from .loader import Source, batches
from .log import Log
from .loss import log_error, relative_error
from .meter import Every, Meter, duration
from .models import make_optimizer
from .sample import Sample
from .seen import Seen
from .settings import Settings
from .validate import Examination, columns, validate
from .watch import Watch


@dataclass
class Trainer:
    """A training under way.

    Attributes:
        model: the network.
        description: "method", its name in NETWORKS, its "options", and all else that a checkpoint has to agree with.
        settings: how to train.
        source: of the batches.
        examinations: what to validate on, by name; their mean loss decides which checkpoint is the best.
        folder: for log.csv, last.pt, best.pt and weights.safetensors with its card.
        group: the processes that train together.
        say: takes a line of progress.
        card: data and licences for the model card.
    """

    model: nn.Module
    description: Mapping[str, Any]
    settings: Settings
    source: Source
    examinations: Mapping[str, Examination]
    folder: Path
    group: Group = field(default_factory=Group)
    say: Callable[[str], None] = lambda line: None
    card: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model.to(self.group.device)
        self.optimizer = make_optimizer(self.model, self.settings.rule, self.settings.lr)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.watch, self.seen, self.step, self.seconds = Watch(), Seen(), 0, 0.0

    def resume(self) -> None:
        """Go on from the last checkpoint in the folder.

        Raises:
            FormatError: there is none, or it is damaged.
            ArgumentError: it is that of another network or of other data.
        """
        state = load_checkpoint(self.folder / LAST)
        for name, value in self.description.items():
            if state["description"].get(name) != value:
                raise ArgumentError(
                    f"{self.folder / LAST} was trained with {name} {state['description'].get(name)!r} and now it is "
                    f"{value!r}; give the same options, or train into another folder"
                )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.optimizer.train()  # the best checkpoint has what is evaluated
        self.watch, self.seen = Watch(**state["watch"]), Seen(state["seen"])
        self.step, self.seconds = state["step"], state["seconds"]

    def run(self) -> None:
        """Train to the end; the folder then holds the last checkpoint, the best one, and the log.

        Raises:
            ConvergenceError: the loss is no number any more, or grows; the last checkpoint stands from before.
        """
        log = self._log()
        network = self.group.wrap(self.model)
        data = batches(
            self.source, self.settings.workers, self.step * self.group.size + self.group.rank, self.group.size
        )
        began = time.monotonic() - self.seconds
        report, save, examine = (
            Every(period, self.seconds)
            for period in (self.settings.report_every, self.settings.save_every, self.settings.validate_every)
        )
        meter = Meter(self.seconds)
        if self.step == 0:  # so that there always is one to go on from
            self._save(LAST)
        while not self._ended():
            sample = next(data)
            loss = self._update(network, sample.to(self.group.device), began)
            meter.add(loss, len(sample.target) * self.group.size)
            due = examine.due(self.seconds) or self._ended()
            if report.due(self.seconds) or due:
                row = {"step": float(self.step), "seconds": self.seconds, **meter.means(self.seconds)}
                self._report(row | (self._examine() if due else {}), log)
                meter = Meter(self.seconds)
            if save.due(self.seconds) or due:
                self._save(LAST)
        if log is not None:
            log.close()

    def _ended(self) -> bool:
        return self.settings.share(self.step, self.seconds) >= 1

    def _update(self, network: nn.Module, sample: Sample, began: float) -> float:
        """One step of the optimizer: the loss before it."""
        rate = self.settings.rate(self.step, self.seconds, falling=self.optimizer.rule.evaluated is None)
        for group, lr in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * lr
        self.optimizer.zero_grad(set_to_none=True)
        image = network(sample.acquisition)
        loss = relative_error(image.detach(), sample.target)
        log_error(image, sample.target).backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip))
        # All processes must see the same loss and the same clock, since each decides by itself when to stop.
        mine = torch.tensor([loss.item() / self.group.size, time.monotonic() - began if self.group.leads else 0.0])
        shared = self.group.total(mine.double()).tolist()
        if not (math.isfinite(norm) and self.watch.goes_well(shared[0], self.step)):
            raise ConvergenceError(
                f"training diverged at step {self.step + 1}: the loss is {shared[0]:.3g} and the gradient's norm "
                f"{norm:.3g}; {self.folder / LAST} is from before; go on with --resume and a lower --lr"
            )
        self.optimizer.step()
        self.seen.add(sample.acquisition)
        self.step, self.seconds = self.step + 1, shared[1]
        return shared[0]

    def _examine(self) -> dict[str, float]:
        """Validate, and keep the network if it is the best so far."""
        self.model.eval()
        self.optimizer.eval()
        scores = validate(self.model, self.examinations, self.group)
        losses = [value for name, value in scores.items() if name.endswith(" loss")]
        if losses and sum(losses) / len(losses) < self.watch.best:
            self.watch.best = sum(losses) / len(losses)
            self._save(BEST)
            self._save_weights(scores)
        self.optimizer.train()
        self.model.train()
        return scores

    def _save(self, name: str) -> None:
        if self.group.leads:
            state = {
                "description": dict(self.description),
                "settings": asdict(self.settings),
                "step": self.step,
                "seconds": self.seconds,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "watch": asdict(self.watch),
                "seen": self.seen.values,
            }
            save_checkpoint(self.folder / name, state)

    def _save_weights(self, scores: Mapping[str, float]) -> None:
        if self.group.leads:
            images = self.step * self.description["batch_size"] * self.group.size
            card = {**self.card, "scores": {**scores, "images seen": images}}
            save_weights(self.folder, self.description["method"], self.model, self.seen.ranges(), card)

    def _log(self) -> Log | None:
        if not self.group.leads:
            return None
        names = ["step", "seconds", "loss", "images_per_second", *columns(self.examinations)]
        return Log(self.folder, names, self.step, self.settings.tensorboard)

    def _report(self, row: Mapping[str, float], log: Log | None) -> None:
        if log is None:
            return
        log.write(row)
        share = self.settings.share(self.step, self.seconds)
        left = self.seconds / share * (1 - min(share, 1)) if share else math.inf
        words = [f"step {self.step}", f"loss {row['loss']:.4f}", f"{row['images_per_second']:.2f} images/s"]
        words += [f"{name} {row[name]:.4g}" for name in row if name.endswith((" psnr", " ssim"))]
        self.say(", ".join([*words, f"{duration(left)} left"]))
