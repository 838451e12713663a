"""Reinforcement learning on classic control problems: environments over arrays, and an agent (PPO)."""
