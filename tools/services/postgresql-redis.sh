# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in a container: the PostgreSQL and the Redis of the tests, for the user tester.
set -eux
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql redis-server >/dev/null
cd /etc/postgresql/*/main
printf '%s\n' "listen_addresses = '*'" 'fsync = off' >conf.d/test.conf
echo 'host all all all scram-sha-256' >>pg_hba.conf
pg_ctlcluster "$(basename "$(dirname "$PWD")")" main start
runuser -u postgres -- psql -qc "CREATE ROLE tester LOGIN CREATEDB CREATEROLE PASSWORD 'tester'"
runuser -u postgres -- createdb -O tester tester
redis-server --daemonize yes --bind 0.0.0.0 --requirepass tester --save ''
