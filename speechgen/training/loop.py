"""The one visible training loop: every model of the house is trained by ``train`` below."""

import math
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from speechgen.errors import UserError
from speechgen.models.weights import BEST, list_checkpoints
from speechgen.training.average import averaged
from speechgen.training.checkpoint import load_checkpoint, save_best, save_checkpoint
from speechgen.training.facts import write_facts
from speechgen.training.interrupt import Interrupt
from speechgen.training.machine import describe_machine
from speechgen.training.optimisers import build_optimiser
from speechgen.training.pace import Pace, TrainConfig
from speechgen.training.patience import Patience

PATIENCE = 3  # steps in a row without a finite gradient, after which the last checkpoint is taken up again
MOST_RETURNS = 3  # to checkpoints in a row, without a whole one made since: more of them would not help
HOURS = "hours"  # of training, in tensorboard: when each evaluation was
HOPELESS = 5  # steps of a log line, none of which had a finite gradient: more of them would not help


@dataclass
class Shown:
    """What an evaluation leaves in tensorboard: numbers, audio {name: (wave (T,), Hz)}, pictures {name: (H, W, 3)}.

    ``loss``: the one number that ``training.patience`` watches; None where a task has no such number.
    """

    scalars: dict[str, float] = field(default_factory=dict)
    audio: dict[str, tuple[Tensor, int]] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    loss: float | None = None


class Task(Protocol):
    """What the loop needs to know of a model: its players, its batches, its losses.

    A player is a module with an optimiser of its own: one for most models, generator and discriminator for a codec.
    A task may have ``rates``: by player, its learning rate as a multiple of the config's, where that is not 1; and
    ``judges``: modules that are not trained, but must be where the players are.
    """

    players: dict[str, nn.Module]
    sample_rate: int

    def turns(self, step: int) -> list[str]:
        """The players that take a step now, in order."""

    def batch(self, step: int, rank: int, ranks: int) -> Any:
        """Batch number ``step``: a pure function, so that the loader's position is the step itself."""

    def losses(self, player: str, batch: Any, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """The scalar that this player lowers, and what to log."""

    def evaluate(self, models: dict[str, nn.Module], generator: torch.Generator) -> Shown:
        """Scores on held-out data, by the averaged weights."""

    def state(self) -> dict:
        """Plain values that belong in a checkpoint beside the weights."""

    def load_state(self, state: dict) -> None: ...


def train(
    task: Task,
    config: TrainConfig,
    exp: Path,
    device: str | None = None,
    until: int | None = None,
    about: dict | None = None,
) -> None:
    """Train to ``config.steps`` or for ``config.hours`` (or stop early at step ``until``), going on from the newest
    checkpoint in ``exp``.

    ``device``: "cpu", "cuda", or what there is. ``about``: plain values for ``exp/facts.json``, such as what the data
    is. Ctrl-C ends the step, leaves a checkpoint and raises KeyboardInterrupt. Raises UserError where there is no such
    device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: this machine has no GPU that torch can use; leave it out to train on the CPU")
    accelerator = Accelerator(cpu=device == "cpu")
    rank, ranks = accelerator.process_index, accelerator.num_processes
    players = {name: player.to(accelerator.device).train() for name, player in task.players.items()}
    for judge in getattr(task, "judges", []):
        judge.to(accelerator.device)
    optimisers = {name: build_optimiser(player, config) for name, player in players.items()}
    rates: dict[str, float] = getattr(task, "rates", {})
    averages = {name: averaged(player, config.ema) for name, player in players.items()}
    generator = torch.Generator(device=accelerator.device).manual_seed(config.seed + rank)
    weights = {**players, **{f"{name}-ema": average for name, average in averages.items()}}

    # A checkpoint in the folder is continued; weights, optimisers, draws, log and position are as they were.
    step, seconds, window, patience = 0, 0.0, {}, Patience(config.patience)
    if found := list_checkpoints(exp):
        state = load_checkpoint(found[-1], weights, optimisers)
        step, extra = state["step"], state["extra"]
        draws = extra["generator"].view(-1, len(generator.get_state()))  # a row for each rank
        if rank < len(draws):
            generator.set_state(draws[rank].clone())  # at an address of its own: a row of a loaded file can crash it
        task.load_state(extra["task"])
        window = extra.get("window", {})
        seconds = extra.get("seconds", 0.0)
        patience = Patience(config.patience, **extra.get("patience", {}))
    if accelerator.is_main_process and not (found and config.patience):
        shutil.rmtree(exp / BEST, ignore_errors=True)  # of another run
    pace, saved = Pace(config, seconds, accelerator.num_processes), step

    # What a killed run logged after its last checkpoint is superseded.
    writer = SummaryWriter(str(exp / "tensorboard"), purge_step=step + 1) if accelerator.is_main_process else None

    def checkpoint() -> None:
        nonlocal saved
        saved = step
        draws = torch.stack(gather_object([generator.get_state()]))
        if writer:
            writer.flush()
            seconds = pace.now()
            extra = {"generator": draws, "task": task.state(), "window": window, "seconds": seconds}
            save_checkpoint(exp, step, weights, optimisers, {**extra, "patience": patience.state()})
            cost = {"step": step, "steps": config.steps, "seconds": round(seconds, 1), "ranks": ranks}
            cost |= {"best_step": patience.step} if config.patience else {}
            cost |= {"steps": step, "hours": config.hours} if config.hours else {}
            write_facts(exp, {**(about or {}), **cost, "machine": describe_machine(), "torch": torch.__version__})

    def spoilt(player: nn.Module) -> bool:
        tensors = (*player.parameters(), *player.buffers())
        return not all(tensor.isfinite().all() for tensor in tensors if tensor.is_floating_point())

    # Steps in a row without a finite gradient; returns to a checkpoint since the last sound one, and the latest's step.
    bad, returns, returned = dict.fromkeys(players, 0), 0, 0
    clock = time.monotonic()
    # Several ranks would hear of an interrupt at different steps, and wait for each other for ever.
    with _progress(accelerator.is_main_process) as progress, Interrupt(wanted=ranks == 1) as interrupt:
        bar = progress.add_task("train", total=100 if config.hours else config.steps, completed=step)
        while not (pace.is_over(step) or patience.is_over or interrupt.asked) and (until is None or step < until):
            batch = task.batch(step, rank, ranks)
            batch = batch.to(accelerator.device) if hasattr(batch, "to") else batch
            for name in task.turns(step):
                player, optimiser = players[name], optimisers[name]
                for group in optimiser.param_groups:
                    group["lr"] = pace.learning_rate(step) * rates.get(name, 1.0)
                # Not accelerator.autocast: its precision could not change again within the process.
                with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=config.bf16):
                    loss, facts = task.losses(name, batch, step, generator)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                _synchronise(accelerator, player)
                norm = nn.utils.clip_grad_norm_(player.parameters(), config.clip)
                facts |= {"total": loss.item(), "gradient_norm": norm.item()}
                # One bad batch must not poison the weights: a step whose gradient is not finite is left out.
                if math.isfinite(facts["gradient_norm"]):
                    optimiser.step()
                    averages[name].update_parameters(player)
                    bad[name] = 0
                else:
                    facts["skipped_steps"] = 1.0
                    bad[name] += 1
                    # Running means and usage counts may have taken up what the batch brought.
                    if (bad[name] >= PATIENCE or spoilt(player)) and (found := list_checkpoints(exp)):
                        state = load_checkpoint(found[-1], weights, optimisers)
                        task.load_state(state["extra"]["task"])
                        facts["returns"], bad[name], returns, returned = 1.0, 0, returns + 1, step
                for key, value in facts.items():
                    window.setdefault(f"{name}/{key}", []).append(value)
            step += 1
            pace.tick()
            progress.update(bar, completed=100 * pace.share(step) if config.hours else step)

            if step % config.log_every == 0:
                each = (time.monotonic() - clock) / config.log_every
                means = {key: sum(values) / len(values) for key, values in window.items()}
                _check_skipped(window, config.log_every, exp)
                if returns > MOST_RETURNS:
                    raise UserError(
                        f"{exp}: went back to the checkpoint {returns} times, and the gradient is still not finite; "
                        "lower training.learning_rate and rerun"
                    )
                if writer:
                    for key, value in {**means, "seconds_per_step": each}.items():
                        writer.add_scalar(key, value, step)
                    progress.console.print(_line(step, each, means))
                clock, window = time.monotonic(), {}
            is_due = pace.is_due(step, config.checkpoint_every, config.checkpoint_minutes)
            if pace.is_due(step, config.evaluate_every, config.evaluate_minutes) or pace.is_over(step):
                loss: float | None = None
                if writer:
                    shown = task.evaluate({name: average.module for name, average in averages.items()}, generator)
                    _show(writer, shown, step, pace.seconds / 3600)
                    progress.console.print(_line(step, 0.0, shown.scalars))
                    clock, loss = time.monotonic(), shown.loss
                if config.patience:  # all ranks stop together
                    (loss,) = broadcast_object_list([loss])
                    if loss is None:
                        raise UserError("training.patience: this kind of model has no held-out loss; set it to 0")
                    if patience.look(loss, step) and writer:
                        save_best(exp, averages)
                for player in players.values():
                    player.train()
                pace.tick()  # so that a slow evaluation is not followed by the next at once
            is_due |= pace.is_due(step, config.checkpoint_every, config.checkpoint_minutes)
            if (is_due and not any(bad.values())) or pace.is_over(step):
                checkpoint()
                returns = 0 if step > returned + PATIENCE else returns
        if step != saved and not any(bad.values()):
            checkpoint()
        if interrupt.asked:
            progress.console.print(f"stopped after step {step}; the same command goes on from step {saved}")
    if writer:
        writer.close()
    if interrupt.asked:
        raise KeyboardInterrupt
    # Ranks leave together and close their connections: one that finds its peers gone at exit can end in a crash.
    accelerator.wait_for_everyone()
    accelerator.end_training()


def _synchronise(accelerator: Accelerator, player: nn.Module) -> None:
    """Give all ranks the mean of their gradients, and the first one's weights and buffers.

    Gradients are averaged by hand, since a wrapper of the model forbids several forwards in one step. The weights
    agree already but for what a rank's own data has changed: codes started and revived, running means.
    """
    if accelerator.num_processes == 1:
        return
    for parameter in player.parameters():
        if parameter.requires_grad:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad = accelerator.reduce(gradient, reduction="mean")
    for tensor in (*player.parameters(), *player.buffers()):
        torch.distributed.broadcast(tensor.detach(), 0)


def _check_skipped(window: dict[str, list[float]], steps: int, exp: Path) -> None:
    for key, values in window.items():
        if key.endswith("skipped_steps") and len(values) == steps >= HOPELESS:
            raise UserError(
                f"{exp}: {steps} steps in a row had no finite gradient; lower training.learning_rate and rerun"
            )


def _show(writer: SummaryWriter, shown: Shown, step: int, hours: float) -> None:
    writer.add_scalar(HOURS, hours, step)
    for name, value in shown.scalars.items():
        writer.add_scalar(f"dev/{name}", value, step)
    for name, (wave, rate) in shown.audio.items():
        writer.add_audio(name, wave.detach().float().cpu().clamp(-1, 1)[None], step, rate)
    for name, picture in shown.pictures.items():
        writer.add_image(name, picture, step, dataformats="HWC")


def _line(step: int, seconds: float, means: dict[str, float]) -> str:
    pace = f"{seconds:.2f} s  " if seconds else "dev  "
    shown = {key: value for key, value in means.items() if key.count("/") < 2}  # not what each codebook does
    return f"step {step}  {pace}" + "  ".join(f"{key} {value:.4g}" for key, value in shown.items())


def _progress(visible: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, disable=not visible)
