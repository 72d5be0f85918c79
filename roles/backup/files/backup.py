# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup.py CONFIGURATION: makes a backup, proves it and removes superfluous ones, copies them, as the role backup does. For a timer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ansible_collections.parity.stack.plugins.module_utils.backup import database
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


class TimerHost:
    """The host as a service sees it: progress and errors go to the journal."""

    check_mode = False

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def find(self, tool: str) -> str | None:
        return shutil.which(tool)

    def run(self, words: list[str], variables: dict[str, str], stdin: str | None = None) -> tuple[int, str, str]:
        done = subprocess.run(words, env={**os.environ, **variables}, input=stdin, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def hide(self, secret: str) -> None:
        if secret:
            self.secrets.add(secret)

    def progress(self, words: str) -> None:
        for secret in self.secrets:
            words = words.replace(secret, "...")
        print(words, flush=True)


def main() -> int:
    wanted = database.Wanted(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    host = TimerHost()
    try:
        for state in ("present", "pruned", *(["copied"] if wanted.copy_to else [])):
            host.progress(database.perform(host, state, wanted)["reason"])
    except ParityError as error:
        host.progress(f"The backup failed. {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
