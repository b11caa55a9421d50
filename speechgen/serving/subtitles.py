"""When each chunk of a text is heard, as a subtitle file."""

from collections.abc import Iterable

from speechgen.serving.session import Span


def to_srt(spans: Iterable[Span]) -> str:
    """SubRip: numbered blocks of times and text, with commas before the milliseconds."""
    return "".join(
        f"{number}\n{_time(span.start)} --> {_time(span.end)}\n{span.text}\n\n"
        for number, span in enumerate(spans, start=1)
    )


def _time(seconds: float) -> str:
    whole, milliseconds = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{milliseconds:03d}"
