"""Distillation of a flow into a one-step head: the flow draws, guidance included, and the pairs are learned."""

import torch
from torch import Tensor

from speechgen.errors import UserError
from speechgen.heads.one_step import OneStepHeadConfig
from speechgen.models.rows import Rows
from speechgen.models.tts import TokenTTS

LOWEST_TEMPERATURE = 0.3  # noises are drawn at temperatures from here to 1, so that the student may be cooled as well


class Teacher:
    """A trained flow TTS; a student that began as its copy learns in one step what it draws in many."""

    def __init__(self, model: TokenTTS, config: OneStepHeadConfig, name: str):
        """``name``: what messages call the model. Raises UserError for one without a flow."""
        if model.config.head.kind != "flow":
            raise UserError(
                f"initial: {name}: its head is of kind {model.config.head.kind}; one-step learns from a flow"
            )
        self.model, self.config = model.eval().requires_grad_(False), config

    @property
    def guides(self) -> bool:
        """Whether guidance becomes part of the student, which then learns nothing of rows that are told nothing."""
        return self.config.guidance != 1.0

    @torch.no_grad()
    def couples(self, rows: Rows, null: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Noises (B, S, D) and the units (B, S, D) that they flow to, zero where there are no steps.

        The teacher reads the past as it was; ``null`` (B,) bool: rows that are told nothing.
        """
        values = rows.values
        draw = {"generator": generator, "device": values.device}
        temperature = LOWEST_TEMPERATURE + (1 - LOWEST_TEMPERATURE) * torch.rand(*values.shape[:2], 1, **draw)
        noise = torch.randn(values.shape, **draw) * temperature.sqrt()
        history = self.model.embed(values)
        z, _, mask = self.model.hidden(rows, history, null)
        z_null = self.model.hidden(rows, history, torch.ones_like(null))[0][mask].float() if self.guides else None
        units = torch.zeros_like(noise)
        with torch.autocast(values.device.type, enabled=False):  # errors of many steps would add up
            steps, guidance = self.config.steps, self.config.guidance
            units[mask] = self.model.head.sample(z[mask].float(), z_null, guidance, steps=steps, noise=noise[mask])
        return noise, units
