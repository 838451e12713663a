"""Every method of population studies against the contract; a new one joins by one line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from orchestrator.population.methods.annealed_search import AnnealedSearch
from orchestrator.population.methods.bg_pbt import BgPbt
from orchestrator.population.methods.fire_pbt import FirePbt
from orchestrator.population.methods.gpbt_pl import GpbtPl
from orchestrator.population.methods.hypervolume_guided import HypervolumeGuided
from orchestrator.population.methods.hypervolume_pbt import HypervolumePbt
from orchestrator.population.methods.ipbt import Ipbt
from orchestrator.population.methods.mf_pbt import MfPbt
from orchestrator.population.methods.mo_pbt import MoPbt
from orchestrator.population.methods.pb2 import Pb2
from orchestrator.population.methods.pb2_mix import Pb2Mix, Pb2Mult
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.methods.pbt_nas import PbtNas
from orchestrator.population.methods.random_search import RandomSearch
from orchestrator.population.methods.scalarised_pbt import ScalarisedPbt
from orchestrator.population.methods.successive_halving import SuccessiveHalving
from orchestrator.population.rules import BinaryTournament, Truncation
from orchestrator.population.rules.explore import NoExplore, Perturb
from tests.orchestrator.population.method_contract import MIXED, PLAIN, method_contract

CONF = Path(__file__).parents[3] / "conf" / "population"

TestPbt = method_contract(Pbt(Truncation(0.25), Perturb()))
TestPbtWithBurnIn = method_contract(Pbt(BinaryTournament(), Perturb(members="all"), burn_in=1))
TestPbtWithMargin = method_contract(Pbt(Truncation(0.25), Perturb(), margin=0.5), ranks=False)
TestMoPbt = method_contract(MoPbt(), objectives=2, ranks=False)
TestMoPbtOfThree = method_contract(MoPbt(), objectives=3, ranks=False)
TestHypervolumePbt = method_contract(HypervolumePbt(), objectives=2, ranks=False)
TestHypervolumeGuided = method_contract(
    HypervolumeGuided("decay", base=0.25, scale=0.5),
    objectives=2,
    ranks=False,
    spaces=st.sampled_from([PLAIN]),
)
TestScalarisedPbt = method_contract(ScalarisedPbt(), objectives=2, ranks=False)
TestMfPbt = method_contract(MfPbt(periods=(1, 2)))
TestGpbtPl = method_contract(GpbtPl())
TestFirePbt = method_contract(FirePbt(pace=2), ranks=False)
TestFirePbtOfLittlePatience = method_contract(FirePbt(pace=1, patience=1, alpha=0.9), ranks=False)
TestRandomSearch = method_contract(RandomSearch())
TestRandomSearchOfShortTrials = method_contract(RandomSearch(length=2), objectives=2)
TestAnnealedSearch = method_contract(
    AnnealedSearch({"rate": 0.1}), ranks=False, spaces=st.sampled_from([PLAIN, MIXED])
)
TestSuccessiveHalving = method_contract(SuccessiveHalving(eta=2))
TestSuccessiveHalvingOfTwo = method_contract(SuccessiveHalving(), objectives=2, ranks=False)
TestBgPbt = method_contract(BgPbt(patience=2), ranks=False, size=4, generations=3, plain=MIXED)
TestBgPbtOfBirths = method_contract(BgPbt(births=2), ranks=False, size=4, generations=3, plain=MIXED)
TestPb2 = method_contract(Pb2(), ranks=False, size=4, generations=2)
TestPb2Mix = method_contract(Pb2Mix(), ranks=False, size=4, generations=2, plain=MIXED)
TestPb2Mult = method_contract(Pb2Mult(), ranks=False, size=4, generations=2, plain=MIXED)
TestPbtNas = method_contract(PbtNas(Perturb()), blocks={"body": ("depth",), "head": ()})
TestPbtNasOfSwaps = method_contract(PbtNas(NoExplore(), swap=1.0, keep=1.0, noise=0.0), blocks={"head": ()})
TestIpbt = method_contract(Ipbt(Truncation(0.25), Perturb(), patience=1), ranks=False, size=5, generations=7)


def test_every_method_that_ships_has_a_line_here() -> None:
    names = {path.stem.replace("_", "") for path in CONF.glob("*.yaml")}
    tested = {name.removeprefix("Test").lower() for name in globals() if name.startswith("Test")}
    missing = sorted(names - tested)
    assert not missing, f"no line in {Path(__file__).name} for {missing}"
