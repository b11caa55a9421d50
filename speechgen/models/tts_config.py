"""What a token TTS is told when it is built: its triple, its sizes, and the models it speaks and aligns through."""

from typing import Literal

from speechgen.config import Config
from speechgen.heads.base import HeadConfig
from speechgen.heads.flow import FlowHeadConfig
from speechgen.nn.transformer import TransformerConfig
from speechgen.orders.base import OrderConfig
from speechgen.orders.raster import RasterConfig

FEATURES = 3  # of a frame within its symbol: share done, frames done, log of the symbol's frames
UNKNOWN, FIRST_SYMBOL = 0, 1  # symbol numbers: what is said is not known; then the table of symbols


class TTSConfig(Config):
    """``codec`` and ``listener``: names or folders of the models it speaks and aligns through.

    ``patch``: codec frames per step. ``unit_width``: channels of a latent, ``white_width``: what is left of them after
    whitening (0: no whitening), which divides by the deviation to the ``white_power`` and drops directions of variance
    below ``white_floor``; ``codebooks``, ``codebook_size``: of codes.
    """

    kind: Literal["tts"] = "tts"
    codec: str = "speech-16k"
    listener: str = "listener-16k"
    unit: Literal["latents", "codes"] = "latents"
    order: OrderConfig = RasterConfig()
    head: HeadConfig = FlowHeadConfig()
    alignment: Literal["given", "attention"] = "given"
    text: Literal["phonemes", "characters"] = "phonemes"
    symbols: list[str] = []
    languages: list[str] = []
    frame_rate: float = 50.0
    unit_width: int = 32
    white_width: int = 0
    white_power: float = 0.5
    white_floor: float = 0.01
    codebooks: int = 8
    codebook_size: int = 1024
    patch: int = 2
    transformer: TransformerConfig = TransformerConfig()
    symbol_width: int = 192
    symbol_blocks: int = 3
    voice_blocks: int = 2
    duration_width: int = 160
    duration_blocks: int = 3
    stop_weight: float = 0.1
