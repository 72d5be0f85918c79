#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: object_backup
short_description: Back up and restore the objects of buckets
version_added: 0.1.0
description:
  - Keeps each content once under its checksum, and writes a manifest of each backup's objects last. Copies only what the previous
    backup does not have.
  - With a key of age, contents are encrypted before they are kept. Manifests, which name objects and their checksums, are not.
  - A restore writes the objects that are missing, reads each one after writing it, and never removes anything.
requirements: ["boto3 (for S3; Debian: python3-boto3)", "age (to encrypt)", "rclone (for off-site copies)"]
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.object_store]
options:
  state:
    description:
      - C(present) makes a backup unless nothing changed since the last one; C(verified) reads everything in one and compares
        checksums; C(restored) restores one; C(pruned) removes the oldest, and contents that no backup has any more; C(copied) makes
        off-site copies of all, and removes the off-site copies that retention does not keep.
    type: str
    choices: [present, verified, restored, pruned, copied]
    default: present
  buckets:
    description:
      - Names of the buckets. With O(state=present), one that is not there is an error only when the last backup has objects of it.
    type: list
    elements: str
    default: []
  directory:
    description: Directory of the backups, which has to be there. It is for backups of objects alone.
    type: path
    required: true
  name:
    description: First part of the names of the manifests.
    type: str
    required: true
  label:
    description: With O(state=present), what the backup is made for. Part of its name.
    type: str
    default: ""
  file:
    description: With O(state=verified) and O(state=restored), name of a manifest. The newest when not given.
    type: str
  replace:
    description: With O(state=restored), whether objects that are different now are replaced. They are listed either way.
    type: bool
    default: false
  keep:
    description: With O(state=pruned) and O(state=copied), how many backups stay. The newest always does.
    type: int
    default: 7
  keep_daily:
    description: With O(state=pruned) and O(state=copied), of how many days the newest stays, beside the last ones.
    type: int
    default: 0
  keep_weekly:
    description: With O(state=pruned) and O(state=copied), of how many weeks the newest stays.
    type: int
    default: 0
  keep_monthly:
    description: With O(state=pruned) and O(state=copied), of how many months the newest stays.
    type: int
    default: 0
  announced:
    description: With O(state=pruned) and O(state=copied) in check mode, how many backups the run would have made by now.
    type: int
    default: 0
  age_recipient:
    description: Public key of age that contents are encrypted to.
    type: str
    default: ""
  age_identity:
    description:
      - Secret key of age. It is needed to restore what is encrypted, and makes O(state=present) and O(state=verified) prove that it
        can be decrypted. Without O(age_recipient), contents are encrypted to its public key.
    type: str
    default: ""
  copy_to:
    description: With O(state=copied), the options of a remote of rclone and C(path), a directory for these backups alone.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Back up the documents
  parity.stack.object_backup:
    backend: filesystem
    path: /srv/objects
    buckets: [documents]
    directory: /var/backups/shop-objects
    name: shop
"""

RETURN = r"""
file:
  description: Name of the manifest of the backup that was made, or of the one that is still right.
  type: str
  returned: with O(state=present)
objects:
  description: How many objects are in the backup.
  type: int
  returned: with O(state=present) and O(state=verified)
not_decrypted:
  description: For how many of them only what is kept was read, because the secret key is not here.
  type: int
  returned: with O(state=verified)
copied:
  description: How many were copied, or would be.
  type: int
  returned: with O(state=present)
copied_bytes:
  description: Their size.
  type: int
  returned: with O(state=present)
restored:
  description: Objects that were written, or would be, as bucket/key.
  type: list
  elements: str
  returned: with O(state=restored)
different:
  description: Objects that are not as they were. They stay unless O(replace=true).
  type: list
  elements: str
  returned: with O(state=restored)
later:
  description: Objects that the backup does not have. They stay.
  type: list
  elements: str
  returned: with O(state=restored)
reason:
  description: Why a dry run cannot say what would be copied.
  type: str
  returned: with O(state=present) in check mode, while boto3 is missing
removed:
  description: Manifests that were removed, or would be.
  type: list
  elements: str
  returned: with O(state=pruned) and O(state=copied)
sent:
  description: Manifests that got an off-site copy, or would get one.
  type: list
  elements: str
  returned: with O(state=copied)
left_out:
  description:
    - With O(state=copied), manifests that got no off-site copy, because some of their contents are missing here. With
      O(state=present), buckets that do not exist yet.
  type: list
  elements: str
  returned: with O(state=present) and O(state=copied)
"""

from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.backup import manifest, objects, offsite, repository
from ansible_collections.parity.stack.plugins.module_utils.backup.age import Age
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.storage import s3
from ansible_collections.parity.stack.plugins.module_utils.storage import stores as bucket_stores

MISSING = (127, "", "")


def problems(params: dict) -> list[str]:
    names = ("directory", "name", "label", "keep", "age_recipient", "age_identity", "copy_to")
    found = manifest.input_problems(**{name: params[name] for name in names})
    if params["state"] == "copied" and not params["copy_to"]:
        found.append("copy_to is empty. Give the options of a remote of rclone and the path in it.")
    if params["state"] in ("present", "restored") and not params["buckets"]:
        found.append("buckets is empty. Name at least one bucket.")
    if params["file"] and "/" in params["file"]:
        found.append(f"file is {params['file']!r}. Give the name of a manifest without a directory.")
    return found


class Tools:
    """The programs on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module

    def run(self, words: list[str], stdin: str, variables: dict[str, str] | None = None) -> tuple[int, str, str]:
        path = self._module.get_bin_path(words[0])
        if path is None:
            return MISSING
        return self._module.run_command([path, *words[1:]], data=stdin, binary_data=True, environ_update=variables)

    def age(self) -> Age:
        recipient, identity = self._module.params["age_recipient"], self._module.params["age_identity"]
        announces = self._module.check_mode and self._module.params["state"] == "present"
        if announces and identity and self._module.get_bin_path("age") is None:
            # The real run installs it. The recipient is unknown until then, but nothing is encrypted to anybody yet either.
            return Age(self.run, recipient or "nobody yet")
        return Age(self.run, recipient, identity)

    def off_site_place(self) -> offsite.OffSitePlace:
        options = self._module.params["copy_to"]
        mask_module(self._module, offsite.secrets(options))
        return offsite.OffSitePlace(self.run, options)


def run(module: AnsibleModule) -> dict:
    params, check = module.params, module.check_mode
    found = problems(params)
    if found:
        raise ParityError(" | ".join(found))
    directory = Path(params["directory"])
    if not directory.is_dir():
        if check and params["state"] in ("present", "pruned", "copied"):
            return _announced(params)
        raise ParityError(f"{directory} is no directory. Make it with mode 0700; the role backup does.")
    if check:
        return _work(Tools(module), params, directory, check)
    with objects.locked(directory):
        return _work(Tools(module), params, directory, check)


def _announced(params: dict) -> dict:
    """What the first backup would do, before its directory, and perhaps boto3, exist."""
    if params["state"] == "pruned":
        return {"changed": False, "removed": []}
    if params["state"] == "copied":
        return {"changed": bool(params["announced"]), "sent": [], "removed": [], "left_out": []}
    try:
        stores = _stores(params, Path(params["directory"]))
    except s3.NoDriver:
        return {"changed": True, "file": None, "reason": "boto3 is not installed yet; the run installs it and makes the first backup"}
    sizes = [found.size for store in stores for found in store.list()]
    return {"changed": bool(stores), "file": None, "objects": len(sizes), "copied": len(sizes), "copied_bytes": sum(sizes)}


def _work(tools: Tools, params: dict, directory: Path, check: bool) -> dict:
    name = params["name"]
    keep = repository.Keep(params["keep"], params["keep_daily"], params["keep_weekly"], params["keep_monthly"])
    if params["state"] == "pruned":
        return objects.prune(directory, name, keep, params["announced"], check=check)
    if params["state"] == "copied":
        return objects.copy(directory, name, keep, tools.off_site_place(), params["announced"], check=check)
    age = tools.age()
    if params["state"] == "verified":
        backup = objects.chosen(directory, name, params["file"])
        return {"changed": False, "file": backup.path.name, **objects.verify(directory, backup, age)}
    if params["state"] == "restored":
        stores = [bucket_stores.open_store(params, bucket) for bucket in params["buckets"]]
        backup = objects.chosen(directory, name, params["file"])
        result = objects.restore(directory, backup, stores, age, replace=params["replace"], check=check)
        return {"file": backup.path.name, **result}
    stores = _stores(params, directory)
    left_out = [bucket for bucket in params["buckets"] if bucket not in {store.bucket for store in stores}]
    result = objects.create(directory, name, params["label"], stores, lambda: datetime.now(UTC), age, check=check)
    return {**result, "left_out": left_out}


def _stores(params: dict, directory: Path) -> list[bucket_stores.Store]:
    return objects.to_back_up(
        directory, params["name"], params["buckets"], lambda bucket: bucket_stores.open_store(params, bucket)
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **bucket_stores.OPTIONS,
            "state": {"type": "str", "choices": ["present", "verified", "restored", "pruned", "copied"], "default": "present"},
            "buckets": {"type": "list", "elements": "str", "default": []},
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "label": {"type": "str", "default": ""},
            "file": {"type": "str"},
            "replace": {"type": "bool", "default": False},
            "keep": {"type": "int", "default": 7},
            "keep_daily": {"type": "int", "default": 0},
            "keep_weekly": {"type": "int", "default": 0},
            "keep_monthly": {"type": "int", "default": 0},
            "announced": {"type": "int", "default": 0},
            "age_recipient": {"type": "str", "default": ""},
            "age_identity": {"type": "str", "default": "", "no_log": True},
            "copy_to": {"type": "dict", "default": {}},
        },
        required_if=bucket_stores.REQUIRED_IF,
        supports_check_mode=True,
    )
    answer(module, run)


if __name__ == "__main__":
    main()
