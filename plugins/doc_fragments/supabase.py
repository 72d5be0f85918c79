# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that talk to Supabase Storage."""

    DOCUMENTATION = r"""
options:
  url:
    description: The project's address.
    type: str
    required: true
  service_role_key:
    description:
      - The project's C(service_role) key, a JWT. The module refuses a key of another role, an expired key and a key of the kind
        C(sb_secret_...) before it sends a request, because the service answers such a key as if nothing existed.
    type: str
    required: true
  ca_file:
    description: Certificate authorities (PEM) that verify the address. By default those of the system.
    type: path
  attempts:
    description:
      - How often the module sends a request that gets no answer, or the answer 429 or 5xx. The pause doubles each time, and is at
        least as long as C(Retry-After) says.
    type: int
    default: 5
"""
