from pathlib import Path

import pytest

from tests.workloads.torch.packed.cases import write_text


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text like Shakespeare's, but small."""
    return write_text(tmp_path_factory.mktemp("text"))
