"""``speechgen doctor``: what this machine has, what is missing, and how to get it."""

import importlib.metadata
import os
import platform
import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

SHIPPED = ("listener-16k", "speech-16k", "starter-tts")
TOOLS = (  # (programs, any of which will do; what for; Debian's packages)
    (("opusenc",), "Opus as a baseline", "opus-tools"),
    (("c2enc",), "Codec2 as a baseline", "codec2"),
    (("ffmpeg",), "converting video and rare formats; nothing here needs it", "ffmpeg"),
    (("chromium", "chromium-browser", "google-chrome"), "the browser test of the app", "chromium"),
    (("chromedriver",), "the browser test of the app", "chromium-driver"),
    (("cc", "gcc", "clang"), "building pesq and webrtcvad, of the extra [eval]", "build-essential python3-dev"),
)
LOW_DISK = 2e9  # bytes
PAIRING = (
    "torchaudio works only with the torch build it was made for: install both from one index, "
    "e.g. pip install --force-reinstall torch==2.11.* torchaudio==2.11.* (a CPU-only torch from another index "
    "does not pair with PyPI's torchaudio)"
)


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``advice`` is empty where all is well."""

    what: str
    found: str
    advice: str = ""
    required: bool = False

    @property
    def state(self) -> str:
        if not self.advice:
            return "ok"
        return "broken" if self.required else "optional"


def doctor() -> None:
    """Look at Python, packages, models, tools and machine; exits with 1 when something required is broken.

    Example: speechgen doctor
    """
    from rich.console import Console
    from rich.table import Table

    findings = [*packages(), *extras(), *models(), *tools(), *machine()]
    table = Table("what", "state", "found", "how to get it")
    colours = {"ok": "green", "optional": "yellow", "broken": "red"}
    for finding in findings:
        state = f"[{colours[finding.state]}]{finding.state}[/]"
        table.add_row(finding.what, state, finding.found, finding.advice.replace("[", r"\["))
    Console().print(table)
    broken = [finding.what for finding in findings if finding.state == "broken"]
    if broken:
        typer.echo(f"broken: {', '.join(broken)}")
        raise typer.Exit(1)
    typer.echo("all that is required works")


def packages() -> Iterator[Finding]:
    """Python, and every required package with its version; torch and torchaudio are imported as a pair."""
    yield Finding("Python", platform.python_version())
    wrong = unmet("")
    advice = f"pip install {' '.join(repr(name) for name in wrong)}" if wrong else ""
    yield Finding("required packages", "some missing or of another version" if wrong else "all", advice, required=True)
    try:
        import torch
        import torchaudio
    except (ImportError, OSError) as error:  # an undefined symbol is an OSError
        yield Finding("torch and torchaudio", " ".join(str(error).split())[:100], PAIRING, required=True)
        return
    versions = f"{torch.__version__} and {torchaudio.__version__}"
    paired = torch.__version__.split(".")[:2] == torchaudio.__version__.split(".")[:2]
    yield Finding("torch and torchaudio", versions, "" if paired else PAIRING, required=True)
    if torch.cuda.is_available():
        facts = torch.cuda.get_device_properties(0)
        yield Finding("GPU", f"{torch.cuda.device_count()} x {facts.name}, {facts.total_memory / 2**30:.0f} GiB")
    else:
        yield Finding("GPU", "none; everything runs on the CPU")


def extras() -> Iterator[Finding]:
    """The optional sets of packages."""
    g2p = "phonemes and the mini corpus; GPL-3"
    purposes = {"eval": "metrics", "g2p": g2p, "export": "codecs as ONNX", "lora": "adapters", "dev": "tests"}
    for extra, purpose in purposes.items():
        wrong = unmet(extra)
        advice = f"pip install 'speechgen[{extra}]' ({', '.join(wrong)})" if wrong else ""
        yield Finding(f"extra [{extra}]".replace("[", r"\["), purpose, advice)


def unmet(extra: str) -> list[str]:
    """Requirements of an extra, or of the package itself for "", that are missing or of another version."""
    from packaging.requirements import Requirement

    wrong = []
    for line in importlib.metadata.requires("speechgen") or []:
        requirement = Requirement(line)
        of_extra = "extra" in str(requirement.marker or "")
        if of_extra != bool(extra) or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name}{requirement.specifier}")
    return wrong


def models() -> Iterator[Finding]:
    """The models that come with the package, each loaded once."""
    from speechgen.errors import UserError
    from speechgen.models.load import load
    from speechgen.tokenizers.codec import Codec

    for name in SHIPPED:
        try:
            model = load(name)
            parameters = sum(weight.numel() for weight in model.parameters())
            delay = f", {1000 * model.config.latency:g} ms delay" if isinstance(model, Codec) else ""
            yield Finding(f"model {name}", f"{parameters / 1e6:.1f} M parameters{delay}")
        except UserError as error:
            yield Finding(
                f"model {name}", str(error), "install the package again, or pull the repository", required=True
            )


def tools() -> Iterator[Finding]:
    """Programs that are used when they are there."""
    for programs, purpose, package in TOOLS:
        found = next(filter(None, map(shutil.which, programs)), None)
        advice = "" if found else f"apt-get install {package}"
        yield Finding(programs[0], found or f"for {purpose}", advice)
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    yield Finding("Python.h", "for the same builds", "" if header.exists() else "apt-get install python3-dev")


def machine() -> Iterator[Finding]:
    """Cores, memory and disk."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Finding("cores", str(cores))
    yield Finding("memory", f"{memory / 2**30:.1f} GiB")
    free = shutil.disk_usage(".").free
    yield Finding(
        "free disk here",
        f"{free / 1e9:.1f} GB",
        "make room: a corpus and its dump need more" if free < LOW_DISK else "",
    )
