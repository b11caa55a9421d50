"""What a transformer remembers of a voice's prompt, so that speech in that voice begins without reading it again."""

from dataclasses import dataclass

from torch import Tensor

from speechgen.nn.cache import TransformerState

NEAR = 1e-4  # of two inputs that differ by rounding only


@dataclass(frozen=True)
class PromptState:
    """The ``voice`` (1, C) heard in a prompt, the ``inputs`` (R, P, C) of its P steps, and the ``keys`` and ``values``
    (layers, R, heads, P, head width) that they left; R is 2 where guidance adds a row that is told nothing."""

    voice: Tensor
    inputs: Tensor
    keys: Tensor
    values: Tensor

    def resume(self, inputs: Tensor, state: TransformerState) -> int:
        """Fill an empty state with what is remembered of the first ``inputs`` (R * takes, S, C), as many as are the
        same; returns how many. The last steps of a prompt already hear the text that follows, and differ with it.
        """
        takes = len(inputs) // len(self.inputs)
        length = min(self.inputs.shape[1], inputs.shape[1])
        apart = (inputs[::takes, :length] - self.inputs[:, :length]).abs().amax((0, 2))
        kept = int((apart <= NEAR).cumprod(0).sum())
        for filled, known in ((state.keys, self.keys), (state.values, self.values)):
            filled[:, :, :, :kept] = known[:, :, :, :kept].repeat_interleave(takes, 1)
        state.length = kept
        return kept

    @classmethod
    def of(cls, voice: Tensor, inputs: Tensor, state: TransformerState) -> "PromptState":
        """After a state has read these inputs (R, P, C) and nothing else."""
        keys, values = (part[:, :, :, : state.length].clone() for part in (state.keys, state.values))
        return cls(voice, inputs.clone(), keys, values)
