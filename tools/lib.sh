# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tools share. Source it; it moves to the root of the checkout and puts the virtual environment first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"
export ANSIBLE_CONFIG="$PWD/ansible.cfg" ANSIBLE_COLLECTIONS_PATH="$PWD/.cache/collections"

say() { printf '%s\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# phase NAME COMMAND...: shows which phase runs, and how long it took. Output goes to a log, and to the screen on failure.
phase() {
  local name=$1 started=$SECONDS log
  shift
  mkdir -p .cache/logs
  log=.cache/logs/${name//[^a-zA-Z0-9]/-}.log
  printf '%-44s' "$name"
  if "$@" >"$log" 2>&1; then
    printf '%4d s\n' $((SECONDS - started))
  else
    local code=$?
    printf 'failed after %d s (log: %s)\n' $((SECONDS - started)) "$log"
    tail -n 60 "$log" >&2
    return $code
  fi
}
