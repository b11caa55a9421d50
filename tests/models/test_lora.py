"""Adapters: they begin as nothing, leave the weights beside them alone, and merge into a plain model."""

import pytest
import torch

from speechgen.errors import UserError
from speechgen.models.load import load
from speechgen.models.lora import LoRAConfig, add_lora, merge_lora

pytest.importorskip("peft")


@pytest.fixture
def model(tiny_models):
    return load(tiny_models / "tts")


def output(model, seed=0):
    x = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(seed))
    return model.transformer(x)


def test_adapters_begin_as_nothing_and_only_they_are_trained(model):
    before, weights = output(model), set(model.state_dict())
    add_lora(model, LoRAConfig(rank=2))
    assert torch.equal(output(model), before)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained and all(".lora_" in name for name in trained)
    assert {name.partition(".")[0] for name in trained} == {"transformer", "head"}
    assert len(weights) + len(trained) == len(model.state_dict())


def test_merged_is_the_same_as_beside_it_and_a_plain_model_again(model):
    before, names = output(model), list(model.state_dict())
    add_lora(model, LoRAConfig(rank=2, parts=["transformer"]))
    draw = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if ".lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=draw)
    beside = output(model)
    merge_lora(model)
    assert not torch.allclose(beside, before, atol=1e-2)
    torch.testing.assert_close(output(model), beside, atol=1e-4, rtol=1e-4)
    assert list(model.state_dict()) == names and not hasattr(model, "peft_config")


def test_a_part_that_is_not_there_is_told(model):
    with pytest.raises(UserError, match="lora.parts: trunk: the model has .*transformer"):
        add_lora(model, LoRAConfig(parts=["trunk"]))
