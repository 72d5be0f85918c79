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
  - Takes the URL of a PostgreSQL database (C(postgresql://), also with a driver as in C(postgresql+asyncpg://)) or of a Redis broker
    (C(redis://), C(rediss://)) apart, with the parsers that are used to connect.
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
  description: The keys C(host), C(port), C(user), C(password) and C(database). The database of a broker is a number.
  type: dict
"""

from ansible_collections.parity.stack.plugins.module_utils import redis
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql

_NOTHING = {"host": "", "port": 0, "user": "", "password": "", "database": ""}


def connection_parts(url: str) -> dict:
    try:
        if str(url).startswith(("redis:", "rediss:")):
            read: postgresql.Target | redis.Place = redis.parse_url(url, databases=None)
        else:
            read = postgresql.parse_url(url, pooled=True)
    except ParityError:
        return dict(_NOTHING)
    return {name: getattr(read, name) for name in _NOTHING}


class FilterModule:
    """Ansible finds the filter by this class."""

    def filters(self) -> dict:
        return {"connection_parts": connection_parts}
