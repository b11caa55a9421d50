"""Speech broken on purpose, in the ways in which synthesis fails: what a guard ought to notice."""

from collections.abc import Sequence

import torch
from torch import Tensor

LEAST_SECONDS = 0.12  # of a word that is taken away: less is not heard as missing


def broken_copies(
    wave: Tensor, sample_rate: int, words: Sequence[tuple[float, float]], other: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """Copies of (T,) speech, by what is wrong with them.

    ``words``: where each word starts and ends (s); ``other``: speech (T,) of another text. What a text is too short
    for is left out: a word cannot be missing from a single one.
    """
    starts = [round(start * sample_rate) for start, _ in words]
    starts.append(round(words[-1][1] * sample_rate))
    spans = list(zip(starts, starts[1:]))
    long = [span for span in spans if span[1] - span[0] >= LEAST_SECONDS * sample_rate] or spans

    def drawn(options: Sequence) -> tuple[int, int]:
        return options[int(torch.randint(len(options), (1,), generator=generator))]

    copies = {"another text": other, "silence": torch.zeros_like(wave)}
    start, end = drawn(long)
    copies["a word twice"] = torch.cat([wave[:end], wave[start:]])
    if len(spans) > 1:
        start, end = drawn(long)
        copies["a word missing"] = torch.cat([wave[:start], wave[end:]])
        start, end = drawn(long)
        copies["a word silenced"] = torch.cat([wave[:start], torch.zeros(end - start), wave[end:]])
        copies["cut short"] = wave[: spans[len(spans) // 2][0]]
    if len(spans) > 3:
        third = len(spans) // 3
        first = int(torch.randint(len(spans) - third, (1,), generator=generator))
        start, end = spans[first][0], spans[first + third - 1][1]
        copies["a phrase twice"] = torch.cat([wave[:end], wave[start:]])
    _, end = drawn(spans)
    copies["foreign words"] = torch.cat([wave[:end], other[: len(other) // 2], wave[end:]])
    return copies
