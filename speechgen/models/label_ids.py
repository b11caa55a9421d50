"""What a model is told, as numbers: a label by its place among those it knows, a caption word by word."""

import torch
from torch import Tensor

from speechgen.errors import UserError, nearest
from speechgen.text.words import words_of

FEW = 20  # labels that are all named where one is wrong; of more, the nearest


def label_ids(names: list[str], labels: list[str], captions: bool) -> Tensor:
    """Labels to (B,), or captions to (B, W) numbers of words, ``len(labels)`` behind the last word of shorter ones.

    Raises UserError for a label or a word that is not known, naming what is, and for an empty caption.
    """
    known = {name: number for number, name in enumerate(labels)}
    told = [words_of(name) if captions else [name] for name in names]
    for name, words in zip(names, told, strict=True):
        for word in words:
            if word not in known:
                what = f"caption {name!r}: the word" if captions else "label"
                few = not captions and len(labels) <= FEW
                hint = f"; known: {', '.join(labels)}" if few else nearest(word, known)
                raise UserError(f"{what} {word!r} is not known{hint}")
        if not words:
            raise UserError(f"caption {name!r} has no words{nearest(name, known)}")
    if not captions:
        return torch.tensor([known[word] for (word,) in told])
    longest = max(map(len, told), default=1)
    return torch.tensor([[known[word] for word in words] + [len(labels)] * (longest - len(words)) for words in told])
