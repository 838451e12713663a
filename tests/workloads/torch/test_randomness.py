import math

import pytest
import torch

from workloads.torch.randomness import (
    Purpose,
    dropout,
    fold,
    generator_seed,
    member_keys,
    seeded_initialisation,
    uniform,
)

N = 1 << 16
MASK_32, MASK_64 = 2**32 - 1, 2**64 - 1


def key(number: int) -> torch.Tensor:
    return fold(torch.tensor(number), 0)


def test_fold_gives_the_published_numbers_of_splitmix64() -> None:
    found = fold(torch.tensor(1234567), torch.arange(5))
    assert [int(number) & MASK_64 for number in found] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_uniform_is_the_documented_hash() -> None:
    def expected(index: int, word: int) -> float:
        slope, offset = (word >> 32) | 1, word & MASK_32
        bits = (index * slope + offset) & MASK_32
        bits = ((bits ^ (bits >> 16)) * 0x7FEB352D) & MASK_32
        bits = ((bits ^ (bits >> 15)) * 0x846CA68B) & MASK_32
        return (bits >> 8) / 2**24

    for number, layer in ((0, 0), (1, 3), (2**62 + 5, 200)):
        word = (int(key(number)) + layer * 0x9E3779B97F4A7C15) & MASK_64
        found = uniform((10, 5), key(number), layer).flatten().tolist()
        assert found == [expected(index, word) for index in range(50)]


def test_uniform_has_the_moments_and_the_histogram_of_the_uniform_distribution() -> None:
    for number in range(20):
        draws = uniform((N,), key(number), 0).double()
        assert 0 <= draws.min() < draws.max() < 1
        assert abs(draws.mean() - 1 / 2) < 4 * math.sqrt(1 / 12 / N)
        assert abs(draws.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / N)
        counts = torch.histc(draws, 256, 0, 1)
        chi_square = float(((counts - N / 256) ** 2 / (N / 256)).sum())
        assert abs(chi_square - 255) < 4 * math.sqrt(2 * 255)


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """In standard errors."""
    stacked = torch.stack([first.flatten(), second.flatten()]).double()
    return abs(float(torch.corrcoef(stacked)[0, 1])) * math.sqrt(first.numel())


def test_neighbouring_steps_seeds_and_layers_are_uncorrelated() -> None:
    for seed in range(10):
        keys = member_keys(seed, Purpose.NOISE, 0, 3)
        base = uniform((N,), keys[0], 0)
        others = {
            "next step": uniform((N,), keys[1], 0),
            "next layer": uniform((N,), keys[0], 1),
            "next seed": uniform((N,), member_keys(seed + 1, Purpose.NOISE, 0, 1)[0], 0),
            "step against layer": uniform((N,), keys[1], 1),
            "other purpose": uniform((N,), member_keys(seed, Purpose.ORDER, 0, 1)[0], 0),
        }
        for name, other in others.items():
            assert correlation(base, other) < 4, name


@pytest.mark.parametrize("lag", [1, 2, 10, 64, 128, 1024])
def test_neighbouring_elements_are_uncorrelated(lag: int) -> None:
    for number in range(10):
        draws = uniform((N,), key(number), 0)
        assert correlation(draws[:-lag], draws[lag:]) < 4


def test_one_element_over_many_steps_is_uniform_too() -> None:
    keys = member_keys(0, Purpose.NOISE, 0, 4096)
    draws = torch.func.vmap(lambda k: uniform((3,), k, 0))(keys).double()
    assert (abs(draws.mean(0) - 1 / 2) < 4 * math.sqrt(1 / 12 / 4096)).all()
    assert correlation(draws[:-1, 0], draws[1:, 0]) < 4
    assert correlation(draws[:, 0], draws[:, 1]) < 4


def test_a_key_depends_on_seed_purpose_and_counter_alone() -> None:
    assert torch.equal(member_keys(5, Purpose.NOISE, 10, 4)[2:], member_keys(5, Purpose.NOISE, 12, 2))
    keys = torch.cat([member_keys(seed, purpose, 0, 1000) for seed in range(8) for purpose in Purpose])
    assert len(set(keys.tolist())) == len(keys)


def test_dropout_is_the_same_in_a_loop_and_under_vmap() -> None:
    inputs = torch.randn(4, 6, 5, dtype=torch.float64)
    keys, probabilities = member_keys(1, Purpose.NOISE, 0, 4), torch.tensor([0.0, 0.2, 0.5, 0.9]).double()
    looped = [dropout(*member, 2) for member in zip(inputs, probabilities, keys, strict=True)]
    packed = torch.func.vmap(lambda x, p, k: dropout(x, p, k, 2))(inputs, probabilities, keys)
    assert torch.equal(packed, torch.stack(looped))


def test_dropout_keeps_the_expected_share_and_the_expectation() -> None:
    inputs = torch.ones(N)
    for probability in (0.1, 0.5, 0.9):
        outputs = dropout(inputs, torch.tensor(probability), key(0), 0)
        error = math.sqrt(probability * (1 - probability) / N)
        assert abs(float((outputs == 0).double().mean()) - probability) < 4 * error
        assert abs(float(outputs.double().mean()) - 1) < 4 * error / (1 - probability)
        assert sorted(set(outputs.tolist())) == pytest.approx([0, 1 / (1 - probability)])


def test_dropout_of_probability_zero_and_while_evaluating_changes_nothing() -> None:
    inputs = torch.randn(7, 3)
    assert torch.equal(dropout(inputs, torch.tensor(0.0), key(0), 0), inputs)
    assert dropout(inputs, None, None, 0) is inputs


def test_the_mask_does_not_depend_on_the_precision() -> None:
    single = dropout(torch.ones(999), torch.tensor(0.3), key(4), 0)
    double = dropout(torch.ones(999).double(), torch.tensor(0.3).double(), key(4), 0)
    assert double.dtype == torch.float64
    assert torch.equal(single == 0, double == 0)


def test_seeded_initialisation_gives_torchs_random_state_back() -> None:
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    with seeded_initialisation(5):
        first = torch.randn(3)
    with pytest.raises(KeyError), seeded_initialisation(5):
        assert torch.equal(torch.randn(3), first)
        raise KeyError
    assert torch.equal(torch.randn(3), expected)


def test_generator_seeds_are_accepted_by_generators() -> None:
    for epoch in range(50):
        torch.Generator().manual_seed(generator_seed(2**63 - 1, Purpose.ORDER, epoch))
