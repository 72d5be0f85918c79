# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: rabbitmq_definitions
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: RabbitMQ's definitions of one virtual host and its one user
description:
  - Makes what RabbitMQ loads at each start with C(load_definitions). The user may do everything in its virtual host, and nothing in
    another one. Where definitions are loaded at the first start, RabbitMQ makes no user C(guest).
  - Holds the password's salted hash (SHA-256), never the password. The salt comes from the names and the password, so that the same
    inputs give the same definitions.
options:
  _input:
    description: Name of the user. C(guest) is refused.
    type: str
    required: true
  password:
    description: The user's password.
    type: str
    required: true
  virtual_host:
    description: Name of the virtual host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write what RabbitMQ loads at each start
  ansible.builtin.copy:
    content: "{{ 'shop' | parity.stack.rabbitmq_definitions(vault_broker_password, 'shop') | to_nice_json }}"
    dest: /etc/rabbitmq/definitions.json
    group: rabbitmq
    mode: "0640"
  diff: false
"""

RETURN = r"""
_value:
  description: The definitions.
  type: dict
"""

import base64
import hashlib

from ansible.errors import AnsibleFilterError

_EVERYTHING = ".*"


def rabbitmq_definitions(user: str, password: str, virtual_host: str) -> dict:
    if not user or user == "guest":
        raise AnsibleFilterError(
            f"broker_user is {user!r}. RabbitMQ needs a user of the application's own, and guest is everybody's: "
            "name one in stack_broker_url, as in amqp://user:password@host:5672/vhost"
        )
    if not password or not virtual_host:
        raise AnsibleFilterError("broker_password or broker_vhost is empty. Name both, as in amqp://user:password@host:5672/vhost")
    return {
        "vhosts": [{"name": virtual_host}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash(password, f"{virtual_host}\0{user}\0{password}"),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
        ],
        "permissions": [{"user": user, "vhost": virtual_host, "configure": _EVERYTHING, "write": _EVERYTHING, "read": _EVERYTHING}],
    }


def password_hash(password: str, seed: str) -> str:
    """RabbitMQ's form of a hash: four bytes of salt, and the SHA-256 of salt and password."""
    salt = hashlib.sha256(seed.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


class FilterModule:
    def filters(self) -> dict:
        return {"rabbitmq_definitions": rabbitmq_definitions}
