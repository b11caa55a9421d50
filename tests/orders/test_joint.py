"""All at once: the loop walks where the process leads; guidance joins the two branches."""

import pytest
import torch

from speechgen.heads.processes import DiffusionProcess, FlowProcess
from speechgen.orders.joint import Joint, joint


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("process", [FlowProcess(), DiffusionProcess()], ids=["flow", "diffusion"])
def test_a_backbone_that_knows_the_answer_leads_to_the_data(process) -> None:
    data, noise = torch.randn(3, 5, 2, generator=generator()), torch.randn(3, 5, 2)

    def look(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        at = time[:, None, None]
        if isinstance(process, FlowProcess):
            return (data - x) / (1 - at)
        kept = process.kept[(time * 1000).round().long()][:, None, None].float()
        return (x - kept.sqrt() * data) / (1 - kept).sqrt()

    made = list(joint(process, look, noise, steps=6, generator=generator()))
    assert len(made) == 6
    torch.testing.assert_close(made[-1], data, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="at least 1"):
        list(joint(process, look, noise, steps=0))


def test_guidance_joins_conditioned_and_null_rows() -> None:
    noise = torch.randn(2, 4, 3, generator=generator())

    def look(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.full_like(x, 2.0), torch.full_like(x, 1.0)])

    (made,) = joint(FlowProcess(), look, noise, steps=1, guidance=3.0, guided=True)
    torch.testing.assert_close(made, noise + 1 + 3 * (2 - 1))


def test_all_units_of_an_example_have_the_same_noise_level() -> None:
    units = torch.zeros(4, 3, 6)  # of data there is nothing, so what is seen is the noise of each level
    view = Joint().view(units, FlowProcess(), generator())
    torch.testing.assert_close(view.inputs, -(1 - view.time[:, None, None]) * view.target)
    assert view.time.shape == (4,) and view.drawn.all() and not view.blank.any() and view.visible is None
