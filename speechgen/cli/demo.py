"""``speechgen demo``: the app in the browser."""

import os
from pathlib import Path
from typing import Annotated

import typer

from speechgen.cli.precision import Precision

LOCAL = ("127.0.0.1", "localhost", "::1")
# Requests run in threads of their own. Where each of them asks for two cores of two, every operator waits to be woken:
# a voice then spoke at 1.5 times real time, at 3.2 with one thread a request (bench tts --threads 2 and 1).
RequestThreads = Annotated[int, typer.Option(min=1, help="Threads that each request computes with.")]


def demo(
    host: Annotated[str, typer.Option(help="Address to serve on; 0.0.0.0 lets the whole network in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 7860,
    model: Annotated[str, typer.Option(help="TTS: a shipped name, a model folder or a run.")] = "starter-tts",
    precision: Precision = "f32",
    threads: RequestThreads = 1,
    codec: Annotated[str | None, typer.Option(help="Codec of the Codec tab; the TTS's own if not given.")] = None,
    wavenet: Annotated[
        str | None, typer.Option(help="WaveNet of a third tab: a shipped name, a model folder or a run.")
    ] = None,
    play: Annotated[
        list[Path] | None,
        typer.Option(help="Generator of images, sounds or clips to watch, or a folder of them; again."),
    ] = None,
) -> None:
    """Clone voices and hear codecs in the browser, on this machine; stop it with Ctrl-C.

    Clone a voice only with its speaker's consent.

    Example: speechgen demo --port 7861
    """
    import torch

    from speechgen.evaluation.bits import load_wavenet
    from speechgen.evaluation.coding import load_codec, model_name
    from speechgen.serving.app import build_app, launch, private_folder
    from speechgen.serving.clone import Cloner
    from speechgen.serving.comparison import Comparer
    from speechgen.serving.limits import Limits
    from speechgen.serving.live import LiveSounds
    from speechgen.serving.play import Watcher, find_generators
    from speechgen.serving.synthesiser import Synthesiser
    from speechgen.serving.wavenet_tab import Player, shipped_wavenet

    if host not in LOCAL:
        typer.echo(f"warning: everyone who reaches {host} can use this app; there is no password", err=True)
    # gradio looks at itself once it runs: that must not go through a proxy.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, [os.environ.get("no_proxy"), *LOCAL]))
    torch.set_num_threads(threads)
    limits = Limits()
    synthesiser = Synthesiser.load(model, precision)
    compared = load_codec(codec) if codec else synthesiser.codec
    watched = find_generators(play or [])
    played, sounds = wavenet or shipped_wavenet(), LiveSounds()
    with private_folder() as folder:
        cloner = Cloner(synthesiser, folder, limits)
        comparer = Comparer(compared, model_name(codec or synthesiser.tts.config.codec), folder, limits)
        player = Player(load_wavenet(played), model_name(played), folder, sounds) if played else None
        typer.echo(f"http://{host}:{port} (Ctrl-C stops it)")
        watcher = Watcher(watched, folder) if watched else None
        launch(
            build_app(cloner, comparer, player, watcher), host, port, limits.file_megabytes, wait=True, sounds=sounds
        )
