"""Stable-Baselines3's on-policy algorithms (PPO, A2C): a unit of training is a rollout and its updates."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from search_spaces.extras import needs_extra
from workloads.adapters.objects import Objects
from workloads.contract import Metrics, State
from workloads.loop import Context

_OBJECTS = Objects(
    "gymnasium.spaces",
    "gymnasium.wrappers.utils.RunningMeanStd",
    "stable_baselines3.common.running_mean_std.RunningMeanStd",
    "stable_baselines3.common.vec_env.stacked_observations.StackedObservations",
)
"""Never the whole packages: CloudpickleWrapper, for one, runs the bytes that ``__setstate__`` is given."""
_INNER = ("env", "venv", "envs")
_STATISTICS = ("obs_rms", "ret_rms")
_CLOCK = ("t_start", "episode_times", "buf_infos")
"""Attributes that hold times; nothing depends on them."""


def learn(
    ctx: Context, model: Any, total_timesteps: int, evaluate: Callable[[Any], Metrics] | None = None
) -> None:
    """Train an agent, and report after each rollout.

    Metrics are ``reward`` and ``length``, means over the last 100 episodes, unless ``evaluate`` is given.
    Where the population changes hyperparameters (learning rate, clip range, entropy, discount, GAE's lambda),
    the agent is made anew with them. It takes over weights, the optimizer's state, and that of environments
    that run in this process and keep it in plain attributes; those in other processes begin an episode anew,
    with the statistics of a ``VecNormalize`` around them.

    Args:
        ctx: of ``train(config, ctx)``.
        model: an on-policy algorithm, with its environment; its seed is set here.
        total_timesteps: of a full training, by which its schedules go.
        evaluate: metrics of the model, instead of those.

    Raises:
        TypeError: it is another algorithm.
        ValueError: no episode has ended yet.
    """
    with needs_extra("workload.function", "rl", "workloads.adapters.stable_baselines3"):
        import stable_baselines3

    common: Any = stable_baselines3.common
    if not isinstance(model, common.on_policy_algorithm.OnPolicyAlgorithm):
        raise TypeError(f"model: expected an on-policy algorithm, PPO or A2C, got {type(model).__name__}")

    class Reporter(common.callbacks.BaseCallback):  # type: ignore[misc]
        """Reports a rollout when its updates are done, where the next begins."""

        begun = False

        def _on_rollout_start(self) -> None:
            if self.begun:
                metrics = _episodes(model) if evaluate is None else evaluate(model)
                ctx.report(metrics, checkpoint=lambda: _saved(model))
            self.begun = True
            ctx.reseed()

        def _on_step(self) -> bool:
            return True

    model.set_random_seed(ctx.seed % 2**32)
    if (checkpoint := ctx.checkpoint) is not None:
        _restore(model, checkpoint)
    ctx.reseed()
    # One rollout more, since the last is reported where the next would begin.
    steps = total_timesteps + model.n_steps * model.n_envs - model.num_timesteps
    model.learn(steps, callback=Reporter(), reset_num_timesteps=checkpoint is None)


def _episodes(model: Any) -> dict[str, float]:
    if not model.ep_info_buffer:
        raise ValueError("no episode has ended yet: raise n_steps, or give learn(evaluate=...)")
    return {
        "reward": float(np.mean([episode["r"] for episode in model.ep_info_buffer])),
        "length": float(np.mean([episode["l"] for episode in model.ep_info_buffer])),
    }


def _saved(model: Any) -> State:
    return {
        "parameters": model.get_parameters(),
        "timesteps": model.num_timesteps,
        "updates": model._n_updates,
        "observations": _OBJECTS.apart(model._last_obs),
        "starts": model._last_episode_starts,
        "episodes": [(float(one["r"]), int(one["l"])) for one in model.ep_info_buffer],
        "environment": [_plain(part) for part in _parts(model.env)],
    }


def _restore(model: Any, saved: Mapping[str, Any]) -> None:
    parts = list(_parts(model.env))
    # Before the first observation is normalized; these run here even if the environments do not.
    for part, own in zip(parts, saved["environment"], strict=True):
        for name in own.keys() & set(_STATISTICS):
            setattr(part, name, _OBJECTS.together(own[name]))
    # The buffers of episodes are made at the first call.
    model._setup_learn(0)
    model.set_parameters(saved["parameters"])
    model.num_timesteps, model._n_updates = saved["timesteps"], saved["updates"]
    model.ep_info_buffer.extend({"r": r, "l": length, "t": 0.0} for r, length in saved["episodes"])
    if not hasattr(model.env.unwrapped, "envs"):
        return  # they have just begun an episode
    model._last_obs = _OBJECTS.together(saved["observations"])
    model._last_episode_starts = saved["starts"]
    for part, own in zip(parts, saved["environment"], strict=True):
        for name, value in own.items():
            # Older checkpoints hold more than is made today, such as the environment's spec.
            with contextlib.suppress(ValueError):
                setattr(part, name, _OBJECTS.together(value))


def _parts(environment: Any) -> Iterator[Any]:
    """An environment, or a vector of them, and what it wraps."""
    yield environment
    for name in _INNER:
        inner = vars(environment).get(name)
        for one in inner if isinstance(inner, list) else [inner] if inner is not None else []:
            yield from _parts(one)


def _plain(part: Any) -> dict[str, State]:
    """The attributes of an environment that a state can hold."""
    found: dict[str, State] = {}
    for name, value in vars(part).items():
        if name not in _INNER and name not in _CLOCK:
            with contextlib.suppress(Exception):  # what it is made of is the library's own business
                found[name] = _OBJECTS.apart(value)
    return found
