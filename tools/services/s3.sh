# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in a container of Debian 13, whose gateway can keep its objects in a file (Debian 12's cannot): an S3 server for tester.
set -eux
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends radosgw >/dev/null
mkdir /var/lib/rgw
printf '%s\n' '[client]' rgw_backend_store=dbstore rgw_config_store=dbstore dbstore_db_dir=/var/lib/rgw \
  dbstore_config_uri=file:/var/lib/rgw/config.db 'rgw_frontends=beast endpoint=0.0.0.0:8000' admin_socket= >/etc/rgw.conf
radosgw-admin --no-mon-config -c /etc/rgw.conf user create --uid tester --display-name tester --access-key tester --secret tester
setsid radosgw --no-mon-config -c /etc/rgw.conf -f >/var/log/rgw.log 2>&1 </dev/null &
for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/8000) 2>/dev/null && break; sleep 0.2; done
: </dev/tcp/127.0.0.1/8000
