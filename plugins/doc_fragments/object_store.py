# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that work with objects, wherever they are."""

    DOCUMENTATION = r"""
options:
  backend:
    description: Where the buckets are.
    type: str
    choices: [filesystem, s3, supabase]
    required: true
  path:
    description: With O(backend=filesystem), the directory of the buckets.
    type: path
  owner_id:
    description: With O(backend=filesystem), whose files that are written become. Whoever runs the module when not given.
    type: int
    default: -1
  group_id:
    description: With O(backend=filesystem), the group of files that are written.
    type: int
    default: -1
  supabase_url:
    description: With O(backend=supabase), the project's address.
    type: str
  supabase_key:
    description: With O(backend=supabase), the C(service_role) key, a JWT.
    type: str
  s3_endpoint:
    description: With O(backend=s3), the server's address. AWS when empty.
    type: str
    default: ""
  s3_region:
    description: With O(backend=s3), the region.
    type: str
    default: us-east-1
  s3_access_key:
    description: With O(backend=s3), the access key.
    type: str
  s3_secret_key:
    description: With O(backend=s3), the secret key.
    type: str
  ca_file:
    description: Certificate authorities (PEM) the address is checked with. The system's when not given.
    type: path
  timeout:
    description: Seconds after which a request counts as not answered.
    type: float
    default: 30
"""

    BUCKET = r"""
options:
  bucket:
    description: The bucket.
    type: str
    required: true
"""
