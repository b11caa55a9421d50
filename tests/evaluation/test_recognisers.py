"""Recognisers and error counts."""

from pathlib import Path

import gradio
import pytest
import torch
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from speechgen.audio.files import read_audio
from speechgen.errors import UserError
from speechgen.evaluation.recognisers import (
    Errors,
    PocketSphinx,
    called,
    count_errors,
    knows_words,
    load_recogniser,
    spoken_words,
)


def test_errors_by_hand():
    assert count_errors("The cat sat.", "the cat sat") == Errors(0, 3, 0, 11)
    # One word wrong, one added: two errors of three words.
    found = count_errors("The cat sat.", "the bat sat down")
    assert (found.word_errors, found.words) == (2, 3)
    assert (found.character_errors, found.characters) == (6, 11)


def test_case_punctuation_hyphens_and_digits_do_not_count():
    assert count_errors("It's a well-known fact: 3 of 4!", "it's a well known fact three of four").word_errors == 0
    assert spoken_words("'Tis the Bären-Haus' roof -- _no_") == "tis the bären haus roof no"


def test_nothing_heard_is_all_wrong():
    found = count_errors("Two words.", "")
    assert (found.word_errors, found.character_errors) == (2, found.characters)


def test_german_is_counted_in_german():
    assert count_errors("Ich habe 3 Äpfel.", "ich habe drei äpfel", "de").word_errors == 0


def test_a_text_with_nothing_to_say_is_refused():
    with pytest.raises(UserError, match="nothing to say"):
        count_errors("...", "hello")


def test_pocketsphinx_hears_the_same_whatever_came_before():
    sphinx = PocketSphinx()
    noise = 0.1 * torch.randn(16000, generator=torch.Generator().manual_seed(0))
    tone = 0.3 * torch.sin(torch.arange(24000) * 0.1)
    first = sphinx.transcribe(noise, 16000)
    sphinx.transcribe(tone, 16000)
    assert sphinx.transcribe(noise, 16000) == first
    assert isinstance(first, str)


def test_pocketsphinx_understands_plain_speech():
    wave, rate = read_audio(Path(gradio.__file__).parent / "media_assets/audio/heath_ledger.mp3")
    text = "If you're good at something, never do it for free."
    assert count_errors(text, PocketSphinx().transcribe(wave, rate)) == Errors(0, 10, 0, 48)


def test_a_listener_reads_its_characters(tiny_models):
    recogniser = load_recogniser(str(tiny_models / "listener"))
    heard = recogniser.transcribe(torch.randn(16000, generator=torch.Generator().manual_seed(0)), 16000)
    assert set(heard) <= {"a"}


def test_whisper_listens_from_a_folder(tmp_path):
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    tokenizer = WhisperTokenizer(vocab={symbol: number for number, symbol in enumerate([*"abcdefgh", *special])})
    WhisperProcessor(WhisperFeatureExtractor(feature_size=8), tokenizer).save_pretrained(tmp_path / "whisper")
    sizes = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 1}
    sizes |= {"decoder_attention_heads": 1, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8, "num_mel_bins": 8}
    ends = {"bos_token_id": 8, "eos_token_id": 8, "pad_token_id": 8, "decoder_start_token_id": 9}
    nothing = {"suppress_tokens": None, "begin_suppress_tokens": None}
    torch.manual_seed(0)
    config = WhisperConfig(vocab_size=13, max_target_positions=12, **sizes, **ends, **nothing)
    model = WhisperForConditionalGeneration(config)
    model.generation_config.max_length = 10
    model.generation_config.suppress_tokens = list(range(8, 13))  # only letters
    model.save_pretrained(tmp_path / "whisper")
    recogniser = load_recogniser(f"whisper:{tmp_path / 'whisper'}")
    wave = torch.randn(8000, generator=torch.Generator().manual_seed(0))
    heard = recogniser.transcribe(wave, 16000)
    assert heard and set(heard) <= set("abcdefgh") and recogniser.transcribe(wave, 16000) == heard
    assert knows_words(recogniser.name) and not knows_words("listener-16k")
    with pytest.raises(UserError, match="holds no config.json"):
        load_recogniser(f"whisper:{tmp_path / 'nowhere'}")


def test_what_is_no_recogniser_is_named(tiny_models):
    with pytest.raises(UserError, match="is no listener"):
        load_recogniser(str(tiny_models / "codec"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("pocketsphinx", "pocketsphinx"),
        ("listener-16k", "listener-16k"),
        ("/somewhere/exp/listener/packed", "listener"),
        ("whisper:/somewhere/whisper-tiny", "whisper:whisper-tiny"),
    ],
)
def test_pages_do_not_name_the_place_of_a_recogniser(name, shown):
    assert called(name) == shown
