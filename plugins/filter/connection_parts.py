# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the URL of a database or a broker says, read by the parsers that connect with it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: connection_parts
short_description: Host, port, user, password and database of a URL
version_added: 0.1.0
description:
  - Takes the URL of a PostgreSQL database (C(postgresql://), also with a driver as in C(postgresql+asyncpg://)) or of a broker apart,
    with the parsers that are used to connect. Brokers are Redis (C(redis://), C(rediss://)), RabbitMQ (C(amqp://), C(amqps://)) and
    Redis behind Sentinel (C(sentinel://h1:26379;sentinel://h2:26379/0)), of which the first server is read.
  - Of a URL that is missing or cannot be read every part is empty, and the port is 0. The playbook preflight says what is wrong with it,
    together with everything else, before anything uses the parts.
author: The Parity authors (!UNKNOWN)
positional: _input
options:
  _input:
    description: The URL.
    type: str
    required: true
"""

EXAMPLES = r"""
stack_broker_port: "{{ (stack_broker_url | parity.stack.connection_parts).port }}"
"""

RETURN = r"""
_value:
  description:
    - The keys C(host), C(port), C(user), C(password), C(database) and C(kind). The database of Redis is a number, that of RabbitMQ the
      name of a virtual host.
    - The kind is C(postgresql), C(redis), C(rabbitmq) or C(sentinel).
  type: dict
"""

from ansible_collections.parity.stack.plugins.module_utils import brokers
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql

_NOTHING = {"host": "", "port": 0, "user": "", "password": "", "database": "", "kind": ""}


def connection_parts(url: str) -> dict:
    try:
        if brokers.known(url):
            broker = brokers.read(url, databases=None)
            return {name: getattr(broker, name) for name in _NOTHING}
        target = postgresql.parse_url(url, pooled=True)
    except ParityError:
        return dict(_NOTHING)
    return {name: getattr(target, name) for name in _NOTHING if name != "kind"} | {"kind": "postgresql"}


class FilterModule:
    """Ansible finds the filter by this class."""

    def filters(self) -> dict:
        return {"connection_parts": connection_parts}
