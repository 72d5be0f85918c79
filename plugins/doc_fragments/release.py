# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of the modules that read or change the releases of a host (module_utils/release/context.py has their specification)."""

    DOCUMENTATION = r"""
options:
  context:
    description:
      - Which stack this is about, on which host, and who changes it. One dictionary, the same for every module of a release; the role
        P(parity.stack.release#role) builds it once, as C(release_context).
    type: dict
    required: true
    suboptions:
      stack:
        description: Name of the stack, part of every path and unit name.
        type: str
        required: true
      user:
        description: The user the services run as.
        type: str
        required: true
      host:
        description: The name of this host in the inventory, for the journal.
        type: str
      run:
        description: Identifier of this run, the same on every host.
        type: str
      operator:
        description: Who runs this, for the journal and the lock.
        type: str
        default: unknown
      job:
        description: The AWX job this run is, for the journal and the lock.
        type: str
      drain_seconds:
        description: How many seconds the requests of a slot may take to end before it is stopped.
        type: int
        default: 30
      build:
        description: >-
          Commands that build a release on the host once its files are there, as P(parity.stack.commands#filter) returns them.
          They run as the user, in the release's virtual environment, with the environment of the first of the services.
        type: list
        elements: dict
        default: []
        suboptions:
          command:
            description: The words of the command. C({build}) stands for the directory of the release that it may write to.
            type: list
            elements: str
            required: true
          environment:
            description: Settings for this command alone, over those of the service. No secrets; they are shown.
            type: dict
            default: {}
          seconds:
            description: How long the command may take.
            type: int
            default: 900
      python:
        description: The Python of virtual environments, as M(parity.stack.python_info) takes it. The host's C(python3) by default.
        type: dict
        suboptions:
          wanted:
            description: A version such as V(3.13), or the path of an interpreter. Empty for the host's C(python3).
            type: str
            default: ""
          downloads:
            description: What uv would install, from P(parity.stack.python_downloads#lookup).
            type: dict
            default: {}
      services:
        description: The services of the stack that this host runs.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the service. Its environment file is NAME.env.
            type: str
            required: true
          unit:
            description: The systemd template unit without C(@) and suffix; its instances are V(blue) and V(green).
            type: str
            required: true
          ports:
            description: A port for each slot, with the keys V(blue) and V(green). Empty for a service without a port.
            type: dict
            default: {}
          port_variable:
            description: Environment variable that tells the service its port.
            type: str
            default: PORT
          health_path:
            description: Path that answers 200 once the service can work. Without one, a service that has run for 2 seconds is healthy.
            type: str
            default: ""
          version_path:
            description: Path that answers JSON whose C(release) is the running release. Not asked for when not given.
            type: str
          ping:
            description: >-
              Arguments to C(python -m) that succeed once the service is ready, run as the service's user with its environment;
              C({slot}) stands for the slot.
            type: list
            elements: str
            default: []
          ping_advises:
            description: >-
              Settings that the JSON which the ping prints should hold, for example V({task_acks_late: true}) for
              C(celery inspect conf --json). Another value is a warning.
            type: dict
            default: {}
          private_environment:
            description: >-
              Environment variables, over those of O(context.services[].environment), that keep the canary from taking work;
              C({slot}) stands for the slot.
            type: dict
            default: {}
          go_public:
            description: >-
              Commands, each the arguments to C(python -m), that let the canary take work when it is promoted. One with C({queue})
              in it is run for each of I(queues).
            type: list
            elements: list
            default: []
          queues:
            description: Queues the service takes work from once it is live.
            type: list
            elements: str
            default: []
          environment:
            description: Settings passed as environment variables. They are shown in diffs.
            type: dict
            default: {}
          start_seconds:
            description: How long the service may take until it is healthy, in seconds.
            type: int
            default: 60
          singleton:
            description: >-
              The service runs once in the whole stack. It does not start with the canary, and the one before has ended when it starts.
            type: bool
            default: false
          directory:
            description: >-
              The service is a server of the files in this directory: one below C(build) or C(app) of the release, or an absolute one.
              Staging the release makes it C(/etc/STACK/SLOT/NAME.files).
            type: str
            default: ""
  secrets:
    description: Environment variables whose values are never shown, by service name.
    type: dict
    default: {}
"""
