"""Training algorithms: the choices of the hyperparameter ``optimizer``, each with its own hyperparameters.

A workload that has :data:`ALGORITHM_KNOBS` among its knobs offers all of them. An option is set by the
algorithm's own hyperparameter (``lion_learning_rate``, ``lion_beta2``), or else by one that algorithms share
(``learning_rate``, ``weight_decay``, ``momentum``), or else has the algorithm's default.
"""

from functools import partial

from workloads.knobs import Knob
from workloads.torch.algorithms.adaptive import AdaBelief, EXAdam, Spam
from workloads.torch.algorithms.classic import SGD, AdamW, AdaptiveClippedSGD, ClippedSGD, Lion, LionK
from workloads.torch.algorithms.contract import Step, TrainingAlgorithm, option_knob, options
from workloads.torch.algorithms.library import Muon, muon, of_library, sam
from workloads.torch.algorithms.looped import Averaged, Looped, SecondOrder, SharpnessAware
from workloads.torch.algorithms.rules import UpdateRule

_ADAM = options(lr=1e-3, weight_decay=0.0, momentum=0.9, beta2=0.999)
_SGD = options(lr=1e-2, weight_decay=0.0, momentum=0.9)
_SOAP = options(lr=3e-3, weight_decay=1e-2, momentum=0.95, beta2=0.95)
_MUON = options(lr=2e-2, weight_decay=0.0, momentum=0.95, adamw_rate=1e-3)
_ADAHESSIAN = options(lr=0.1, weight_decay=0.0, momentum=0.9, beta2=0.999)
_SOPHIA = options(lr=6e-2, weight_decay=0.0, momentum=0.96, beta2=0.99, clip=0.01)
_LAYERS, _MATRICES = "scales each layer as a whole", "works with whole matrices"
_HESSIAN, _TWICE = "takes second derivatives", "takes two gradients in a step"
_AVERAGE = "is judged by an average of its weights"

ALGORITHMS: dict[str, TrainingAlgorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        AdamW(),
        SGD(),
        Lion(),
        LionK(),
        ClippedSGD(),
        AdaptiveClippedSGD(),
        AdaBelief(),
        EXAdam(),
        Spam(),
        SharpnessAware("sam", sam, options(**_SGD, rho=0.05), _TWICE, library=False),
        # AdamP and SGDP (Heo et al., 2021, arXiv 2006.08217).
        Looped("adamp", partial(of_library, "AdamP"), options(**_ADAM, delta=0.1), _LAYERS),
        Looped("sgdp", partial(of_library, "SGDP"), options(**_SGD, delta=0.1), _LAYERS),
        # Stable-SPAM (Huang et al., 2025, arXiv 2502.17055) and SGD-SaI (Xu et al., 2024, arXiv 2412.11768).
        Looped("stable_spam", partial(of_library, "StableSPAM"), _ADAM, _LAYERS),
        Looped("sgd_sai", partial(of_library, "SGDSaI"), _SGD, _LAYERS),
        # SOAP (Vyas et al., 2025, arXiv 2409.11321).
        Looped("soap", partial(of_library, "SOAP"), _SOAP, _MATRICES),
        # Muon (Jordan et al., 2024).
        Muon("muon", muon, _MUON, _MATRICES),
        # AdaHessian (Yao et al., 2021, arXiv 2006.00719) and Sophia-H (Liu et al., 2024, arXiv 2305.14342).
        SecondOrder("adahessian", partial(of_library, "AdaHessian"), _ADAHESSIAN, _HESSIAN),
        SecondOrder("sophia", partial(of_library, "SophiaH"), _SOPHIA, _HESSIAN, keys={"clip": "p"}),
        # Schedule-Free AdamW (Defazio et al., 2024, arXiv 2405.15682).
        Averaged(
            "schedule_free",
            partial(of_library, "ScheduleFreeAdamW"),
            options(**{**_ADAM, "lr": 2.5e-3}, warmup_steps=0.0),
            _AVERAGE,
        ),
    )
}
"""By name; a new one is a line here."""

OWN_KNOBS: dict[str, Knob] = {
    name: option_knob(option)
    for algorithm in ALGORITHMS.values()
    for name, option in algorithm.own_options.items()
}
"""The hyperparameters of one algorithm each; what is not set is left out."""

ALGORITHM_KNOBS: dict[str, Knob] = {
    "optimizer": Knob(default="adamw", choices=tuple(ALGORITHMS)),
    **OWN_KNOBS,
}
"""What makes the training algorithm a choice of a workload's."""

__all__ = [
    "ALGORITHMS",
    "ALGORITHM_KNOBS",
    "OWN_KNOBS",
    "Averaged",
    "Looped",
    "SecondOrder",
    "SharpnessAware",
    "Step",
    "TrainingAlgorithm",
    "UpdateRule",
]
