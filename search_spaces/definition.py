"""Search spaces from their YAML definitions.

ConfigSpace is imported when a space is first used: that takes longer than anything else at the start of a
process, and many processes (workers of a function, the command line) never look into a space.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from search_spaces.space import SearchSpace


def build_space(definition: Mapping[str, Any], path: str = "search_space") -> SearchSpace:
    """The search space that ``definition`` describes.

    ::

        parameters:
          learning_rate: {type: float, low: 1e-4, high: 1e-1, log: true, default: 1e-2, mutable: true}
          width: {type: int, low: 16, high: 128, log: true}
          optimizer: {type: categorical, choices: [sgd, adam], weights: [0.3, 0.7]}
          depth: {type: ordinal, values: [1, 2, 4]}
          layers: {type: categorical, choices: {small: [64], large: [128, 128], none: null}}
          momentum: {type: float, low: 0.0, high: 0.99, prior: {type: normal, mean: 0.9, std: 0.05}}
          patience: {type: constant, value: 3}
          discount: {type: float, low: 0.9, high: 0.9999, mutable: true, explore: {transform: logit}}
        conditions:
          - {child: momentum, parent: optimizer, equals: sgd}
        forbidden:
          - {optimizer: sgd, depth: [2, 4]}

    Choices and values may be a mapping from labels to anything that YAML can say: the workload gets the
    value, and everything else, from conditions to tables, goes by the label.

    A condition compares by ``equals``, ``not_equals``, ``in``, ``greater`` or ``less``; several on one child
    must all hold, and a child of an inactive parent is inactive. A forbidden clause excludes its values
    together; a list means any of them.

    Priors are cut off at the bounds. ``normal`` takes ``mean`` and ``std`` in the parameter's own units,
    except that ``std`` of a log parameter is that of the value's natural logarithm (0.7 is a factor of 2).
    ``beta`` takes ``alpha`` and ``beta`` and spans the range, on the log scale where ``log`` is true.

    ``explore`` says how a mutable parameter changes while training runs, where that is not left to the
    population's explore rule (:class:`~search_spaces.exploring.Explore`): ``factors``, ``resample`` and
    ``transform``; of choices, ``resample`` alone.

    Args:
        definition: plain mappings, lists and scalars.
        path: where the definition stands in the user's config; error messages begin with it.

    Raises:
        ConfigurationError: the definition is wrong; the error names the key, the value and what is allowed.
    """
    from search_spaces.builder import build

    return build(definition, path)


def trusted_space(definition: Mapping[str, Any]) -> SearchSpace:
    """The same space, read when it is first used.

    Args:
        definition: one that :func:`build_space` has accepted before.
    """
    return SearchSpace.deferred(partial(build_space, definition))
