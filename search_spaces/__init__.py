"""Search spaces from YAML, and their mapping to arrays in the unit cube."""

from search_spaces.builder import build_space
from search_spaces.codec import Codec
from search_spaces.columns import Column
from search_spaces.domains import Config
from search_spaces.errors import ConfigurationError
from search_spaces.space import SearchSpace

__all__ = ["Codec", "Column", "Config", "ConfigurationError", "SearchSpace", "build_space"]
