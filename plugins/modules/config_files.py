#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Several configuration files at once, all of them checked before any is replaced, and the units that read them
version_added: 0.1.0
description:
  - Files that belong together are written in one call. Each that differs is checked by the program that reads it; only when every
    one is fit for use they are replaced, each in one rename.
  - A task a file would leave the first ones replaced when a later one is refused, and cost a round trip each.
  - Units named with the files start at boot, and where they run, they run with what is on disk afterwards, whoever wrote it.
    In check mode what is about to be written counts. They are started and stopped by M(parity.stack.service), or by
    M(parity.stack.release).
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes]
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file is.
        type: path
        required: true
      content:
        description: What it holds, as text.
        type: str
        required: true
      mode:
        description: Permissions, as an octal string.
        type: str
        default: '0644'
      validate:
        description: >-
          Command that ends with 0 for a good file; C(%s) stands for the file. In check mode it is left out where the program is not
          installed yet.
        type: str
  directories:
    description: Directories to make before, owned by root.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the directory is.
        type: path
        required: true
      mode:
        description: Permissions, as an octal string.
        type: str
        default: '0755'
      group:
        description: Group of the directory. In check mode one that does not exist yet is fine.
        type: str
        default: root
  units:
    description: Units of systemd that read the files. Each starts at boot.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the unit, with its suffix where it is not a service.
        type: str
        required: true
      config:
        description: Files and directories the unit reads. A change in any of them is brought into the unit where it runs.
        type: list
        elements: path
        default: []
      on_change:
        description: How a running unit takes a changed configuration.
        type: str
        choices: [reload, restart]
        default: reload
  boot:
    description: Units that only start at boot, such as those among the files.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Write the proxy configuration of each slot
  parity.stack.config_files:
    files:
      - path: /etc/shop/blue/proxy.cfg
        content: "{{ lookup('ansible.builtin.template', 'proxy.cfg.j2') }}"
        validate: haproxy -c -f %s
    units:
      - name: shop-proxy.service
        config: [/etc/shop/blue/proxy.cfg]
"""

RETURN = r"""
changed_paths:
  description: The files and directories that were changed, or would be.
  type: list
  elements: str
  returned: always
steps:
  description: The systemctl verbs that were carried out for each unit, or that would be in check mode; empty where none was needed.
  type: dict
  returned: always
  sample: {shop-proxy.service: [enable, reload]}
"""

import grp
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import systemd
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.files import explain, write_atomically

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "validate": {"type": "str"},
}
DIRECTORY = {
    "path": {"type": "path", "required": True},
    "mode": {"type": "str", "default": "0755"},
    "group": {"type": "str", "default": "root"},
}
UNIT = {
    "name": {"type": "str", "required": True},
    "config": {"type": "list", "elements": "path", "default": []},
    "on_change": {"type": "str", "choices": ["reload", "restart"], "default": "reload"},
}


def permissions(mode: str) -> int:
    try:
        return int(mode, 8)
    except ValueError:
        raise ParityError(f"mode {mode!r} is no octal number such as 0644") from None


def group_id(name: str, check_mode: bool) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if check_mode:
            return -1
        raise ParityError(f"there is no group {name!r} on this host") from None


def current(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else None


def differs(file: dict) -> bool:
    path = Path(file["path"])
    if path.is_dir():
        raise ParityError(f"{path} is a directory; it has to be a file")
    return current(path) != file["content"] or path.stat().st_mode & 0o7777 != permissions(file["mode"])


def misses(directory: dict, check_mode: bool) -> bool:
    path, gid = Path(directory["path"]), group_id(directory["group"], check_mode)
    if not path.is_dir():
        return True
    status = path.stat()
    return status.st_mode & 0o7777 != permissions(directory["mode"]) or gid not in (-1, status.st_gid) or status.st_uid != 0


def validate(module: AnsibleModule, file: dict, folder: str) -> None:
    words = shlex.split(file["validate"])
    if module.check_mode and not shutil.which(words[0]):
        return
    copy = Path(folder) / Path(file["path"]).name
    copy.write_text(file["content"], encoding="utf-8")
    code, out, err = module.run_command([word.replace("%s", str(copy)) for word in words])
    if code != 0:
        said = (err.strip() or out.strip())[-2000:].replace(str(copy), file["path"])
        raise ParityError(f"{file['path']} would not be fit for use, so nothing was changed: {words[0]} says: {said}")


def converge(module: AnsibleModule) -> dict:
    wanted = module.params
    directories = [item for item in wanted["directories"] if misses(item, module.check_mode)]
    files = [item for item in wanted["files"] if differs(item)]
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            if file["validate"]:
                validate(module, file, folder)
    diff = [
        {"before": current(Path(file["path"])) or "", "after": file["content"], "before_header": file["path"], "after_header": file["path"]}
        for file in files
    ]
    if not module.check_mode:
        for item in directories:
            make(item)
        for file in files:
            write_atomically(Path(file["path"]), file["content"], mode=permissions(file["mode"]))
    paths = [item["path"] for item in [*directories, *files]]
    units = [*wanted["units"], *({"name": name, "config": [], "on_change": "reload"} for name in wanted["boot"])]
    steps = {unit["name"]: bring_in_line(module, unit, files) for unit in units}
    diff += [{"before": "", "after": f"{name}: {', '.join(verbs)}\n", "after_header": name} for name, verbs in steps.items() if verbs]
    return {"changed": bool(paths or any(steps.values())), "changed_paths": paths, "steps": steps, "diff": diff}


def bring_in_line(module: AnsibleModule, wanted: dict, files: list[dict]) -> list[str]:
    """Let a unit start at boot and, where it runs, run with the files; the verbs it took, or would take."""
    config = [Path(path) for path in wanted["config"]]
    coming = {Path(file["path"]): file["content"] for file in files} if module.check_mode else {}
    unit = systemd.read_unit(module.run_command, wanted["name"])
    verbs = systemd.steps(unit, state="as_is", enabled=True, config=config, on_change=wanted["on_change"], coming=coming)
    if verbs and not module.check_mode:
        systemd.apply(module.run_command, unit, verbs, config)
    return verbs


def make(directory: dict) -> None:
    path = Path(directory["path"])
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, 0, group_id(directory["group"], False))
    path.chmod(permissions(directory["mode"]))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": FILE},
            "directories": {"type": "list", "elements": "dict", "default": [], "options": DIRECTORY},
            "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT},
            "boot": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    answer(module, converge, explain)


if __name__ == "__main__":
    main()
