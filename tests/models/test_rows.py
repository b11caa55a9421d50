"""From segments to rows: crops, whole steps, what each frame is told."""

import numpy as np
import pytest
import torch

from speechgen.models.arrange import make_rows
from speechgen.models.rows import Segment, symbol_numbers
from speechgen.models.tts_config import UNKNOWN


def segment(durations: list[int], width: int = 6, codes: bool = False, seed: int = 0) -> Segment:
    draw = torch.Generator().manual_seed(seed)
    frames = sum(durations)
    units = torch.randint(8, (frames, 3), generator=draw) if codes else torch.randn(frames, width, generator=draw)
    return Segment(units, np.arange(1, 1 + len(durations)), np.array(durations))


@pytest.mark.parametrize(("start", "frames"), [(0, 9), (0, 2), (2, 1), (3, 4), (8, 1)])
def test_a_crop_has_the_symbols_that_its_frames_touch(start, frames):
    whole = segment([2, 1, 3, 3])
    cropped = whole.crop(start, frames)
    position = np.repeat(whole.symbols, whole.durations)[start : start + frames]
    assert np.array_equal(np.repeat(cropped.symbols, cropped.durations), position)
    assert torch.equal(cropped.units, whole.units[start : start + frames])
    assert cropped.frames == frames and (cropped.durations > 0).all()


def test_the_last_frame_fills_a_step():
    whole = segment([2, 3]).whole_steps(2)
    assert whole.frames == 6 and whole.durations.tolist() == [2, 4]
    assert torch.equal(whole.units[5], whole.units[4])
    even = segment([2, 2])
    assert even.whole_steps(2) is even
    blank = Segment(None, np.array([1]), np.array([3])).whole_steps(2)
    assert blank.units is None and blank.frames == 4


def test_unknown_symbols_have_one_number(make_tts):
    config = make_tts().config
    numbers = symbol_numbers(config, [" ", "a", "ʒ", "h"])
    assert numbers.tolist() == [1, 2, UNKNOWN, 9]
    hidden = segment([2, 3]).unknown()
    assert hidden.symbols.tolist() == [UNKNOWN] and hidden.durations.tolist() == [5]


def test_what_each_frame_is_told(make_tts):
    rows = make_rows(make_tts(), [(None, segment([2, 4]))], ["en"])
    assert rows.positions.tolist() == [[[0, 0], [1, 1], [1, 1]]]
    features = rows.features[0].reshape(-1, 3)
    assert features[:, 0].tolist() == pytest.approx([0.25, 0.75, 0.125, 0.375, 0.625, 0.875])
    assert features[:, 1].tolist() == pytest.approx([0.0, 0.1, 0.0, 0.1, 0.2, 0.3])
    assert features[:, 2].tolist() == pytest.approx([np.log(2) / 3] * 2 + [np.log(4) / 3] * 4)
    assert (rows.prompt_steps.tolist(), rows.steps.tolist(), rows.languages.tolist()) == ([0], [3], [1])
    assert rows.target_symbols.tolist() == [[True, True]] and rows.known.tolist() == [False]


def test_a_prompt_comes_first(make_tts):
    prompt, target = segment([3, 1], seed=1), segment([2, 2], seed=2)
    rows = make_rows(make_tts(), [(prompt, target)], ["de"])
    assert (rows.prompt_steps.tolist(), rows.steps.tolist()) == ([2], [4])
    assert torch.equal(rows.values[0].reshape(-1, 6), torch.cat([prompt.units, target.units]))
    assert rows.positions.flatten().tolist() == [0, 0, 0, 1, 2, 2, 3, 3]
    assert rows.target_symbols.tolist() == [[False, False, True, True]]
    assert rows.durations.tolist() == [[3, 1, 2, 2]]
    assert rows.known.tolist() == [True]
    hidden = make_rows(make_tts(), [(prompt.unknown(), target)], ["de"])
    assert hidden.known.tolist() == [False] and hidden.symbols[0, 0] == UNKNOWN


def test_a_delay_lengthens_each_segment_by_its_lag(make_tts):
    prompt, target = segment([3, 1], codes=True, seed=1), segment([2, 2], codes=True, seed=2)
    model = make_tts("codes, delay")
    rows = make_rows(model, [(prompt, target)], ["en"])
    assert (rows.prompt_steps.tolist(), rows.steps.tolist()) == ([6], [12])
    for codes, part in ((prompt.units, rows.values[:, :6]), (target.units, rows.values[:, 6:])):
        assert torch.equal(model.order.inverse(part.transpose(1, 2))[0].T, codes)
    assert rows.values[0, 0].tolist()[1:] == [8, 8] and rows.real[0, 0].tolist() == [True, False, False]
    # the lag's steps are told what the last frame is told
    assert rows.positions[0, 3:6].flatten().tolist() == [1, 1, 1]


def test_a_batch_is_its_rows_padded(make_tts):
    model = make_tts()
    pairs = [(segment([3, 1], seed=1), segment([2, 2], seed=2)), (None, segment([5, 1, 4], seed=3))]
    together = make_rows(model, pairs, ["en", "de"])
    for row, (pair, language) in enumerate(zip(pairs, ["en", "de"])):
        alone = make_rows(model, [pair], [language])
        for name, value in vars(alone).items():
            padded = getattr(together, name)[row]
            inside = tuple(slice(0, size) for size in value.shape[1:])
            assert torch.equal(padded[inside], value[0]), name
            outside = padded.clone()
            outside[inside] = 0
            assert not outside.any() or value.ndim == 1, name


def test_a_blank_target_has_room_for_what_will_be_drawn(make_tts):
    for triple, codes in (("latents, given", False), ("codes, delay", True), ("codes, depth", True)):
        model = make_tts(triple)
        drawn = segment([2, 3], codes=codes).whole_steps(model.config.patch)
        blank = Segment(None, drawn.symbols, drawn.durations)
        one, other = (make_rows(model, [(None, target)], ["en"]) for target in (drawn, blank))
        for name, value in vars(one).items():
            assert getattr(other, name).shape == value.shape, name
            assert name in ("values", "real") or torch.equal(getattr(other, name), value)
