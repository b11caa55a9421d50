"""What a data directory holds, in a few lines."""

from collections import Counter

from speechgen.audio.files import AudioError, read_audio_info
from speechgen.data.kaldi import DataDir


def summarise(data_dir: DataDir) -> dict[str, str]:
    """Facts by name: utterances, hours, speakers, languages, words, sample rates. Reads the files' headers only."""
    seconds: list[float] = []
    rates: Counter[int] = Counter()
    unread = 0
    for utterance in data_dir.utterances:
        try:
            header = read_audio_info(utterance.path)
        except AudioError:
            unread += 1
            continue
        segment = utterance.segment
        seconds.append(segment.end - segment.start if segment else header.seconds)
        rates[header.sample_rate] += 1
    languages = Counter(utterance.language for utterance in data_dir.utterances)
    words = sum(len(utterance.text.split()) for utterance in data_dir.utterances)
    facts = {
        "utterances": f"{len(data_dir.utterances)}",
        "hours": f"{sum(seconds) / 3600:.2f}",
        "speakers": f"{len({utterance.speaker for utterance in data_dir.utterances})}",
        "languages": ", ".join(f"{language} ({count})" for language, count in languages.most_common()),
        "words": f"{words}",
        "sample rates": ", ".join(f"{rate} Hz ({count})" for rate, count in rates.most_common()),
    }
    if seconds:
        longest = f"{min(seconds):.2f} to {max(seconds):.2f} s, {sum(seconds) / len(seconds):.2f} s on average"
        facts["duration"] = longest
    if unread:
        facts["unreadable"] = f"{unread}; run 'speechgen data check'"
    return facts
