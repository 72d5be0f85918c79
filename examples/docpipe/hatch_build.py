# SPDX-License-Identifier: GPL-3.0-or-later
"""Build hook: puts the migrations and, for tests of rollbacks, one fault of choice into the wheel.

`DOCPIPE_FAULT=unhealthy uv build --wheel` makes a release that is broken in exactly one way. The choice is
made here and not at run time, so that no setting of a production host can switch a fault on.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FAULTS = (
    "bad-migration",
    "broken-import",
    "changed-field",
    "crashing-worker",
    "failing",
    "leak",
    "slow",
    "slow-stage",
    "slow-tail",
    "unhealthy",
)


class FaultHook(BuildHookInterface):
    """Adds `docpipe/_build.py` and `docpipe/migrations/` to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        fault = os.environ.get("DOCPIPE_FAULT", "")
        if fault and fault not in FAULTS:
            raise SystemExit(f"DOCPIPE_FAULT must be empty or one of: {', '.join(FAULTS)}")

        self._scratch = tempfile.TemporaryDirectory()
        if version == "editable":  # runs from the source tree, where there are no faults
            return

        include = build_data["force_include"]
        root = Path(self.root)
        migrations = [root / "supabase/migrations"]
        if fault == "bad-migration":
            migrations.append(root / "faults/migrations")
        for directory in migrations:
            for script in sorted(directory.glob("*.sql")):
                include[str(script)] = f"docpipe/migrations/{script.name}"

        marker = Path(self._scratch.name, "_build.py")
        marker.write_text(
            f'"""Written when this wheel was built."""\n\nFAULT = "{fault}"\n', encoding="utf-8"
        )
        include[str(marker)] = "docpipe/_build.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._scratch.cleanup()
