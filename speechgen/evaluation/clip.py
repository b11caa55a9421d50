"""CLIP scores of picture files, by our own model or one that transformers saved."""

from pathlib import Path

from speechgen.errors import UserError
from speechgen.evaluation.images import load_judge, read_pictures
from speechgen.models.clip import Clip, TransformersClip
from speechgen.models.load import folder_of


def clip_scores(model: str, pictures: list[Path], captions: list[str]) -> list[list[float]]:
    """The cosine of each picture with each caption; raises UserError for an unknown word or a broken picture."""
    folder = folder_of(model)
    if (folder / "config.json").exists() and not (folder / "config.yaml").exists():
        foreign = TransformersClip(str(folder))
        side = foreign.model.config.vision_config.image_size
        return foreign.scores(read_pictures(pictures, side, 3), captions).tolist()
    judge = load_judge(model)
    if not isinstance(judge, Clip):
        raise UserError(f"{model}: is a classifier, which knows no captions; a run of kind: image-clip does")
    return judge.scores(read_pictures(pictures, judge.config.side, judge.config.channels), captions).tolist()
