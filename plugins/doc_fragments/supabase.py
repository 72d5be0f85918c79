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
      - The project's C(service_role) key, a JWT. A key of another role, one that has expired and one of the kind
        C(sb_secret_...) are refused before anything is asked, because the service tells such a key that nothing exists.
    type: str
    required: true
  ca_file:
    description: Certificate authorities (PEM) the address is checked with. The system's when not given.
    type: path
  timeout:
    description: Seconds after which a request counts as not answered.
    type: float
    default: 10
  attempts:
    description:
      - How often a request is sent that was not answered, or answered with 429 or 5xx. The pause doubles, and is at least
        what C(Retry-After) asks for.
    type: int
    default: 5
"""
