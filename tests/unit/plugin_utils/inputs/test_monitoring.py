# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs.monitoring import problems, scrape_configs

JOB = {"name": "api", "targets": ["app1:9000", "[2001:db8::1]:9000"]}
FIT = {
    "monitoring_listen_address": "127.0.0.1",
    "monitoring_port": 9090,
    "monitoring_alertmanager_port": 9093,
    "monitoring_external_url": "",
    "monitoring_alertmanager_external_url": "https://alerts.example.org",
    "monitoring_retention": "15d",
    "monitoring_scrape_interval": "1m30s",
    "monitoring_jobs": [JOB],
    "monitoring_metrics": {},
    "monitoring_extra_rules": [{"alert": "A", "expr": "up == 0"}],
    "monitoring_receivers": [{"name": "team"}, {"name": "other"}],
    "monitoring_route": {"receiver": "team", "routes": [{"routes": [{"receiver": "other"}]}]},
    "monitoring_secrets": {"team-url": "https://hooks.example.org/SECRET"},
}


def test_what_fits_has_no_problems() -> None:
    assert problems(FIT) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"monitoring_listen_address": "0.0.0.0 --x"}, "monitoring_listen_address"),
        ({"monitoring_retention": "15"}, "monitoring_retention: '15'"),
        ({"monitoring_scrape_interval": "fast"}, "'fast'"),
        ({"monitoring_external_url": "example.org"}, "http or https URL"),
        ({"monitoring_port": 9093}, "both 9093"),
        ({"monitoring_port": 0}, "between 1 and 65535"),
        ({"monitoring_probe_port": 9093}, "monitoring_probe_port: 9093"),
        ({"monitoring_probe_port": 70000}, "monitoring_probe_port: 70000"),
        ({"monitoring_jobs": [JOB, JOB]}, "two jobs are called api"),
        ({"monitoring_jobs": [{**JOB, "name": "prometheus"}]}, "always there"),
        ({"monitoring_jobs": [{**JOB, "name": "the api"}]}, "'the api'"),
        ({"monitoring_jobs": [{**JOB, "targets": []}]}, "no targets"),
        ({"monitoring_jobs": [{**JOB, "targets": ["http://app1:9000/metrics"]}]}, "wanted is host:port"),
        ({"monitoring_jobs": [{**JOB, "targets": ["app1"]}]}, "wanted is host:port"),
        ({"monitoring_jobs": [{**JOB, "interval": "5"}]}, "interval '5'"),
        ({"monitoring_metrics": {"request_total": "x"}}, "'request_total'"),
        ({"monitoring_metrics": {"documents_failed_total": "x"}}, "Give both"),
        ({"monitoring_extra_rules": [{"alert": "A"}]}, "rule 1"),
        ({"monitoring_extra_rules": [{"alert": "A", "record": "b", "expr": "up"}]}, "rule 1"),
        ({"monitoring_receivers": [], "monitoring_route": {}}, "monitoring_receivers is empty"),
        ({"monitoring_receivers": [{"name": "a"}, {}], "monitoring_route": {}}, "receiver 2 has no name"),
        ({"monitoring_receivers": [{"name": "a"}, {"name": "a"}], "monitoring_route": {}}, "two receivers"),
        ({"monitoring_route": {"routes": [{"receiver": "nobody"}]}}, "'nobody' does not exist"),
        ({"monitoring_secrets": {"../x": "SECRET"}}, "'../x'"),
    ],
)
def test_what_does_not_fit_is_named_without_secrets(changes: dict, word: str) -> None:
    found = problems({**FIT, **changes})
    assert len(found) == 1
    assert word in found[0]
    assert "SECRET" not in found[0]


@pytest.mark.parametrize(
    ("job", "config"),
    [
        (
            {"name": "api", "targets": ["app1:9000"]},
            {"job_name": "api", "static_configs": [{"targets": ["app1:9000"]}]},
        ),
        (
            {
                "name": "api",
                "targets": ["app1:9000"],
                "metrics_path": "/m",
                "scheme": "https",
                "interval": "5s",
                "labels": {"tier": 1},
                "ca": "/etc/ssl/ca.pem",
                "server_name": "api.example.org",
            },
            {
                "job_name": "api",
                "scrape_interval": "5s",
                "metrics_path": "/m",
                "scheme": "https",
                "tls_config": {"ca_file": "/etc/prometheus/ca-api.pem", "server_name": "api.example.org"},
                "static_configs": [{"targets": ["app1:9000"], "labels": {"tier": "1"}}],
            },
        ),
    ],
)
def test_a_job_becomes_a_scrape_config(job: dict, config: dict) -> None:
    assert scrape_configs([job]) == [config]
