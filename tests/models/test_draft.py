"""A draft model proposes: images and speech of the model's own choice, whatever the draft is."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.draft import check_draft, draw_images_with_draft, speak_with_draft
from speechgen.models.draw import Drawing as ImageDrawing
from speechgen.models.draw import draw_images
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.lines import Drawing
from speechgen.models.load import save_model
from speechgen.models.speak import speak
from speechgen.models.tts import TokenTTS
from speechgen.orders.speculative import Tally

SAID = [" ", "a", "b", "c", " "]
CODEC = {"kind": "image-codec", "side": 8, "width": 8, "blocks": 1, "strides": [2], "latent": 4}
TOKENIZERS = {
    "raster": {"kind": "pixels", "side": 6, "levels": 3},
    "masked": {"kind": "pixels", "side": 6, "levels": 3},
    "delay": {**CODEC, "bottleneck": {"kind": "rvq", "codebooks": 2, "codebook_size": 11, "code_width": 3}},
}


def painter(order: str = "raster", width: int = 16, noise: float = 0.0, **changes) -> Generator:
    """A generator of images with random weights, disturbed by noise."""
    values = {"tokenizer": TOKENIZERS[order], "order": {"kind": order}, "head": {"kind": "categorical"}}
    sizes = {"width": width, "layers": 2, "heads": 2, "labels": ["zero", "one"]}
    torch.manual_seed(0)
    model = Generator(make_config(GeneratorConfig, {**values, **sizes, **changes})).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    disturb(model, noise)
    return model


@torch.no_grad()
def disturb(model: torch.nn.Module, noise: float) -> None:
    generator = torch.Generator().manual_seed(1)
    for weight in model.parameters():
        weight += noise * torch.randn(weight.shape, generator=generator)


def drawn(model: Generator, draft: Generator | None, guidance: float = 1.0, temperature: float = 0.0):
    drawing, generator = ImageDrawing(guidance, temperature), torch.Generator().manual_seed(0)
    asked = (torch.tensor([0, 1, 1]), drawing, generator)
    return draw_images(model, *asked) if draft is None else draw_images_with_draft(model, draft, *asked)


def reader(make_tts, noise: float = 0.0) -> TokenTTS:
    """The model of delayed codes, its weights disturbed."""
    model = make_tts("codes, delay")
    disturb(model, noise)
    return model


@pytest.mark.parametrize("guidance", [1.0, 1.7])
@pytest.mark.parametrize("order", ["raster", "delay"])
def test_greedy_images_are_the_models_own(order: str, guidance: float) -> None:
    model, draft = painter(order), painter(order, noise=0.1)
    images, tally = drawn(model, draft, guidance)
    assert torch.equal(images, drawn(model, None, guidance))
    assert 0 < tally.accepted < tally.judged and tally.passes < tally.steps
    again, all_right = drawn(model, model, guidance, temperature=1.0)
    assert all_right.share == 1 and again.isfinite().all()


@pytest.mark.parametrize("guidance", [1.0, 1.7])
def test_greedy_speech_is_the_models_own(guidance: float, make_tts) -> None:
    model, draft, tally = reader(make_tts), reader(make_tts, noise=0.1), Tally()
    asked = (SAID, "en", None, Drawing(temperature=0.0, guidance=guidance), torch.Generator().manual_seed(0), 2)
    alone = torch.cat(list(speak(model, *asked)), 1)
    together = torch.cat(list(speak_with_draft(model, draft, *asked, tally=tally)), 1)
    assert torch.equal(alone, together) and 0 < tally.accepted < tally.judged


def test_speech_keeps_the_models_durations(make_tts) -> None:
    """Though the draft would plan others."""
    model, draft = reader(make_tts), reader(make_tts, noise=0.1)
    for one in (model, draft):
        one.stop.bias.data.fill_(-1000.0)
    draft.durations.outlet.bias.data += 2.0
    asked = (SAID, "en", None, Drawing(guidance=1.0), torch.Generator().manual_seed(0))
    own, drafted, spoken = (
        torch.cat(list(made), 1).shape
        for made in (speak(model, *asked), speak(draft, *asked), speak_with_draft(model, draft, *asked))
    )
    assert own == spoken != drafted


def test_drafts_that_cannot_propose_are_refused(make_tts) -> None:
    model = painter()
    for draft, words in [
        (make_tts("codes, delay"), "the draft is of kind tts, and the model of kind image"),
        (painter("delay"), "differs from the model in labels, order or codes"),
        (painter(labels=["zero"]), "differs from the model in labels"),
        (painter(backbone="pixelcnn"), "only the transformer can"),
        (painter("masked"), "drawn from the left by head: categorical, not for order: masked"),
    ]:
        with pytest.raises(UserError, match=words):
            check_draft(model, draft)
    with pytest.raises(UserError, match="with head: flow"):
        check_draft(make_tts(), make_tts())
    with pytest.raises(UserError, match="differs from the model in symbols"):
        check_draft(make_tts("codes, delay"), make_tts("codes, delay", symbols=[" ", "a"]))


def test_the_verb_draws_the_same_greedily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from speechgen.cli.image import app

    for name, width in (("model", 16), ("draft", 8)):
        network = painter(width=width)
        save_model(tmp_path / name, network.config, network, "# a test\n")
    words = ["generate", str(tmp_path / "model"), "--count", "1", "--temperature", "0", "-o"]
    said = CliRunner().invoke(app, [*words, str(tmp_path / "a.png"), "--draft", str(tmp_path / "draft")])
    assert said.exit_code == 0 and "of the draft's codes accepted, 72 steps in" in said.output
    assert CliRunner().invoke(app, [*words, str(tmp_path / "b.png")]).exit_code == 0
    one, other = (Image.open(tmp_path / name).tobytes() for name in ("a.png", "b.png"))
    assert one == other
