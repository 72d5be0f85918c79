#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh RELEASE: what such a script looks at to know that there is nothing to do.
set -e
systemctl is-active -q reference-api reference-worker && curl -fsS http://127.0.0.1:8101/version | grep -q "\"$1\""
