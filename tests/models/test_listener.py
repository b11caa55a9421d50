"""The listener's shapes and its two ways in."""

import pytest
import torch

from speechgen.models.listener import Listener, ListenerConfig

CONFIG = ListenerConfig(
    sample_rate=4000, mels=8, hop=80, width=8, blocks=3, kernel=3, label_prior=0.5,
    phonemes=["<blank>", "a", "b"], characters=["<blank>", "x"], speakers=["s", "t", "u"],
)  # fmt: skip


@pytest.fixture
def listener():
    torch.manual_seed(0)
    return Listener(CONFIG).eval()


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("samples", [400, 800, 801, 879, 880])
@torch.no_grad()
def test_a_frame_for_every_whole_hop(samples, listener):
    heard = listener(noise(2, samples))
    steps = samples // 80
    assert listener.frame_rate == 50
    assert heard.phonemes.shape == (2, steps, 3) and heard.characters.shape == (2, steps, 2)
    assert heard.speakers.shape == (2, 3)
    assert [layer.shape for layer in heard.hidden] == [(2, 8, steps)] * 3
    assert torch.equal(listener.steps(torch.tensor([samples])), torch.tensor([steps]))
    torch.testing.assert_close(heard.phonemes.exp().sum(-1), torch.ones(2, steps))


@torch.no_grad()
def test_the_first_layers_alone_are_those_of_the_whole(listener):
    wave = noise(1, 800)
    layers = listener.hidden(wave, 2)
    assert len(layers) == 2
    for alone, whole in zip(layers, listener(wave).hidden):
        assert torch.equal(alone, whole)


@torch.no_grad()
def test_frames_made_before_are_the_same_way_in(listener):
    wave = noise(2, 800)
    direct, masked = listener(wave), listener(wave, frames=listener.frames(wave))
    assert torch.equal(direct.phonemes, masked.phonemes)


@torch.no_grad()
def test_rows_do_not_hear_each_other(listener):
    wave = noise(3, 800)
    together = listener(wave)
    for row in range(3):
        alone = listener(wave[row : row + 1])
        torch.testing.assert_close(alone.phonemes[0], together.phonemes[row], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(alone.speakers[0], together.speakers[row], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_speaker_is_pooled_over_real_frames_only(listener):
    wave = noise(1, 1600)
    frames = listener.frames(wave)
    longer = torch.cat([frames, 50 + frames], 1)  # what follows is out of sight of the first frames but for the edge
    whole = listener(wave, torch.tensor([800]), frames)
    other = listener(torch.cat([wave, wave], 1), torch.tensor([800]), longer)
    torch.testing.assert_close(whole.speakers, other.speakers)
    assert not torch.allclose(listener(wave, None, frames).speakers, whole.speakers)


def test_the_prior_is_taken_from_the_scores(listener):
    scores = torch.log(torch.tensor([[[0.8, 0.1, 0.1]]]))
    listener.phoneme_prior.copy_(torch.tensor([0.8, 0.1, 0.1]))
    assert listener.unpeaked(scores).exp().flatten().tolist() == pytest.approx([0.8**0.5, 0.1**0.5, 0.1**0.5])


def test_recognition_takes_more_of_the_prior_off(listener):
    listener.phoneme_prior.copy_(torch.tensor([0.9, 0.09, 0.01]))
    scores = torch.log(torch.tensor([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [0.5, 0.4, 0.1]]))
    power = CONFIG.recognition_prior
    best = (scores.exp() / listener.phoneme_prior**power).argmax(-1)
    assert listener.recognise(scores) == [int(i) for i in best.unique_consecutive() if i]


def test_the_spectrum_is_not_trained(listener):
    assert not [name for name, _ in listener.named_parameters() if name.startswith("features")]
