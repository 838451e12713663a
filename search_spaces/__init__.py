"""Search spaces from YAML, and their mapping to arrays in the unit cube."""

from search_spaces.definition import build_space, trusted_space
from search_spaces.errors import ConfigurationError
from search_spaces.space import SearchSpace
from search_spaces.values import Config

__all__ = ["Config", "ConfigurationError", "SearchSpace", "build_space", "trusted_space"]
