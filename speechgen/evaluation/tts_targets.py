"""What a voice that people would use reaches, beside what was measured: words, voice, sound and speed."""

from speechgen.evaluation.recognisers import called, knows_words

MOST_ERRORS = {"wer": 1.1, "cer": 1.3}  # in speech as a multiple of those in the recordings
NAMES = {"wer": "word error rate", "cer": "character error rate"}
LEAST_CLOSER, LEAST_FIRST = 0.8, 0.5  # of speakers; of sentences, where speakers are new to the model
MOST_DNSMOS_LOST = 0.4
LEAST_X_REAL_TIME, MOST_FIRST_AUDIO = 6.0, 0.2  # the latter in seconds


def tts_targets(corpora: list[dict], together: dict) -> list[dict]:
    """A line for each target that the corpora of a report can tell of.

    Words count where a recogniser understands the recordings. Characters, and whose voice it is, where there are
    several speakers; of a listener that understands little of their recordings the line says so.
    """
    lines = []
    for corpus in corpora:
        name, several = corpus["name"], corpus["speakers"] > 1
        for recogniser, heard in corpus["recognisers"].items():
            kind = "wer" if knows_words(recogniser) else "cer"
            ratio = (heard.get(f"{kind}_ratio") or {}).get("speech")
            counts = heard["understands"] if kind == "wer" else several
            if ratio and counts:
                doubt = "" if heard["understands"] else ", which understands little of them"
                what = f"{name}: {NAMES[kind]} of speech / of recordings ({called(recogniser)}{doubt})"
                lines.append(_target(what, "at most", MOST_ERRORS[kind], ratio, heard["n"]))
        if several and corpus["first"]["speech"]:
            what = f"{name}: sentences more like their own speaker than like any other"
            lines.append(_target(what, "at least", LEAST_FIRST, corpus["first"]["speech"], corpus["n"]))
        if corpus["dnsmos_lost"]:
            what = f"{name}: DNSMOS below the recordings by"
            lines.append(_target(what, "at most", MOST_DNSMOS_LOST, corpus["dnsmos_lost"], corpus["n"]))
    if together["closer"]:
        share = together["closer"]
        what = "speakers whose speech is closer to them than to a random other"
        lines.append(_target(what, "at least", LEAST_CLOSER, share, share["n"]))
    if together["x_real_time"]:
        count = sum(corpus["n"] for corpus in corpora)
        fast = {"mean": together["x_real_time"], "ci95": None}
        lines.append(_target("x real time", "at least", LEAST_X_REAL_TIME, fast, count))
        first = {"mean": together["first_audio"], "ci95": None}
        lines.append(_target("median seconds to first audio", "at most", MOST_FIRST_AUDIO, first, count))
    return lines


def _target(what: str, bound: str, value: float, measured: dict, count: int) -> dict:
    met = measured["mean"] <= value if bound == "at most" else measured["mean"] >= value
    return {"what": what, "bound": bound, "target": value, "measured": measured, "n": count, "met": met}
