"""What is averaged while a model learns, and what is not."""

import torch
from torch import nn

from speechgen.tokenizers.fsq import FiniteScalarQuantizer, FSQConfig
from speechgen.training.average import averaged


def test_weights_decay_and_whole_numbers_are_taken_as_they_are():
    model = nn.BatchNorm1d(2)
    average = averaged(model, 0.9)
    for _ in range(90):  # long enough for the decay that was asked for
        average.update_parameters(model)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.running_mean.fill_(1.0)
        model.num_batches_tracked.fill_(7)
    average.update_parameters(model)
    torch.testing.assert_close(average.module.weight, torch.full((2,), 1.1))
    torch.testing.assert_close(average.module.running_mean, torch.full((2,), 0.1))
    assert average.module.num_batches_tracked == 7


def test_a_short_run_forgets_the_weights_that_it_began_with():
    model = nn.Linear(1, 1, bias=False)
    average = averaged(model, 0.998)
    for step in range(100):
        nn.init.constant_(model.weight, float(step > 0))
        average.update_parameters(model)
    assert 0.99 < average.module.weight.item() <= 1.0


def test_an_averaged_grid_of_scalars_codes_as_the_grid_itself():
    quantizer = FiniteScalarQuantizer(4, FSQConfig(levels=(8, 5), codebooks=2))
    average = averaged(quantizer, 0.997)
    for _ in range(5):
        average.update_parameters(quantizer)
    latents = torch.randn(2, 4, 30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(average.module.encode(latents), quantizer.encode(latents))


def test_what_is_frozen_stays_as_it_is_to_the_bit():
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-0.0, 0.1]]))
    average = averaged(model, 0.998)
    for step in range(20):
        nn.init.constant_(model.bias, float(step))
        average.update_parameters(model)
    assert average.module.weight.detach().numpy().tobytes() == model.weight.detach().numpy().tobytes()
    assert 0 < average.module.bias.item() < 19
