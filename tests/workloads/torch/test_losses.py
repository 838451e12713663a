import pytest
import torch

from workloads.torch import cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_equals_torchs_own_with_its_gradient(smoothing: float, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(*shape, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.randint(5, shape, generator=generator)
    ours = cross_entropy(logits, targets, torch.tensor(smoothing, dtype=torch.float64))
    theirs = torch.nn.functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), label_smoothing=smoothing
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-14)
    (our_gradient,) = torch.autograd.grad(ours, logits)
    (their_gradient,) = torch.autograd.grad(theirs, logits)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-12, atol=1e-14)


def test_no_smoothing_is_smoothing_by_zero() -> None:
    logits, targets = torch.randn(6, 5, generator=torch.Generator().manual_seed(1)), torch.arange(6) % 5
    assert torch.equal(cross_entropy(logits, targets), cross_entropy(logits, targets, torch.tensor(0.0)))


def test_members_can_differ_under_vmap() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 6, 5, generator=generator)
    targets = torch.randint(5, (3, 6), generator=generator)
    smoothing = torch.tensor([0.0, 0.1, 0.5])
    packed = torch.func.vmap(cross_entropy)(logits, targets, smoothing)
    looped = torch.stack([cross_entropy(*member) for member in zip(logits, targets, smoothing, strict=True)])
    torch.testing.assert_close(packed, looped)
