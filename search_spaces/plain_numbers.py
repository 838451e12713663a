"""Which texts are numbers: fewer than Python reads as such."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|\.?(?:nan|inf))", re.IGNORECASE)


def is_odd_number(text: str) -> bool:
    """Whether Python reads ``text`` as a number that people would not write so.

    ``float`` and ``int`` also take ``1_000``, ``１２`` (digits of any script) and spaces round a number.
    """
    if _PLAIN.fullmatch(text):
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True
