"""The app's WaveNet tab: a sound is served while it grows, and told as it goes."""

import asyncio
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import torch

from speechgen.audio.files import read_audio
from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.wavenet import WaveNetConfig, build_wavenet
from speechgen.serving.live import KEPT, LiveSounds, ServeLive
from speechgen.serving.wavenet_tab import ANY, Player

SIZES = {"sample_rate": 8000, "layers": 2, "cycle": 2, "residual": 8, "skip": 8, "hidden": 16, "condition": 6}


def player(folder: Path, **model) -> Player:
    torch.manual_seed(0)
    network = build_wavenet(make_config(WaveNetConfig, {**SIZES, **model})).eval()
    return Player(network, "toy", folder, LiveSounds())


def fetch(sounds: LiveSounds, path: str) -> httpx.Response:
    async def elsewhere(scope, receive, send):
        raise AssertionError("not a live sound")

    async def get():
        transport = httpx.ASGITransport(app=ServeLive(elsewhere, sounds))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path)

    return asyncio.run(get())


def test_what_is_heard_is_what_is_saved(tmp_path):
    one = player(tmp_path, labels={"pitch": ["a", "b"]})
    steps = list(one.play({"pitch": "a"}, None, 0.5, 1.0, 3))
    assert len(steps) == 6 and {step.address for step in steps} == {steps[0].address}
    assert steps[1].report == "0.2 of 0.5 s" and steps[0].wave is None
    assert "x** real time" in steps[-1].report and steps[-1].picture.read_bytes()[1:4] == b"PNG"
    saved, rate = read_audio(steps[-1].wave)
    served = fetch(one.sounds, steps[0].address)
    heard, _ = soundfile.read(io.BytesIO(served.content))
    assert rate == 8000 and len(heard) == len(saved) == 4000
    assert int(served.headers["content-length"]) == len(served.content)
    assert np.abs(heard - saved.numpy()).max() < 1e-4 and steps[-1].wave.name == "a-3.wav"


def test_a_sound_is_sent_as_far_as_it_is_there():
    sounds = LiveSounds()
    sound, _ = sounds.open(8000, 300)

    async def listen():
        file = sound.file()
        header = await anext(file)
        sound.add(torch.ones(100))
        first = await asyncio.wait_for(anext(file), 5)
        asyncio.get_running_loop().call_later(0.05, sound.add, torch.zeros(150))
        second = await asyncio.wait_for(anext(file), 5)
        sound.end()
        rest = [block async for block in file]
        return header, first, second, rest

    header, first, second, rest = asyncio.run(listen())
    assert len(header) == 44 and len(first) == 200 and len(second) == 300
    assert [len(block) for block in rest] == [100]  # what never came is silence


def test_a_stopped_visitor_leaves_a_whole_file(tmp_path):
    one = player(tmp_path)
    playing = one.play({}, None, 1.0, 1.0, 0)
    address = next(playing).address
    playing.close()
    assert len(fetch(one.sounds, address).content) == 44 + 2 * 8000


def test_a_vocoder_plays_a_recording_of_any_rate_and_asks_for_one(tmp_path, prompt_file):
    one = player(tmp_path, mel={"bands": 10, "hop": 80, "window": 160})
    last = list(one.play({}, str(prompt_file), 0.3, 1.0, 0))[-1]
    assert len(read_audio(last.wave)[0]) == 2400
    with pytest.raises(UserError, match="Record or upload"):
        next(one.play({}, None, 0.3, 1.0, 0))


def test_labels_may_be_left_to_chance_and_only_known_ones_are_taken(tmp_path):
    one = player(tmp_path, labels={"pitch": ["a", "b"]})
    assert len(list(one.play({"pitch": ANY}, None, 0.2, 1.0, 0))) == 3
    with pytest.raises(UserError, match="pitch z: not one of a, b"):
        next(one.play({"pitch": "z"}, None, 0.2, 1.0, 0))


def test_other_sounds_are_not_found_and_old_ones_go():
    sounds = LiveSounds()
    first, address = sounds.open(8000, 10)
    for _ in range(KEPT):
        sounds.open(8000, 10)
    assert first.ended and fetch(sounds, address).status_code == 404
    assert fetch(sounds, "/live/passwd").status_code == 404
