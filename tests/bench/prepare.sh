#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the reference finds on its servers before its first deployment: units, and the wheels a release's lock file names (stdin).
set -e
apt-get install -y -qq curl >/dev/null
mkdir -p /opt/reference/wheels /opt/reference/releases; tar xf - -C /opt/reference/wheels
for service in api worker; do
  sed -e '/^PORT=/d; /^WORKER_METRICS_PORT=/d; /^APP_RELEASE=/d' "/etc/docpipe/$(readlink /etc/docpipe/live)/$service.env" \
    >/opt/reference/$service.env
done
printf 'PORT=8101\nTASK_QUEUE=reference\n' >>/opt/reference/api.env
printf 'WORKER_METRICS_PORT=9201\nTASK_QUEUE=reference\n' >>/opt/reference/worker.env
chmod 600 /opt/reference/*.env
for service in api worker; do
  command='-m uvicorn docpipe.api:app --host 127.0.0.1 --port 8101 --no-access-log'
  [ $service = api ] || command='-m celery --app docpipe.worker:app worker --hostname reference@%H --queues reference --concurrency 2'
  printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nUser=docpipe\nWorkingDirectory=/opt/reference/current\nEnvironmentFile=/opt/reference/%s.env
EnvironmentFile=/opt/reference/release.env\nExecStart=/opt/reference/current/venv/bin/python %s\n' "$service" "$command" \
    >/etc/systemd/system/reference-$service.service
done
systemctl daemon-reload
