"""The HTTP server as programs see it: OpenAI's client, crowds, and clients that leave or ask for what is not there."""

import asyncio
import base64
import io
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import torch
import uvicorn

import speechgen
from speechgen.audio.watermark import detect
from speechgen.models.lines import Drawing
from speechgen.serving import voices
from speechgen.serving.limits import RequestLimits
from speechgen.serving.server.app import build_server
from speechgen.serving.server.speech import Speaker
from speechgen.serving.synthesiser import Synthesiser

TEXT = "The quick brown fox jumps over the dog."
LONG = " ".join(f"The quick brown fox number {n} jumps over the very lazy dog near the river." for n in range(30))
ASKED = {"model": "tiny", "input": TEXT, "voice": "ann"}


class Served:
    """A running server, its speaker, and a client."""

    def __init__(self, app, address: str):
        self.app, self.address = app, address
        self.client = httpx.Client(base_url=address, timeout=120, trust_env=False)

    @property
    def speaker(self):
        return self.app.state.speaker

    def say(self, **changes: object) -> httpx.Response:
        return self.client.post("/v1/audio/speech", json={**ASKED, **changes})

    def until(self, condition) -> None:
        for _ in range(600):
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError("it never came to that")


@contextmanager
def serving(synth: Synthesiser, **limits: object) -> Iterator[Served]:
    app = build_server(synth, "tiny", RequestLimits(**limits))
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    served = Served(app, f"http://127.0.0.1:{listening.getsockname()[1]}")
    try:
        served.until(lambda: server.started)
        yield served
    finally:
        served.client.close()
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def synth(tiny_models: Path) -> Synthesiser:
    return speechgen.load(str(tiny_models / "tts"))


@pytest.fixture(scope="module")
def served(synth: Synthesiser, prompt_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("voices")
    voice = synth.voice(prompt_file)
    voice.facts.update({"name": "ann", "licence": "CC0", "consent": "her own voice"})
    voice.save(folder / "ann.voice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "VOICES", folder)
        patch.setenv("SPEECHGEN_VOICES", str(folder / "none"))
        with serving(synth) as running:
            yield running


def heard(content: bytes) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(content), dtype="float32")


def expected(synth: Synthesiser, **options: object) -> torch.Tensor:
    return synth.say(TEXT, voices.find_voice("ann"), drawing=Drawing(), **options).wave


@pytest.mark.parametrize(("kind", "media"), [("wav", "audio/wav"), ("flac", "audio/flac")])
def test_lossless_formats_are_what_the_synthesiser_says(kind: str, media: str, served: Served, synth) -> None:
    answer = served.say(response_format=kind, seed=3)
    assert answer.status_code == 200 and answer.headers["content-type"] == media
    wave, rate = heard(answer.content)
    assert rate == synth.sample_rate
    np.testing.assert_allclose(wave, expected(synth, seed=3).numpy(), atol=2e-4)


@pytest.mark.parametrize(("kind", "container"), [("opus", "OGG"), ("mp3", "MP3")])
def test_lossy_formats_are_whole_files(kind: str, container: str, served: Served, synth) -> None:
    answer = served.say(response_format=kind)
    file = soundfile.SoundFile(io.BytesIO(answer.content))
    assert file.format == container or container == "MP3" and file.format in ("MP3", "MPEG")
    assert file.frames / file.samplerate == pytest.approx(len(expected(synth)) / synth.sample_rate, abs=0.2)


def test_mp3_is_the_format_when_none_is_named_as_with_openai(served: Served) -> None:
    assert served.say().headers["content-type"] == "audio/mpeg"


def test_pcm_streams_at_the_rate_that_clients_expect(served: Served, synth) -> None:
    answer = served.say(response_format="pcm")
    assert "content-length" not in answer.headers and answer.headers["content-type"].endswith("rate=24000;channels=1")
    whole = served.say(response_format="pcm", stream=False)
    assert "content-length" in whole.headers
    samples = np.frombuffer(answer.content, "<i2")
    assert len(samples) / 24000 == pytest.approx(len(expected(synth)) / synth.sample_rate, abs=0.01)
    both = min(len(samples), len(whole.content) // 2)
    np.testing.assert_allclose(samples[:both], np.frombuffer(whole.content, "<i2")[:both], atol=2)


def test_a_streamed_wav_is_the_whole_one(served: Served) -> None:
    with served.client.stream(
        "POST", "/v1/audio/speech", json={**ASKED, "response_format": "wav", "stream": True}
    ) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) > 3
    whole = served.say(response_format="wav").content
    np.testing.assert_allclose(np.frombuffer(b"".join(pieces)[44:], "<i2"), np.frombuffer(whole[44:], "<i2"), atol=2)


def test_the_openai_client_works(served: Served, tmp_path: Path, synth) -> None:
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=served.address + "/v1", api_key="none", http_client=httpx.Client(trust_env=False))
    answer = client.audio.speech.create(model="tiny", voice="ann", input=TEXT, response_format="wav")
    answer.write_to_file(tmp_path / "a.wav")
    assert len(soundfile.read(tmp_path / "a.wav")[0]) == len(expected(synth))
    with client.audio.speech.with_streaming_response.create(
        model="tiny", voice="ann", input=TEXT, response_format="pcm", speed=1.5
    ) as streamed:
        assert len(list(streamed.iter_bytes(4096))) > 3
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "speechgen"
    with pytest.raises(openai.NotFoundError, match="is not served here") as refused:
        client.audio.speech.create(model="tts-1", voice="ann", input=TEXT)
    assert refused.value.code == "model_not_found" and refused.value.param == "model"
    with pytest.raises(openai.BadRequestError, match="Cyrillic"):
        client.audio.speech.create(model="tiny", voice="ann", input="Привет")


def test_speed_is_honoured(served: Served) -> None:
    slow, fast = (heard(served.say(response_format="wav", speed=speed).content)[0] for speed in (0.5, 2.0))
    assert len(slow) > 2 * len(fast)


def test_a_recording_lends_its_voice(served: Served, synth, prompt_file: Path) -> None:
    prompt = base64.b64encode(prompt_file.read_bytes()).decode()
    answer = served.say(voice="prompt", prompt=prompt, response_format="wav")
    np.testing.assert_allclose(heard(answer.content)[0], expected(synth).numpy(), atol=2e-4)


def test_speech_is_marked(served: Served) -> None:
    wave, rate = heard(served.say(input=LONG[:300], response_format="wav").content)
    assert detect(torch.from_numpy(wave), rate).found


@pytest.mark.parametrize(
    ("changes", "status", "hint", "field"),
    [
        ({"voice": "anna"}, 404, "did you mean 'ann'", "voice"),
        ({"voice": "../ann"}, 404, "is not here", "voice"),
        ({"voice": "/etc/passwd"}, 404, "is not here", "voice"),
        ({"model": "tts-1"}, 404, "not served", "model"),
        ({"input": ""}, 400, "empty", None),
        ({"input": "..."}, 400, "nothing to say", None),
        ({"input": "a\x00b"}, 400, "U+0000", None),
        ({"input": "a" * 5000}, 400, "5,000 characters", "input"),
        ({"speed": 9}, 400, "speed = 9", "speed"),
        ({"speed": "NaN"}, 400, "speed", "speed"),
        ({"response_format": "aac"}, 400, "response_format", "response_format"),
        ({"response_format": "flac", "stream": True}, 400, "cannot be streamed", "stream"),
        ({"stream_format": "sse"}, 400, "stream_format", "stream_format"),
        ({"instructions": "whisper"}, 400, "instructions is not understood", "instructions"),
        ({"language": "fr"}, 400, "speaks de, en", None),
        ({"voice": "prompt"}, 400, "needs a prompt", "prompt"),
        ({"voice": "prompt", "prompt": "http://example.com/a.wav"}, 400, "needs a prompt", "prompt"),
        ({"voice": "prompt", "prompt": base64.b64encode(b"no sound").decode()}, 400, "no readable audio", None),
        ({"prompt": "AAAA"}, 400, "with no other", "prompt"),
        ({"seed": -1}, 400, "seed", "seed"),
        ({"input": None}, 400, "input", "input"),
    ],
)
def test_mistakes_are_told_in_openais_shape(
    changes: dict, status: int, hint: str, field: str | None, served: Served
) -> None:
    answer = served.say(**changes)
    error = answer.json()["error"]
    assert answer.status_code == status and hint in error["message"], error
    assert error["type"] == "invalid_request_error" and error["param"] == field


def test_bodies_that_are_no_request_are_refused(served: Served) -> None:
    post = served.client.post
    json_type = {"Content-Type": "application/json"}
    assert post("/v1/audio/speech", content=b"{", headers=json_type).status_code == 400
    assert post("/v1/audio/speech", content=b"[1]", headers=json_type).status_code == 400
    assert post("/v1/audio/speech", content=b"\xff", headers=json_type).status_code == 400
    assert post("/v1/audio/speech", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    oversize = post("/v1/audio/speech", content=b" " * (9 * 2**20), headers=json_type)
    assert oversize.status_code == 413 and "8,388,608 bytes" in oversize.json()["error"]["message"]
    assert served.client.get("/v1/nothing").json()["error"]["message"].startswith("GET /v1/nothing")
    assert served.client.get("/health", headers={"Host": "evil.example"}).status_code == 400


def test_voices_models_health_and_metrics(served: Served) -> None:
    get = served.client.get
    assert get("/v1/voices").json()["data"] == [
        {"id": "ann", "object": "voice", "language": "en", "name": "ann", "licence": "CC0", "consent": "her own voice"}
    ]
    assert get("/v1/models").json()["data"][0]["id"] == "tiny"
    assert get("/v1/models/other").status_code == 404
    assert get("/health").json() == {"status": "ok", "model": "tiny", "languages": ["de", "en"]}
    before = served.speaker.figures.requests[200]
    served.say(response_format="wav")
    served.say(voice="nobody")
    text = get("/metrics").text
    assert f'speechgen_requests_total{{status="200"}} {before + 1}' in text
    assert 'speechgen_requests_total{status="404"}' in text and "speechgen_requests_running 0" in text
    assert 'speechgen_first_audio_seconds_bucket{le="+Inf"}' in text
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) >= 0


def test_work_stops_when_the_client_goes(served: Served) -> None:
    gone = served.speaker.figures.gone
    for kind, stream in (("wav", True), ("flac", False)):
        body = {**ASKED, "input": LONG, "response_format": kind, "stream": stream}
        with httpx.Client(base_url=served.address, trust_env=False) as leaving:
            if stream:
                with leaving.stream("POST", "/v1/audio/speech", json=body) as answer:
                    next(answer.iter_raw())
            else:
                with pytest.raises(httpx.ReadTimeout):
                    leaving.post("/v1/audio/speech", json=body, timeout=0.3)
        made = served.speaker.figures.audio_seconds
        served.until(lambda: served.speaker.turns.running == 0)
        assert served.speaker.figures.audio_seconds - made < 20  # the whole text lasts longer
        assert not served.speaker.batcher._lines
    served.until(lambda: served.speaker.figures.gone >= gone + 2)
    assert served.say(response_format="wav").status_code == 200


def test_of_200_at_once_each_is_served_or_told_to_come_back(served: Served, synth: Synthesiser) -> None:
    with serving(synth, running=4, waiting=20) as busy:
        client = httpx.Client(
            base_url=busy.address, trust_env=False, timeout=300, limits=httpx.Limits(max_connections=None)
        )
        body = {**ASKED, "input": "The dog.", "response_format": "wav"}
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(lambda _: client.post("/v1/audio/speech", json=body), range(200)))
        accepted = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code == 503]
        assert len(accepted) + len(refused) == 200 and len(accepted) >= 24 and refused
        whole = len(synth.say("The dog.", voices.find_voice("ann")).wave)
        assert {len(heard(answer.content)[0]) for answer in accepted} == {whole}
        for answer in refused:
            assert 1 <= int(answer.headers["retry-after"]) <= 60 and answer.json()["error"]["code"] == "overloaded"
        assert busy.speaker.turns.most_running == 4 and 1 < busy.speaker.batcher.most_lines <= 4
        assert busy.speaker.turns.running == busy.speaker.turns.present == 0
        client.close()


def test_a_fault_of_the_server_is_told_as_one(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ValueError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(Speaker, "session", failing)
        answer = served.say()
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
    assert "a fault" not in answer.text and served.say().status_code == 200


def test_what_takes_too_long_is_ended(synth: Synthesiser, served: Served) -> None:
    with serving(synth, seconds=0.05) as hasty:
        answer = hasty.say(input=LONG, response_format="flac")
        assert answer.status_code == 504 and "send less text" in answer.json()["error"]["message"]


def test_a_stream_that_takes_too_long_breaks_off(
    synth: Synthesiser, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(*_: object):
        while True:
            yield torch.zeros(100)
            await asyncio.sleep(0.01)

    with serving(synth, seconds=0.5) as hasty:
        monkeypatch.setattr(Speaker, "blocks", endless)
        with pytest.raises(httpx.RemoteProtocolError):
            hasty.say(response_format="wav", stream=True)
        assert hasty.speaker.turns.running == 0
