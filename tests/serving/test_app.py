"""The app as a program sees it over HTTP: what it serves, what it refuses, and that it stays on this machine."""

import json
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from speechgen.audio.files import read_audio
from speechgen.config import make_config
from speechgen.errors import UserError
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.load import save_model
from speechgen.models.wavenet import WaveNetConfig, build_wavenet
from speechgen.serving import app as serving_app
from speechgen.serving.clone import Cloner
from speechgen.serving.comparison import Comparer
from speechgen.serving.limits import Limits
from speechgen.serving.live import PATH, LiveSounds
from speechgen.serving.play import Watcher
from speechgen.serving.synthesiser import Synthesiser
from speechgen.serving.wavenet_tab import Player


class Page:
    """A running app and the addresses that its process connected to meanwhile."""

    def __init__(self, app, address: str, folder: Path, contacted: list):
        self.app, self.folder, self.contacted = app, folder, contacted
        self.client = httpx.Client(base_url=address, timeout=120, trust_env=False)

    def get(self, path: str) -> httpx.Response:
        # Built by hand: a client would tidy "../" away before the server sees it.
        return self.client.send(httpx.Request("GET", self.client.base_url.join(path)))

    def upload(self, name: str, content: bytes) -> httpx.Response:
        return self.client.post("/gradio_api/upload", files={"files": (name, content)})

    def press(self, function: str, *values: object, session: str = "") -> dict:
        """Do what a button does, in a session of its own unless one is given; the server's last message on it."""
        index = next(number for number, made in self.app.fns.items() if made.name == function)
        session = session or uuid.uuid4().hex
        body = {"data": values, "fn_index": index, "session_hash": session}
        self.client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            for line in events.iter_lines():
                if line.startswith("data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                    return message
        raise AssertionError("the server never finished")


def audio(path: str) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def page(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    contacted = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address):
        contacted.append(address)
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch, serving_app.private_folder() as folder:
        patch.setattr(socket.socket, "connect", noted)
        patch.setenv("NO_PROXY", "127.0.0.1")
        synthesiser = Synthesiser.load(tiny_models / "tts")
        cloner = Cloner(synthesiser, folder, Limits(text_characters=60))
        sounds = LiveSounds()
        sizes = {"layers": 2, "cycle": 2, "residual": 8, "skip": 8, "hidden": 16, "condition": 6}
        wavenet = build_wavenet(WaveNetConfig(**sizes, labels={"pitch": ["a", "b"]})).eval()
        player = Player(wavenet, "toy", folder, sounds)
        sizes = {"width": 16, "layers": 1, "heads": 2, "labels": ["a", "b"]}
        config = make_config(GeneratorConfig, {"tokenizer": {"kind": "pixels", "side": 4, "levels": 2}, **sizes})
        generators = tmp_path_factory.mktemp("generators")
        save_model(generators / "toy", config, Generator(config), "# toy\n")
        told = config.model_copy(update={"captions": True})
        save_model(generators / "told", told, Generator(told), "# told\n")
        watcher = Watcher({name: generators / name for name in ("toy", "told")}, folder)
        app = serving_app.build_app(cloner, Comparer(synthesiser.codec, "tiny", folder), player, watcher)
        address = serving_app.launch(app, "127.0.0.1", free_port(), file_megabytes=1, wait=False, sounds=sounds)
        page = Page(app, address, folder, contacted)
        yield page
        page.client.close()
        app.close()
    assert not folder.exists()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def clone_values(prompt: dict | None, text: str = "The lazy dog.", more: list[dict] | None = None) -> list:
    return [text, "en", prompt, more, serving_app.MY_VOICE, "", "en", False, 1, 1.0, 0.7, 1.0, 3, 1, True]


def test_the_page_names_no_other_place(page: Page) -> None:
    html = page.get("/").text
    assert "speechgen" in html
    for elsewhere in ("fonts.googleapis", "fonts.gstatic", "cdnjs", "unpkg"):
        assert elsewhere not in html
        assert elsewhere not in page.get("/theme.css").text


def test_a_prompt_is_uploaded_judged_and_spoken_in(page: Page, prompt_file: Path) -> None:
    path = page.upload("me.wav", prompt_file.read_bytes()).json()[0]
    assert Path(path).is_relative_to(page.folder)
    assert page.press("look_at", audio(path))["output"]["data"][0].startswith("✅ A good prompt")
    done = page.press("clone", *clone_values(audio(path)))
    assert done["success"], done
    report, first, second, *_ = done["output"]["data"]
    assert "x** real time" in report
    served = page.client.get(first["value"]["url"])
    (page.folder / "served.wav").write_bytes(served.content)
    wave, _ = read_audio(page.folder / "served.wav")
    assert wave.square().mean().sqrt() > 1e-3
    assert not second["visible"]
    more = page.upload("more.wav", prompt_file.read_bytes()).json()[0]
    done = page.press("clone", *clone_values(audio(path), more=[audio(more)]))
    assert done["success"] and "x** real time" in done["output"]["data"][0], done


def test_a_recording_is_compared(page: Page, prompt_file: Path) -> None:
    path = page.upload("me.wav", prompt_file.read_bytes()).json()[0]
    done = page.press("compare", audio(path), 0.4)
    assert done["success"], done
    report, original, decoded, picture, table, _ = done["output"]["data"]
    assert "kbit/s" in report and table["data"]
    for file in (original, decoded, picture):
        assert len(page.client.get(file["url"]).content) > 1000


def test_a_wavenet_plays(page: Page) -> None:
    done = page.press("play_wavenet", None, 0.5, 1.0, 1, "a")
    assert done["success"], done
    _, report, picture, saved = done["output"]["data"]
    assert "x** real time" in report and len(page.client.get(picture["value"]["url"]).content) > 1000
    assert len(page.client.get(saved["value"]["url"]).content) == 44 + 2 * 8000
    assert page.get(f"{PATH}passwd").status_code == 404
    refused = page.press("play_wavenet", None, 0.0, 1.0, 1, "a")
    assert not refused["success"] and "less than minimum value 0.5" in refused["output"]["error"]


def test_units_are_watched_as_they_appear(page: Page) -> None:
    done = page.press("watch_units", "toy", "b", 1.0, 1.0, 0, "its own", 0, 3)
    assert done["success"], done
    canvas, order, report, sound, moving, steps = done["output"]["data"]
    assert report == "16 units in 16 steps, seed 3" and not sound["visible"] and not moving["visible"]
    pictures = [canvas, order, *(one["image"] for one in steps["value"])]
    assert len(pictures) == 18 and all(page.client.get(one["url"]).content[1:4] == b"PNG" for one in pictures)
    refused = page.press("watch_units", "toy", "b", 1.0, 1.0, 5, "its own", 0, 3)
    assert not refused["success"] and "draws in one pass" in refused["output"]["error"]


def test_a_captioned_system_takes_what_is_typed(page: Page) -> None:
    session, asked = uuid.uuid4().hex, ("a b", 1.0, 1.0, 0, "its own", 0, 3)
    refused = page.press("watch_units", "toy", *asked)
    assert not refused["success"] and "not in the list of choices" in refused["output"]["error"]
    label, guidance, steps, solver, order_steps = page.press("show_controls", "told", session=session)["output"]["data"]
    assert label["allow_custom_value"] and guidance["visible"]
    assert not (steps["visible"] or solver["visible"] or order_steps["visible"])
    done = page.press("watch_units", "told", *asked, session=session)
    assert done["success"] and done["output"]["data"][2] == "16 units in 16 steps, seed 3", done


@pytest.mark.parametrize(
    ("text", "hint"), [("", "empty"), ("dog " * 20, "80 characters"), ("Собака", "Cyrillic script")]
)
def test_a_mistake_is_told_in_its_one_line(text: str, hint: str, page: Page, prompt_file: Path) -> None:
    path = page.upload("me.wav", prompt_file.read_bytes()).json()[0]
    done = page.press("clone", *clone_values(audio(path), text))
    assert not done["success"] and hint in done["output"]["error"]
    assert str(page.folder) not in done["output"]["error"]


def test_a_fault_of_ours_shows_no_details(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*values: object) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(Cloner, "_voice", fail)
    done = page.press("clone", *clone_values(None))
    assert not done["success"] and "secret" not in json.dumps(done)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "setup.cfg",
        "~/.profile",
        "file:///etc/passwd",
    ],
)
def test_other_files_are_not_served(path: str, page: Page) -> None:
    assert page.get(f"/gradio_api/file={path}").status_code in (403, 404)


def test_other_files_are_no_uploads(page: Page) -> None:
    for path in ("/etc/passwd", "setup.cfg", str(page.folder / ".." / "x.wav")):
        assert not page.press("look_at", audio(path))["success"]


def test_addresses_are_not_fetched(page: Page) -> None:
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen()
        elsewhere.settimeout(0.2)
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/a.wav"
        for route in (f"file={url}", f"file=%20{url}", f"proxy={url}", f"file={url.upper()}"):
            assert page.get(f"/gradio_api/{route}").status_code in (400, 403, 404), route
        for done in (page.press("look_at", audio(url)), page.press("clone", *clone_values(None, more=[audio(url)]))):
            assert not done["success"] and "not fetched" in done["output"]["error"]
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_an_upload_has_a_limit(page: Page) -> None:
    assert page.upload("big.wav", bytes(2 * 2**20)).status_code == 413


def test_nothing_outside_this_machine_was_contacted(page: Page) -> None:
    assert page.contacted
    assert {address[0] for address in page.contacted if isinstance(address, tuple)} <= {"127.0.0.1", "::1"}


def test_a_port_in_use_is_one_line(page: Page) -> None:
    port = page.client.base_url.port
    with pytest.raises(UserError, match=f"127.0.0.1:{port}: cannot be served there.*--port"):
        serving_app.launch(page.app, "127.0.0.1", port, file_megabytes=1, wait=False)
