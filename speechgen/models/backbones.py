"""Which network stands between the units that are known and the head, by its name in a generator's config."""

from torch import nn

from speechgen.errors import UserError
from speechgen.nn.frame_pixelcnn import FramePixelCNN
from speechgen.nn.pixelcnn import PixelCNN, PixelRNN
from speechgen.nn.space_time import SpaceTimeTransformer
from speechgen.nn.transformer import Transformer, TransformerConfig

GRIDS = {"pixelcnn": 2, "pixelrnn": 2, "video-pixels": 3, "space-time": 3}  # dimensions of the grids that these are for


def build_backbone(name: str, order: str, sizes: TransformerConfig, sides: tuple[int, ...]) -> nn.Module:
    """The backbone of this name for units on a grid of these sides, in an order of that kind.

    Raises UserError for a grid or an order that it cannot have.
    """
    if name == "transformer":
        return Transformer(sizes)
    if len(sides) != GRIDS[name]:
        raise UserError(
            f"backbone: {name} is for {'images' if GRIDS[name] == 2 else 'clips'}; use backbone: transformer"
        )
    if name == "space-time":
        if order not in ("joint", "masked"):
            raise UserError(f"backbone: space-time sees all positions; order: {order} needs transformer")
        return SpaceTimeTransformer(sizes, sides[0], sides[1] * sides[2])
    if order != "raster":
        raise UserError(f"backbone: {name} sees what is above and left in a picture; order: {order} needs transformer")
    if len(sides) == 2:
        return (PixelCNN if name == "pixelcnn" else PixelRNN)(sizes.width, sizes.layers, sides[0])
    return FramePixelCNN(sizes.width, sizes.layers, sides[0], sides[1])
