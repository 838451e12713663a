"""Exploit rules and explore rules, which :class:`~orchestrator.population.methods.pbt.Pbt` composes."""

from orchestrator.population.rules.exploit import BinaryTournament, NoExploit, Truncation, TTest

__all__ = ["BinaryTournament", "NoExploit", "TTest", "Truncation"]
