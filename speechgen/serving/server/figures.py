"""What the server counts, in the text format that Prometheus reads (exposition format 0.0.4)."""

from collections import Counter

FIRST_AUDIO_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Figures:
    """Counts of one server, all changed in its event loop."""

    def __init__(self):
        self.requests: Counter[int] = Counter()  # by HTTP status
        self.gone = 0
        self.audio_seconds = 0.0
        self._first_audio: list[int] = [0] * (len(FIRST_AUDIO_SECONDS) + 1)
        self._first_audio_sum = 0.0

    def first_audio(self, seconds: float) -> None:
        """A request's first samples came so many seconds after its turn."""
        place = sum(seconds > bound for bound in FIRST_AUDIO_SECONDS)
        self._first_audio[place] += 1
        self._first_audio_sum += seconds

    def text(self, running: int, waiting: int) -> str:
        """All of it, with what is going on now."""
        lines = _metric("requests_total", "counter", "Requests for speech answered, by HTTP status.")
        lines += [f'speechgen_requests_total{{status="{s}"}} {n}' for s, n in sorted(self.requests.items())]
        for name, kind, told, value in (
            ("requests_running", "gauge", "Requests that speak now.", running),
            ("requests_waiting", "gauge", "Requests that wait for their turn.", waiting),
            ("clients_gone_total", "counter", "Requests whose client left before the end.", self.gone),
            ("audio_seconds_total", "counter", "Seconds of speech made.", round(self.audio_seconds, 3)),
        ):
            lines += [*_metric(name, kind, told), f"speechgen_{name} {value}"]
        lines += _metric("first_audio_seconds", "histogram", "Seconds from a request's turn to its first samples.")
        total = 0
        for bound, count in zip((*FIRST_AUDIO_SECONDS, "+Inf"), self._first_audio, strict=True):
            total += count
            lines.append(f'speechgen_first_audio_seconds_bucket{{le="{bound}"}} {total}')
        lines.append(f"speechgen_first_audio_seconds_sum {self._first_audio_sum:.6f}")
        lines.append(f"speechgen_first_audio_seconds_count {total}")
        return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, told: str) -> list[str]:
    return [f"# HELP speechgen_{name} {told}", f"# TYPE speechgen_{name} {kind}"]
