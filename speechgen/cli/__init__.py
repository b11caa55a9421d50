"""The verbs of the command line. Nothing here imports torch: each verb does when it runs."""

import errno
import sys
from typing import NoReturn

import typer

from speechgen.cli import (
    bench,
    codec,
    codec_ablate,
    codec_eval,
    codec_tools,
    data,
    demo,
    doctor,
    dump,
    dump_units,
    grid,
    image,
    journal,
    listener,
    pack,
    say,
    serve,
    sound,
    systems,
    toy,
    train,
    tts,
    tts_compare,
    video,
    voice,
    watermark,
    wavenet,
)
from speechgen.errors import UserError

app = typer.Typer(
    help="Generate speech: train codecs and voices, and speak with them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
VERBS = (train.train, say.say, pack.pack, demo.demo, serve.serve, doctor.doctor, systems.systems, grid.grid)
for verb in (*VERBS, journal.journal):
    app.command()(verb)
dump.app.command()(dump_units.units)
codec.app.command()(codec_eval.generate)
codec.app.command()(codec_eval.score)
codec.app.command("eval")(codec_eval.evaluate)
codec.app.command()(codec_tools.fit_entropy)
codec.app.command()(codec_tools.export)
codec.app.command()(codec_ablate.ablate)
tts.app.command()(tts_compare.compare)
for family in (data, dump, codec, listener, tts, wavenet, image, sound, video, voice, watermark, bench, toy):
    app.add_typer(family.app, name=family.__name__.rpartition(".")[2])

# What a full disk, a read-only folder, a used-up quota, a file in a folder's place or a folder that cannot be made look
# like: the user's to solve, not a fault of the program.
PLACE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
PLACE_ERRORS += (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT)


def main() -> None:
    """Run the command line; a mistake of the user's prints one line and exits with 2."""
    try:
        status = app(prog_name="speechgen", standalone_mode=False)
    except UserError as error:
        _fail(str(error))
    except typer.TyperException as error:
        if not error.format_message():  # no verb given: the help has been printed
            sys.exit(2)
        context = getattr(error, "ctx", None)
        hint = f"; see '{context.command_path} --help'" if context else ""
        _fail(error.format_message().rstrip(".") + hint)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except OSError as error:
        if error.errno not in PLACE_ERRORS:
            raise
        _fail(f"{error.filename or 'writing'}: {error.strerror}")
    sys.exit(status if isinstance(status, int) else 0)


def _fail(line: str) -> NoReturn:
    typer.echo(f"speechgen: error: {' '.join(line.split())}", err=True)
    sys.exit(2)
