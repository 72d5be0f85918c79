# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that run on the control node, where no AnsibleModule is at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


def run(words: list[str]) -> tuple[int, str, str]:
    """Run a command without a terminal and without input: (return code, standard output, standard error)."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise ParityError(f"{words[0]} cannot be run on the control node: {error.strerror}") from error
    return done.returncode, done.stdout, done.stderr


def beside_python(name: str) -> str | None:
    """The path of a program that came with this Python (a virtual environment has its own), or is found on PATH."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
