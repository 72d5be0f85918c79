#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Keep a systemd unit running with the configuration that is on disk
version_added: 0.1.0
description:
  - Enables, starts, stops, reloads or restarts a systemd unit, so that it runs with the configuration on disk.
  - A handler is lost when a later task fails, and the next run finds nothing to notify. This module compares instead.
    It knows which configuration the running unit was started or reloaded with, and acts when the files differ.
  - In check mode it predicts the start of a unit that does not exist yet, so that a dry run works on a host whose packages
    are not installed.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes]
options:
  name:
    description: Name of the unit, with its suffix where it is not a service.
    type: str
    required: true
  state:
    description:
      - Whether the unit runs. V(as_is) is for a unit that somebody else starts and stops; where it runs, it runs with the
        configuration on disk.
    type: str
    choices: [started, stopped, as_is]
    default: started
  enabled:
    description: Whether the unit starts at boot. Left as it is when not given.
    type: bool
  config:
    description: Files and directories the unit reads. The module brings a change in any of them into the running unit.
    type: list
    elements: path
    default: []
  on_change:
    description: How a running unit takes a changed configuration.
    type: str
    choices: [reload, restart]
    default: restart
  restart_on:
    description:
      - Whether earlier tasks have changed files for which a running unit is restarted, one value for each task.
      - A dry run writes no files, so there is nothing to compare. With these it predicts the restart that the real run makes.
    type: list
    elements: bool
    default: []
  reload_on:
    description: The same for files for which a running unit is reloaded. Where both have changed, the unit is restarted.
    type: list
    elements: bool
    default: []
"""

EXAMPLES = r"""
- name: Write the HAProxy configuration
  ansible.builtin.template:
    src: haproxy.cfg.j2
    dest: /etc/haproxy/haproxy.cfg
    mode: "0640"
  register: configuration

- name: Start HAProxy with the configuration on disk
  parity.stack.service:
    name: haproxy
    enabled: true
    config: [/etc/haproxy/haproxy.cfg]
    on_change: reload
    reload_on: ["{{ configuration is changed }}"]
"""

RETURN = r"""
steps:
  description: The systemctl verbs that were carried out, or that would be in check mode.
  type: list
  elements: str
  returned: always
  sample: [enable, restart]
unit:
  description: The unit as systemd reports it afterwards (in check mode, before).
  type: dict
  returned: always
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import systemd
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer


def converge(module: AnsibleModule) -> dict:
    wanted = module.params
    config = [Path(path) for path in wanted["config"]]
    unit = systemd.read_unit(module.run_command, wanted["name"])
    if unit.masked and wanted["state"] == "started":
        raise ParityError(f"{unit.name} is masked, so it cannot be started. Unmask it: systemctl unmask {unit.name}")
    options = {key: wanted[key] for key in ("state", "enabled", "on_change")}
    written = "restart" if any(wanted["restart_on"]) else "reload" if any(wanted["reload_on"]) else ""
    verbs = systemd.steps(unit, config=config, written=written, **options)
    before = unit
    if verbs and not module.check_mode:
        unit = systemd.apply(module.run_command, unit, verbs, config)
    return {
        "changed": bool(verbs),
        "steps": verbs,
        "unit": unit.properties,
        "diff": {
            "before": f"{before.name}: {before.properties.get('ActiveState', 'unknown')}\n",
            "after": f"{before.name}: {', '.join(verbs) or before.properties.get('ActiveState', 'unknown')}\n",
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped", "as_is"], "default": "started"},
            "enabled": {"type": "bool"},
            "config": {"type": "list", "elements": "path", "default": []},
            "on_change": {"type": "str", "choices": ["reload", "restart"], "default": "restart"},
            "restart_on": {"type": "list", "elements": "bool", "default": []},
            "reload_on": {"type": "list", "elements": "bool", "default": []},
        },
        supports_check_mode=True,
    )
    answer(module, converge)


if __name__ == "__main__":
    main()
