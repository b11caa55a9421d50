"""The app's WaveNet tab: a sound of chosen labels, or a recording made anew, heard while it is generated."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import torch
import yaml

from speechgen.audio.files import write_audio
from speechgen.audio.pictures import spectrogram_png
from speechgen.errors import UserError
from speechgen.models.load import PRETRAINED, shipped
from speechgen.models.told import frames_of_recording, samples_of
from speechgen.models.wavenet import WaveNet
from speechgen.models.wavenet_generate import generate
from speechgen.serving.live import LiveSounds

ANY = "any"  # a label that is left to chance
MOST_SECONDS = 20.0


def shipped_wavenet() -> str | None:
    """The name of a WaveNet that came with the package; one of labels rather than a vocoder."""
    configs = {
        name: yaml.safe_load((PRETRAINED / name / "config.yaml").read_text(encoding="utf-8")) for name in shipped()
    }
    names = [name for name, config in configs.items() if config.get("kind") == "wavenet"]
    return min(names, key=lambda name: bool(configs[name].get("mel")), default=None)


@dataclass(frozen=True)
class Progress:
    """What to show now: where the sound is served, what to tell, and, at the end, the file and its picture."""

    address: str
    report: str
    wave: Path | None = None
    picture: Path | None = None


class Player:
    """Plays a WaveNet; finished sounds are put into files in ``folder``."""

    def __init__(self, model: WaveNet, name: str, folder: Path, sounds: LiveSounds):
        self.model, self.name, self.folder, self.sounds = model, name, folder, sounds

    def play(
        self, labels: dict[str, str], recording: str | None, seconds: float, temperature: float, seed: int
    ) -> Iterator[Progress]:
        """Generate, telling several times a second how it goes. Raises UserError for what cannot be made."""
        frames = None
        if self.model.config.mel:
            if not recording:
                raise UserError("Record or upload something first.")
            frames = frames_of_recording(self.model, Path(recording), resample=True)
        rate, hop = self.model.config.sample_rate, self.model.condition.hold
        longest = frames.shape[-1] * hop / rate if frames is not None else MOST_SECONDS
        samples = samples_of(self.model, min(seconds, longest, MOST_SECONDS))
        chosen = {kind: name for kind, name in labels.items() if name != ANY}
        chunks = generate(self.model, samples, chosen, frames, temperature=temperature, seed=seed)
        sound, address = self.sounds.open(rate, samples)
        made, began = [], time.perf_counter()
        try:
            for chunk in chunks:
                made.append(chunk[0])
                sound.add(chunk[0])
                done = sum(map(len, made)) / rate
                yield Progress(address, f"{done:.1f} of {samples / rate:.1f} s")
        finally:
            sound.end()
        wave, speed = torch.cat(made), samples / rate / (time.perf_counter() - began)
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        told = "-".join(chosen.values()) or "sound"
        file, picture = folder / f"{told}-{seed}.wav", folder / f"{told}-{seed}.png"
        write_audio(file, wave, rate)
        picture.write_bytes(spectrogram_png(wave, rate))
        yield Progress(address, f"{samples / rate:.1f} s at **{speed:.1f}x** real time", file, picture)


def wavenet_tab(player: Player, told: Callable, files_only: Callable) -> None:
    """Build the tab. ``told`` shows a user's mistake in its one line; ``files_only`` refuses addresses as uploads."""
    config = player.model.config
    gr.Markdown(f"`{player.name}` draws {config.sample_rate:,} samples a second, each given all before it.")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            recording = files_only(
                gr.Audio(sources=["upload", "microphone"], type="filepath", label="A recording to make anew from its "
                         "spectrogram", buttons=[], visible=bool(config.mel), elem_id="wavenet-recording")
            )  # fmt: skip
            kinds = [
                gr.Dropdown([ANY, *names], value=names[0], label=kind.capitalize(), elem_id=f"wavenet-{kind}")
                for kind, names in config.labels.items()
            ]
        with gr.Column(scale=6):
            seconds = gr.Slider(0.5, MOST_SECONDS, 3, step=0.5, label="Seconds", elem_id="wavenet-seconds")
            with gr.Row():
                heat = gr.Slider(0, 1.5, 1.0, step=0.05, label="Temperature", info="More: livelier")
                seed = gr.Number(1, label="Seed", info="The same again, or another", precision=0, minimum=0)
            button = gr.Button("Play", variant="primary", elem_id="wavenet-play")
    sound = gr.HTML(elem_id="wavenet-sound")
    report = gr.Markdown(elem_id="wavenet-report")
    picture = gr.Image(show_label=False, container=False, interactive=False, visible=False, buttons=[],
                       elem_classes="picture", elem_id="wavenet-picture")  # fmt: skip
    saved = gr.DownloadButton("Save this sound", visible=False, size="sm", elem_id="wavenet-save")

    def play_wavenet(recording, seconds, heat, seed, *names):
        labels = dict(zip(config.labels, names, strict=True))
        shown = ""
        for now in player.play(labels, recording, float(seconds), float(heat), int(seed or 0)):
            # The player is put there once: anew, it would begin again.
            html = gr.skip() if shown == now.address else f'<audio controls autoplay src="{now.address}"></audio>'
            shown = now.address
            done = now.wave is not None
            yield (
                html, now.report, gr.update(value=str(now.picture) if done else None, visible=done),
                gr.update(value=str(now.wave) if done else None, visible=done),
            )  # fmt: skip

    button.click(
        told(play_wavenet), [recording, seconds, heat, seed, *kinds], [sound, report, picture, saved],
        concurrency_limit=1, show_progress="hidden", api_visibility="private",
    )  # fmt: skip
