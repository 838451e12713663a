"""The libraries behind our optimizers, used as their own users use them: with their defaults, and without us.

But for the order in which SMAC's local search begins with its points, which it leaves to chance.

Each takes a task and a seed, and gives the trials in order. Parameters are a library's own where it has
them; an ordinal one is an integer, the place of its value. Where a default cannot be right for any of the
tasks, such as SMAC's repetition of deterministic trials, the setting is that of the library's own examples.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from joblib import parallel_config

from orchestrator.benchmark.cell import Evaluator
from orchestrator.benchmark.methods import OptimizerMethod
from orchestrator.benchmark.task import Task
from orchestrator.optimizers.smac_parts import ordered_maximizer
from orchestrator.trial import Suggestion, Trial
from search_spaces import Config, SearchSpace
from search_spaces.columns import Column
from search_spaces.conversions import suggest
from search_spaces.domains import choices

Bare = Callable[[Task, int], list[Trial]]

_BOTORCH = {"restarts": 10, "raw_samples": 512, "mc_samples": 128, "fit_steps": 15_000}
"""BoTorch has no defaults for these: the numbers of its tutorials, and SciPy's own limit of steps."""


def _optuna(sampler: Callable[..., optuna.samplers.BaseSampler], task: Task, seed: int) -> list[Trial]:
    evaluate, trials = Evaluator(task, seed), []
    study = optuna.create_study(directions=["minimize"] * len(task.objectives), sampler=sampler(seed=seed))
    for _ in range(task.evaluations):
        asked = study.ask()
        trial = evaluate(Suggestion(suggest(asked, task.space))).trial
        for i, violation in enumerate(trial.violations):
            asked.set_constraint(str(i), violation)
        study.tell(asked, list(trial.losses))
        trials.append(trial)
    return trials


def _smac(facade: str, task: Task, seed: int, **parts: Any) -> list[Trial]:
    """With ``deterministic=True``, since no task is noisy at full fidelity.

    Its local search begins with the same points in our order: its own is that of a set of strings, another in
    every process. So a pair of runs with the same seed takes the same course, or there is something to find.
    """
    import smac

    trials = list[Trial]()
    evaluate, left = Evaluator(task, seed), task.evaluations * task.full
    fidelity = task.workload.fidelity
    names = [one.name for one in task.objectives]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), parallel_config("sequential"):
        warnings.simplefilter("ignore")
        scenario = smac.Scenario(
            task.space.configuration_space,
            output_directory=Path(folder),
            deterministic=True,
            n_trials=task.evaluations,
            objectives=names if len(names) > 1 else names[0],
            min_budget=fidelity.smallest if task.multi_fidelity else None,
            max_budget=fidelity.largest if task.multi_fidelity else None,
            seed=seed,
        )
        if len(names) > 1:
            parts["multi_objective_algorithm"] = smac.multi_objective.parego.ParEGO(scenario)
        kind = getattr(smac, facade)
        if kind is not smac.HyperbandFacade:  # which has no model
            parts["acquisition_maximizer"] = ordered_maximizer(kind, scenario)
        made = kind(scenario, _unused, logging_level=False, **parts)
        while left > 0:
            info = made.ask()
            units = task.full if info.budget is None else round(info.budget)
            left -= units
            if left < 0:
                break
            amount = units if task.multi_fidelity else None
            trial = evaluate(Suggestion(task.space.check(dict(info.config)), amount)).trial
            cost = list(trial.losses) if len(names) > 1 else trial.losses[0]
            made.tell(info, smac.runhistory.TrialValue(cost), save=False)
            trials.append(trial)
    return trials


def _unused(config: object, seed: int = 0, budget: float = 0.0) -> float:
    """SMAC's facades insist on a function, also where they are asked and told."""
    raise NotImplementedError


def _nevergrad(algorithm: str, task: Task, seed: int) -> list[Trial]:
    import nevergrad

    space, evaluate, trials = task.space, Evaluator(task, seed), []
    parametrization = nevergrad.p.Dict(
        **{column.name: _parameter(column, space) for column in space.codec.columns}
    )
    parametrization.random_state.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the library draws from it here and there
    optimizer = nevergrad.optimizers.registry[algorithm](parametrization, task.evaluations, 1)
    optimizer.num_objectives = len(task.objectives)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(task.evaluations):
            candidate = optimizer.ask()
            trial = evaluate(Suggestion(_active(candidate.value, space))).trial
            optimizer.tell(candidate, trial.losses[0] if len(trial.losses) == 1 else list(trial.losses))
            trials.append(trial)
    return trials


def _parameter(column: Column, space: SearchSpace) -> Any:
    from nevergrad import p

    if column.kind in ("categorical", "ordinal"):
        kind = p.Choice if column.kind == "categorical" else p.TransitionChoice
        return kind(list(choices(space.configuration_space[column.name])))
    scale = p.Log if column.log else p.Scalar
    number = scale(lower=column.low, upper=column.high)
    return number.set_integer_casting() if column.kind == "int" else number


def _active(values: Mapping[str, Any], space: SearchSpace) -> Config:
    """The configuration without what its conditions switch off."""
    codec, config = space.codec, dict[str, Any]()
    for j, column in enumerate(codec.columns):
        if codec.active(codec.encode([config]))[0, j]:
            config[column.name] = values[column.name]
    return space.check(config)


def _drawn(task: Task, seed: int) -> list[Trial]:
    """ConfigSpace's own sampling."""
    space, evaluate = task.space.configuration_space, Evaluator(task, seed)
    space.seed(seed)
    drawn = space.sample_configuration(max(2, task.evaluations))[: task.evaluations]
    return [evaluate(Suggestion(task.space.check(dict(config)))).trial for config in drawn]


def _botorch(name: str, task: Task, seed: int, **parts: Any) -> list[Trial]:
    """Our own loop with the library's usual effort, since the library has none."""
    target = f"orchestrator.optimizers.{name}"
    optimizer = OptimizerMethod.of(name, {"_target_": target, **_BOTORCH, **parts}).make(task, seed)
    evaluate, trials = Evaluator(task, seed), []
    for _ in range(task.evaluations):
        (suggestion,) = optimizer.ask()
        trials.append(evaluate(suggestion).trial)
        optimizer.tell(trials[-1:])
    return trials


BARE: Mapping[str, Bare] = {
    "random": _drawn,
    "sobol": partial(_optuna, partial(optuna.samplers.QMCSampler, scramble=True)),
    "optuna_tpe": partial(_optuna, optuna.samplers.TPESampler),
    "optuna_gp": partial(_optuna, optuna.samplers.GPSampler),
    "optuna_cmaes": partial(_optuna, optuna.samplers.CmaEsSampler),
    "optuna_nsga2": partial(_optuna, optuna.samplers.NSGAIISampler),
    "optuna_nsga3": partial(_optuna, optuna.samplers.NSGAIIISampler),
    "nevergrad_cma": partial(_nevergrad, "CMA"),
    "nevergrad_de": partial(_nevergrad, "DE"),
    "nevergrad_ngopt": partial(_nevergrad, "NGOpt"),
    "smac_blackbox": partial(_smac, "BlackBoxFacade"),
    "smac_hpo": partial(_smac, "HyperparameterOptimizationFacade"),
    "smac_parego": partial(_smac, "BlackBoxFacade"),
    "smac_hyperband": partial(_smac, "HyperbandFacade"),
    "smac_multifidelity": partial(_smac, "MultiFidelityFacade"),
    "botorch_logei": partial(_botorch, "botorch_logei.BotorchLogEi"),
    "botorch_nehvi": partial(_botorch, "botorch.BotorchNehvi"),
    "botorch_parego": partial(_botorch, "botorch.BotorchParego"),
    "botorch_saasbo": partial(_botorch, "botorch_saasbo.BotorchSaasbo", initial=20),  # as in its paper
}
"""By the names of our optimizers. The others (asha_*, hyperband_*, grid) are this project's own."""
