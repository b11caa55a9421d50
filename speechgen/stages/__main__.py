"""The command behind ``recipes/steps.sh``: ``speechgen-stages run|unknown ...``."""

import argparse
import sys
from pathlib import Path

from speechgen.errors import UserError, nearest
from speechgen.stages.plan import choose, read_stages
from speechgen.stages.processes import CommandFailed
from speechgen.stages.runner import run_stages, show_stages


def main() -> None:
    """Exits with 2 for a mistake of the user's, else with the status of the last command."""
    given = _parser().parse_args()
    status = 0
    try:
        if given.verb == "unknown":
            raise UserError(f"unknown option --{given.option}{nearest(given.option, given.known)}")
        stages = read_stages(given.words)
        chosen = choose(stages, given.stage, given.stop_stage)
        if given.mode == "run":
            run_stages(stages, chosen, Path(given.experiment), given.force)
        else:
            show_stages(stages, chosen, given.force, commands=given.mode == "dry_run")
    except CommandFailed as error:
        status = _complain(given.program, str(error), error.status)
    except UserError as error:
        status = _complain(given.program, str(error))
    except OSError as error:
        status = _complain(given.program, f"{error.filename or 'writing'}: {error.strerror}")
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="speechgen-stages", description="The engine behind recipes/steps.sh.")
    parser.add_argument("--program", default="speechgen-stages", help="whom to blame in messages")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run, list or dry-run the stages of a recipe")
    run.add_argument("--experiment", required=True, help="folder that one run at a time may work in")
    run.add_argument("--stage", default="", help="first stage, by number or name")
    run.add_argument("--stop_stage", default="", help="last stage, by number or name")
    run.add_argument("--mode", choices=["run", "dry_run", "list"], default="run")
    run.add_argument("--force", action="store_true", help="run stages that are done, too")
    run.add_argument("words", nargs=argparse.REMAINDER, help="the counted words of the step lines")
    unknown = verbs.add_parser("unknown", help="say which option was meant, and exit with 2")
    unknown.add_argument("option")
    unknown.add_argument("known", nargs="*")
    return parser


def _complain(program: str, line: str, status: int = 2) -> int:
    sys.stderr.write(f"{program}: error: {line}\n")
    return status


if __name__ == "__main__":
    main()
