"""MLflow, as far as any study needs it: a connection that is checked before training, and batches that may be retried.

A record is one parent run and its child runs. All its runs carry a common key as a tag, so that a later process finds
them again, and nothing that was recorded twice shows twice: runs are looked up before they are made, params and tags
replace themselves, and MLflow drops metrics that are equal in key, step, time and value.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import batched_compat
