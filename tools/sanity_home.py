# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""sanity_home.py DIRECTORY: a home for ansible-test, in which it needs nothing but a package index.

ansible-test builds a virtual environment for each test, and wants to download a script that installs pip into it from a
host of its own. Here that script is one that uses the pip every Python brings along. ansible-test also clears the
environment, so what pip was told there (index, proxy, certificates) goes into the home's pip.conf.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

GET_PIP = '''\
"""Installs pip with what Python brings along. Called as get-pip.py is: options and requirements of pip as arguments."""
import os
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
# Older versions of pip trust only the certificates they ship, newer ones those of the system.
if "PIP_CERT" not in os.environ and os.path.exists("{certificates}"):
    os.environ["PIP_CERT"] = "{certificates}"
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=True)
'''


def pip_version() -> str:
    """The version of pip that the installed ansible-test asks for."""
    source = distribution("ansible-core").locate_file("ansible_test/_internal/python_requirements.py")
    found = re.search(r"\bpip='([0-9.]+)'", Path(str(source)).read_text(encoding="utf-8"))
    if not found:
        sys.exit(f"error: {source} no longer names the version of pip it wants. Adapt pip_version() in {__file__}.")
    return found[1]


def pip_settings() -> dict[str, str]:
    """What pip.conf, pip's variables and those of a proxy say here, as the settings of one pip.conf."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = {"quiet": "1"}
    # Files are listed from the weakest to the strongest; variables are stronger than any of them.
    for line in sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        name, value = line.split("=", 1)
        section, key = name.rsplit(".", 1)
        if section in (":env:", "global", "install"):
            settings[key] = value.strip("'").replace("\\n", " ")
    for variable in ("https_proxy", "HTTPS_PROXY"):
        if os.environ.get(variable):
            settings.setdefault("proxy", os.environ[variable])
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.environ.get(variable):
            settings.setdefault("cert", os.environ[variable])
    return settings


def main(home: Path) -> None:
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    script = cache / f"get_pip_{pip_version().replace('.', '_')}.py"
    script.write_text(GET_PIP.replace("{certificates}", SYSTEM_CERTIFICATES), encoding="utf-8")

    configuration = configparser.RawConfigParser()
    configuration["global"] = pip_settings()
    target = home / ".config" / "pip" / "pip.conf"
    target.parent.mkdir(parents=True, exist_ok=True)
    # An index may be named with its password.
    target.touch(mode=0o600)
    with target.open("w", encoding="utf-8") as stream:
        configuration.write(stream)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
