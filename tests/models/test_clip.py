"""CLIP: ours learns which caption belongs to which image; one that transformers saved scores picture files, too."""

import numpy as np
import pytest
import torch

from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.evaluation.clip import clip_scores
from speechgen.models.clip import Clip, ClipConfig


def test_it_learns_which_caption_is_whose() -> None:
    torch.manual_seed(0)
    sizes = {"side": 8, "width": 8, "features": 8, "blocks": 0, "strides": [2], "dropout": 0.0}
    clip = Clip(make_config(ClipConfig, {**sizes, "labels": ["black", "grey", "white"]}))
    images = torch.tensor([-1.0, 0.0, 1.0])[:, None, None, None].expand(-1, 1, 8, 8)
    captions = ["black", "grey", "white"]
    optimiser = torch.optim.Adam(clip.parameters(), lr=1e-2)
    for _ in range(60):
        loss, _ = clip.losses(images, clip.label_ids(captions))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    scores = clip.eval().scores(images, captions)
    assert scores.argmax(1).tolist() == [0, 1, 2] and scores.abs().max() <= 1 + 1e-5
    with pytest.raises(UserError, match="the word 'whites' is not known; did you mean 'white'"):
        clip.scores(images, ["whites"])


def test_one_of_transformers(tmp_path) -> None:
    from PIL import Image
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**sizes, "vocab_size": 6, "eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 1}
    vision = {**sizes, "image_size": 8, "patch_size": 4}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(tmp_path / "clip")
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2, "a</w>": 3, "b": 4, "b</w>": 5}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(tmp_path / "clip")
    pictures = [tmp_path / "one.png", tmp_path / "two.png"]
    for seed, path in enumerate(pictures):
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    scores = torch.tensor(clip_scores(str(tmp_path / "clip"), pictures, ["a", "b a b"]))
    assert scores.shape == (2, 2) and scores.abs().max() <= 1 + 1e-5
    turned = torch.tensor(clip_scores(str(tmp_path / "clip"), pictures[::-1], ["b a b", "a"]))
    torch.testing.assert_close(turned, scores.flip(0, 1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/config.json").write_text("{}")
    with pytest.raises(UserError, match="no CLIP weights there"):
        clip_scores(str(tmp_path / "empty"), pictures, ["a"])
