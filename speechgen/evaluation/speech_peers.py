"""Speech models of transformers, built at their published sizes with random weights: speed needs no others."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

CODE_RATE = 49.9  # semantic tokens per second of Bark
FRAME_RATE = 12.5  # frames per second of CSM's codec
LETTERS = 38  # size of VITS's alphabet, and enough kinds of token for the others


class Peer:
    """A model that says a text at once: ``say`` gives waves (T,) for so many texts of so many tokens."""

    def __init__(self, model: nn.Module, sample_rate: int, say: Callable[[nn.Module, Tensor, float], list[Tensor]]):
        self.model, self.sample_rate, self._say = model.eval().requires_grad_(False), sample_rate, say

    @torch.inference_mode()
    def say(self, streams: int, tokens: int, seconds: float) -> list[Tensor]:
        """``seconds``: of audio to make, where the model does not say itself how long its speech is."""
        text = torch.randint(1, LETTERS, (1, tokens), generator=torch.Generator().manual_seed(0))
        return self._say(self.model, text.expand(streams, -1), seconds)


def csm(sizes: dict | None = None) -> Peer:
    """CSM-1B: a transformer over text and Mimi's codes, and a depth transformer over the 32 codes of a frame; or one of
    other ``sizes``, as its config names them."""
    import transformers

    def say(model, text: Tensor, seconds: float) -> list[Tensor]:
        frames = max(1, round(seconds * FRAME_RATE))
        codes = model.generate(input_ids=text, max_new_tokens=frames, output_audio=False, do_sample=False)
        # Random weights also choose the few codes beyond the codec's (2,051 of 2,048), which have no sound.
        codes = codes.clamp(max=model.config.codec_config.codebook_size - 1).transpose(1, 2)
        return list(model.codec_model.decode(codes).audio_values[:, 0])

    model = _filled(lambda: transformers.CsmForConditionalGeneration(transformers.CsmConfig(**(sizes or {}))))
    return Peer(model, 24_000, say)


def vits(sizes: dict | None = None) -> Peer:
    """VITS as MMS-TTS has it: a flow between text and latents, and a GAN's decoder; all frames at once; or one of
    other ``sizes``."""
    import transformers

    def say(model, text: Tensor, seconds: float) -> list[Tensor]:
        torch.manual_seed(0)  # its durations are random
        spoken = model(input_ids=text)
        return [wave[:length] for wave, length in zip(spoken.waveform, spoken.sequence_lengths.tolist(), strict=True)]

    config = transformers.VitsConfig(**(sizes or {}))
    return Peer(transformers.VitsModel(config), config.sampling_rate, say)


def bark(sizes: dict | None = None) -> Peer:
    """Bark-small: three transformers, text to semantic tokens to coarse codes to fine ones, and EnCodec; or with other
    ``sizes`` of each transformer."""
    import transformers
    from transformers.models.bark import generation_configuration_bark as generation

    parts = {
        "semantic_config": {"input_vocab_size": 129_600, "output_vocab_size": 10_048},
        "coarse_acoustics_config": {"input_vocab_size": 12_096, "output_vocab_size": 12_096},
        "fine_acoustics_config": {"input_vocab_size": 1056, "output_vocab_size": 1056},
    }
    parts = {name: {**sizes_of, **(sizes or {})} for name, sizes_of in parts.items()}
    model = _filled(lambda: transformers.BarkModel(transformers.BarkConfig(**parts)))
    model.generation_config = generation.BarkGenerationConfig()
    for name in parts:  # its ``generate`` wants them as a file of published weights holds them
        setattr(model.generation_config, name, getattr(model.generation_config, name).to_dict())

    def say(model, text: Tensor, seconds: float) -> list[Tensor]:
        tokens = max(1, round(seconds * CODE_RATE))
        # Its texts are padded to 256 tokens inside.
        padded = nn.functional.pad(text, (0, 256 - text.shape[1]))[:, :256]
        made = model.generate(padded, semantic_max_new_tokens=tokens, semantic_min_new_tokens=tokens)
        return list(made)

    return Peer(model, 24_000, say)


# By the word that ``bench tts`` knows each by: its name, and how it is built.
PEERS = {"vits": ("VITS", vits), "bark": ("Bark-small", bark), "csm": ("CSM-1B", csm)}


def _filled(make: Callable[[], nn.Module]) -> nn.Module:
    """A model with small random weights, drawn once: transformers' own way of drawing takes a billion of them long."""
    from transformers.initialization import no_init_weights

    with no_init_weights():
        model = make()
    model.tie_weights()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.uniform_(-0.02, 0.02, generator=generator)
            else:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)
    return model
