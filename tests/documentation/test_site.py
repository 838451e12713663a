"""The site is built without a warning, and without network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.documentation.reference import ROOT


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, check=False, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0 and not built.stderr, built.stderr
    pages = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")]
    assert len(pages) >= len([*(ROOT / "docs").rglob("*.md")])
    assert not any("fonts.googleapis" in page for page in pages)
