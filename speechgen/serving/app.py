"""The Gradio app: clone a voice, and hear what a codec does. Local only, and nothing of it reaches outside."""

import functools
import inspect
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
from gradio_client.utils import is_http_url_like
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from speechgen.errors import UserError
from speechgen.models.lines import Drawing, settled
from speechgen.serving.clone import Asked, Cloner
from speechgen.serving.codec_tab import codec_tab
from speechgen.serving.comparison import Comparer
from speechgen.serving.dub import Dubber
from speechgen.serving.dub_tab import dub_tab
from speechgen.serving.live import LiveSounds, ServeLive
from speechgen.serving.play import Watcher
from speechgen.serving.play_tab import play_tab
from speechgen.serving.wavenet_tab import Player, wavenet_tab

LANGUAGES = {"en": "English", "de": "German"}
EXAMPLES = {
    "en": [
        "The north wind and the sun were arguing which of them was stronger.",
        "On May 3rd, 1999, at 7:45, Dr. Smith paid $12.50 for three small notebooks.",
        "Please call me back before noon. It is about the house by the river!",
    ],
    "de": ["Einst stritten sich Nordwind und Sonne, wer von ihnen beiden wohl der Stärkere wäre."],
}
MY_VOICE = "my recording"
CSS = """
.gradio-container { width: 100%; max-width: 1180px !important; margin: 0 auto !important; }
#title h1 { margin: 0.4rem 0 0; font-size: 1.6rem; }
#title p, #consent p { color: var(--body-text-color-subdued); margin: 0.15rem 0 0; }
#consent p { font-size: 0.85rem; }
#picture img, #difference img { background: white; border-radius: 6px; }
#report th { white-space: nowrap; }
#play-canvas img, #play-order img { max-height: 24rem; object-fit: contain; }
#play-canvas .icon-button-wrapper, #play-order .icon-button-wrapper { display: none; }
"""


def theme() -> gr.themes.Base:
    """Quiet colours, and fonts that every machine has, so that none is fetched."""
    sans, mono = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
    return gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=sans, font_mono=mono)


def build_app(
    cloner: Cloner, comparer: Comparer, player: Player | None = None, watcher: Watcher | None = None
) -> gr.Blocks:
    """The page with its tabs; build it inside ``private_folder``."""
    with gr.Blocks(title="speechgen", analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        gr.Markdown(
            "# speechgen\nA voice from a few seconds of speech, and what a codec does to sound.", elem_id="title"
        )
        with gr.Tab("Clone"):
            _clone_tab(cloner)
        with gr.Tab("Dub"):
            dub_tab(Dubber(cloner.synthesiser, cloner.folder, cloner.limits), LANGUAGES, _told, _files_only)
        with gr.Tab("Codec"):
            codec_tab(comparer, _told, _files_only)
        if player is not None:
            with gr.Tab("WaveNet"):
                wavenet_tab(player, _told, _files_only)
        if watcher is not None:
            with gr.Tab("Play"):
                play_tab(watcher, _told)
        gr.Markdown(
            "Clone a voice only with its speaker's consent. Speech is marked, inaudibly, as generated. Everything "
            "stays on this machine, and uploads and results are deleted when the app stops.",
            elem_id="consent",
        )
    app.queue(max_size=cloner.limits.waiting, default_concurrency_limit=1, api_open=False)
    return app


def launch(
    app: gr.Blocks, host: str, port: int, file_megabytes: int, wait: bool, sounds: LiveSounds | None = None
) -> str:
    """Serve the app and its live ``sounds``, until it is interrupted if ``wait``; returns its address.

    Raises UserError for a port in use.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()  # gradio half launches before it finds a port in use
        _, address, _ = app.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=not wait,
            share=False,
            quiet=True,
            inbrowser=False,
            show_error=False,
            footer_links=[],
            run_history=False,
            pwa=False,
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            max_file_size=file_megabytes * 2**20,
            app_kwargs={"middleware": [Middleware(LocalFilesOnly), Middleware(ServeLive, sounds or LiveSounds())]},
            theme=theme(),
            css=CSS,
        )
    except OSError:
        raise UserError(
            f"{host}:{port}: cannot be served there, perhaps something else is; try another --port"
        ) from None
    return address


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for uploads and results that only this app serves from, and that is gone afterwards.

    Gradio reads from the environment where its files go, so that is set meanwhile.
    """
    name, before = "GRADIO_TEMP_DIR", os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="speechgen-demo-") as folder:
        os.environ[name] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop(name)
            if before is not None:
                os.environ[name] = before


class LocalFilesOnly:
    """Refuses the routes by which gradio would fetch an address for a visitor."""

    FETCHING = re.compile(r"/proxy=|/file=\s*\w+://", re.IGNORECASE)

    def __init__(self, app: Callable):
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http" and self.FETCHING.search(scope["path"]):
            await PlainTextResponse("no addresses, only files", 404)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _clone_tab(cloner: Cloner) -> None:
    languages = [(LANGUAGES.get(code, code), code) for code in cloner.synthesiser.languages]
    first = "en" if "en" in cloner.synthesiser.languages else cloner.synthesiser.languages[0]
    limits, drawing = cloner.limits, settled(cloner.synthesiser.tts.config, Drawing())
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            prompt = _files_only(
                gr.Audio(sources=["upload", "microphone"], type="filepath", label="Prompt: 3 s or more of clear speech",
                         buttons=[], elem_id="prompt")
            )  # fmt: skip
            verdict = gr.Markdown(elem_id="verdict")
            voices = [MY_VOICE, *cloner.voices()]  # a shipped voice speaks at once; a recording takes its place
            voice = gr.Dropdown(voices, value=voices[min(1, len(voices) - 1)], label="Voice", elem_id="voice")
            more = _files_only(
                gr.File(label="More recordings of the same voice (optional)", file_count="multiple", type="filepath",
                        file_types=["audio"], height=170, elem_id="more")
            )  # fmt: skip
            transcript = gr.Textbox(
                label="What the prompt says (optional)", lines=2, max_lines=6, max_length=4000, elem_id="transcript",
                placeholder="Word for word: the voice is copied closer. Of several recordings, a line each.",
            )  # fmt: skip
            adapt = gr.Checkbox(
                False, label="Adapt", info="Learns the voice first, some 15 seconds: much closer. Needs the words.",
                elem_id="adapt",
            )  # fmt: skip
            prompt_language = gr.Radio(
                languages, value=first, label="Language of the prompt", elem_id="prompt_language"
            )
        with gr.Column(scale=6):
            text = gr.Textbox(
                label="Text to say", lines=4, max_lines=10, max_length=limits.text_characters, elem_id="text",
                placeholder=f"Up to {limits.text_characters:,} characters.",
            )  # fmt: skip
            language = gr.Radio(languages, value=first, label="Language of the text", elem_id="language")
            examples = [[line, code] for _, code in languages for line in EXAMPLES.get(code, [])]
            if examples:
                gr.Examples(examples, [text, language], label="Examples", cache_examples=False)
            with gr.Accordion("Settings", open=False):
                with gr.Row():
                    steps = gr.Slider(1, limits.steps, drawing.steps, step=1, label="Steps", info="More: finer, slower")
                    guidance = gr.Slider(
                        1, 4, drawing.guidance, step=0.1, label="Guidance", info="More: closer to the text"
                    )
                with gr.Row():
                    heat = gr.Slider(0, 1.5, drawing.temperature, step=0.05, label="Temperature", info="More: livelier")
                    speed = gr.Slider(0.5, 2, drawing.speed, step=0.05, label="Speed", info="2 is twice as fast")
                with gr.Row():
                    seed = gr.Number(0, label="Seed", info="The same again, or another", precision=0, minimum=0)
                    takes = gr.Slider(1, limits.takes, 1, step=1, label="Takes", info="With seed, seed + 1, ...")
                guard = gr.Checkbox(
                    True, label="Guard", info="Listens to each chunk, and says it again where words went wrong",
                    elem_id="guard",
                )  # fmt: skip
            button = gr.Button("Speak", variant="primary", elem_id="speak")
    report = gr.Markdown(elem_id="report")
    players, pictures = [], []
    for number in range(1, limits.takes + 1):
        label = "Speech" if number == 1 else f"Take {number}"
        players.append(gr.Audio(label=label, type="filepath", interactive=False, visible=number == 1,
                                buttons=["download"], elem_id=f"take-{number}"))  # fmt: skip
        pictures.append(gr.Image(show_label=False, container=False, interactive=False, visible=False, buttons=[],
                                 elem_classes="picture", elem_id="picture" if number == 1 else None))  # fmt: skip
    saved = gr.DownloadButton("Save this voice", visible=False, size="sm", elem_id="save-voice")

    def clone(
        text, language, prompt, more, voice, transcript, prompt_language, adapt,
        steps, guidance, heat, speed, seed, takes, guard,
    ):  # fmt: skip
        asked = Asked(
            text or "", language, prompt, "" if voice == MY_VOICE else voice, transcript or "", prompt_language,
            Drawing(int(steps), float(guidance), float(heat), float(speed)), int(seed or 0), int(takes),
            bool(guard), tuple(more or ()), bool(adapt),
        )  # fmt: skip
        made = cloner.clone(asked)
        unused = [gr.update(value=None, visible=False)] * (limits.takes - len(made.waves))
        shown = [gr.update(value=str(wave), visible=True) for wave in made.waves]
        drawn = [gr.update(value=str(picture), visible=True) for picture in made.pictures]
        return [made.report, *shown, *unused, *drawn, *unused, gr.update(value=str(made.voice), visible=True)]

    spoken = [steps, guidance, heat, speed, seed, takes, guard]
    asked = [text, language, prompt, more, voice, transcript, prompt_language, adapt, *spoken]
    button.click(
        _told(clone), asked, [report, *players, *pictures, saved], concurrency_limit=1, api_visibility="private"
    )
    prompt.change(_told(cloner.look_at), prompt, verdict, show_progress="hidden", api_visibility="private")
    gr.on([prompt.upload, prompt.stop_recording, more.upload], lambda: MY_VOICE, None, voice, show_progress="hidden",
          api_visibility="private")  # fmt: skip


def _told(function: Callable) -> Callable:
    """The function, with a user's mistake shown as the one line that says the way out."""

    @functools.wraps(function)
    def wrapper(*values):
        with _shown():
            return function(*values)

    @functools.wraps(function)
    def each(*values):
        with _shown():
            yield from function(*values)

    return each if inspect.isgeneratorfunction(function) else wrapper


@contextmanager
def _shown() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise gr.Error(str(error), title="That did not work", print_exception=False) from None


def _files_only(component: gr.Audio | gr.File) -> gr.Audio | gr.File:
    """The component, refusing an address in place of an uploaded file: gradio would fetch it."""
    move = component.async_move_resource_to_block_cache

    async def move_file(path):
        if path is not None and is_http_url_like(str(path)):
            raise gr.Error("Upload a file; addresses are not fetched.", print_exception=False)
        return await move(path)

    component.async_move_resource_to_block_cache = move_file
    return component
