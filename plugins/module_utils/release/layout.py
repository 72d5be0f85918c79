# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a stack's files are on an application host, and which of its two slots is live.

```
/opt/<stack>/releases/<release>/   app/ migrations/ build/ venv -> ../../venvs/<key>  manifest.json
/opt/<stack>/venvs/<key>/          one virtual environment per lock file and Python version
/opt/<stack>/slots/{blue,green}    -> ../releases/<release>
/etc/<stack>/{blue,green}/         api.env, worker.env, processes.json, proxy.cfg, static.files -> what it serves, static.nginx.conf
/etc/<stack>/checks/{blue,green}.cfg    which health paths the host's proxy asks in each slot
/etc/<stack>/live                  -> blue or green; the one truth about which slot is live
/var/lib/<stack>/journal.jsonl     what was begun and what came of it
/var/lib/<stack>/deploy.lock       who deploys right now (on the coordinator)
/var/lib/<stack>/left.json         what the last run that finished left here, to tell in one look that nothing is to be done
/var/lib/<stack>/configuration/<release>/   the configuration files the release last ran with
```
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.files import link_atomically

SLOTS = ("blue", "green")


def other(slot: str) -> str:
    """The slot that `slot` is not."""
    return SLOTS[1 - SLOTS.index(slot)]


@dataclass(frozen=True)
class Layout:
    """The paths of one stack; `prefix` is / except in tests."""

    stack: str
    prefix: Path = Path("/")

    @property
    def root(self) -> Path:
        return self.prefix / "opt" / self.stack

    @property
    def config(self) -> Path:
        return self.prefix / "etc" / self.stack

    @property
    def state(self) -> Path:
        return self.prefix / "var/lib" / self.stack

    @property
    def journal(self) -> Path:
        return self.state / "journal.jsonl"

    @property
    def lock(self) -> Path:
        return self.state / "deploy.lock"

    @property
    def busy(self) -> Path:
        """Locked while something changes this host's releases."""
        return self.prefix / "run/parity" / f"{self.stack}.busy"

    @property
    def left(self) -> Path:
        """What the last run that finished has left on this host."""
        return self.state / "left.json"

    def kept(self, release: str | None) -> Path:
        """Where the configuration is kept that `release` last ran with; None before the first release."""
        return self.state / "configuration" / (release or ".none")

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    def release(self, name: str) -> Path:
        return self.releases / name

    def build(self, release: str) -> Path:
        """What the build commands of a release have written."""
        return self.release(release) / "build"

    def venv(self, key: str) -> Path:
        return self.root / "venvs" / key

    def slot(self, slot: str) -> Path:
        return self.root / "slots" / slot

    def environment(self, slot: str, service: str) -> Path:
        return self.config / slot / f"{service}.env"

    def processes_file(self, slot: str) -> Path:
        """The processes of the release in the slot, as its inventory described them; without settings and secrets."""
        return self.config / slot / "processes.json"

    def served(self, slot: str, service: str) -> Path:
        """The link to the files that a service of the slot serves."""
        return self.config / slot / f"{service}.files"

    def served_by(self, slot: str, service: str) -> Path:
        """The configuration of the server of these files."""
        return self.config / slot / f"{service}.nginx.conf"

    def checks(self, slot: str) -> Path:
        """The part of the proxy's configuration that belongs to the release in the slot."""
        return self.config / "checks" / f"{slot}.cfg"

    def private_environment(self, slot: str, service: str) -> Path:
        """What keeps a service that is not live yet to itself; there only while it does, and gone with the next boot."""
        return self.prefix / "run/parity" / f"{self.stack}-{service}-{slot}.env"

    def live_slot(self) -> str | None:
        """The live slot, or None before the first release."""
        try:
            target = os.readlink(self.config / "live")
        except FileNotFoundError:
            return None
        return target if target in SLOTS else None

    def idle_slot(self) -> str:
        """The slot the next release goes to."""
        live = self.live_slot()
        return other(live) if live else SLOTS[0]

    def set_live(self, slot: str | None) -> None:
        """Make `slot` live for everything that starts from now on; None for no slot at all."""
        if slot is None:
            (self.config / "live").unlink(missing_ok=True)
        else:
            link_atomically(self.config / "live", slot)

    def release_in(self, slot: str | None) -> str | None:
        """The release a slot holds, or None."""
        try:
            return Path(os.readlink(self.slot(slot))).name if slot else None
        except FileNotFoundError:
            return None

    def has_venv(self, key: str) -> bool:
        """Whether a virtual environment was built to its end."""
        return (self.venv(key) / ".complete").exists()

    def manifest(self, release: str) -> dict:
        """What `stage` wrote once the release was complete; empty when it never was."""
        try:
            return json.loads((self.release(release) / "manifest.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
