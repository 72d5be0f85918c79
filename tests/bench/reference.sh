#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a deployment script written by hand does on a host, over one ssh: reference.sh RELEASE, with the release as a tar on stdin.
set -e
release=$1; to=/opt/reference/releases/$release
mkdir -p "$to"; tar xf - -C "$to"
/opt/docpipe/bin/uv --offline venv -q --python /usr/bin/python3 "$to/venv"
/opt/docpipe/bin/uv --offline pip install -q --no-index --find-links /opt/reference/wheels --require-hashes \
  --python "$to/venv/bin/python" -r "$to/requirements.lock"
/opt/docpipe/bin/uv --offline pip install -q --no-index --no-deps --python "$to/venv/bin/python" "$to"/*.whl
echo "APP_RELEASE=$release" >/opt/reference/release.env
ln -sfn "releases/$release" /opt/reference/current
systemctl restart reference-api reference-worker
for _ in $(seq 1200); do
  curl -fsS -o /dev/null http://127.0.0.1:8101/ready 2>/dev/null && curl -fsS -o /dev/null http://127.0.0.1:9201/metrics 2>/dev/null && break
  sleep 0.05
done
curl -fsS http://127.0.0.1:8101/version | grep -q "\"$release\""
find /opt/reference/releases -mindepth 1 -maxdepth 1 -mmin +1 -exec rm -rf {} +
