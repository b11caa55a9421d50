"""``speechgen serve``: a voice for other programs, over HTTP."""

from typing import Annotated

import typer

from speechgen.cli.demo import LOCAL, RequestThreads
from speechgen.cli.precision import Precision


def serve(
    host: Annotated[str, typer.Option(help="Address to serve on; 0.0.0.0 lets the whole network in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8000,
    model: Annotated[str, typer.Option(help="TTS: a shipped name, a model folder or a run.")] = "starter-tts",
    precision: Precision = "f32",
    threads: RequestThreads = 1,
    running: Annotated[int, typer.Option(min=1, max=256, help="Requests that speak at once, in shared steps.")] = 8,
    waiting: Annotated[int, typer.Option(min=0, max=10_000, help="Requests that wait; any more get a 503.")] = 64,
    characters: Annotated[int, typer.Option(min=1, max=50_000, help="Longest text of a request.")] = 4096,
    seconds: Annotated[float, typer.Option(min=1, help="Longest wait for a turn, and longest turn.")] = 300.0,
    watermark: Annotated[
        bool, typer.Option("--watermark/--no-watermark", help="Mark the audio, inaudibly, as generated.")
    ] = True,
) -> None:
    """Serve OpenAI's POST /v1/audio/speech, and /v1/voices, /v1/models, /health and /metrics; Ctrl-C stops it.

    Clone a voice only with its speaker's consent. There is no password: keep it on this machine, or put it behind a
    server that has one.

    Example: speechgen serve --port 8000
    """
    import socket
    from pathlib import Path

    import torch
    import uvicorn

    from speechgen.errors import UserError
    from speechgen.serving.limits import RequestLimits
    from speechgen.serving.server.app import build_server
    from speechgen.serving.synthesiser import Synthesiser

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()  # before the model is loaded
    except OSError:
        raise UserError(
            f"{host}:{port}: cannot be served there, perhaps something else is; try another --port"
        ) from None
    if host not in LOCAL:
        typer.echo(f"warning: everyone who reaches {host} can use this server; there is no password", err=True)
    torch.set_num_threads(threads)
    limits = RequestLimits(text_characters=characters, running=running, waiting=waiting, seconds=seconds)
    name = Path(model).name
    app = build_server(Synthesiser.load(model, precision), name, limits, watermark, any_host=host not in LOCAL)
    typer.echo(f"http://{host}:{port}/v1 speaks with model {name} (Ctrl-C stops it)")
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
