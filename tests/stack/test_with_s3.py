# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole stack with its files on S3: Ceph's gateway in the private network, and a key of its own for each service.

The tests tell one story, in order: dry run, deployment, second run, a document from upload to erasure, backup and restore.
Runs last, because the stack stays on S3. `make prove` runs it; the servers' containers go with the test.
"""

from __future__ import annotations

import json
import secrets as random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf, pipeline
from botocore.exceptions import ClientError
from running_playbooks import table
from servers import HOSTS, NAME, ROOT, STATE, Run, assert_keeps_secrets, live_slot, on, play, token, values, versions

SERVER = f"{NAME}-s3"
INSTALL = """
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends radosgw >/dev/null
mkdir /var/lib/rgw
printf '%s\\n' '[client]' rgw_backend_store=dbstore rgw_config_store=dbstore dbstore_db_dir=/var/lib/rgw \
  dbstore_config_uri=file:/var/lib/rgw/config.db 'rgw_frontends=beast endpoint=0.0.0.0:8000' admin_socket= >/etc/rgw.conf
while read -r user key secret; do
  radosgw-admin --no-mon-config -c /etc/rgw.conf user create --uid "$user" --display-name "$user" --access-key "$key" --secret "$secret"
done </run/users >/dev/null
setsid radosgw --no-mon-config -c /etc/rgw.conf -f >/var/log/rgw.log 2>&1 </dev/null &
for _ in $(seq 300); do (: </dev/tcp/127.0.0.1/8000) 2>/dev/null && break; sleep 0.2; done
: </dev/tcp/127.0.0.1/8000
"""
FLOW = pipeline.Pipeline(
    submit_path="/documents", state_path="/documents/{id}", delete_path="/documents/{id}", done=["complete"], failed=["failed"]
)
release = f"v3.{int(time.time())}"
seen: list[list[object]] = []


class Server:
    """The S3 server, and the keys of its users."""

    def __init__(self, address: str, folder: Path) -> None:
        self.url = f"http://{address}:8000"
        users = ("control", "api", "worker")
        self.names = {user: random.token_hex(10) for user in users}
        self.keys = {user: random.token_hex(20) for user in users}
        self.settings = folder / "s3.json"
        services = {
            name: {
                "DATABASE_URL": "{{ stack_database_url }}",
                "BROKER_URL": "{{ stack_broker_url }}",
                "JWT_SECRET_KEY": "{{ stack_jwt_secret_key }}",
                "S3_ACCESS_KEY_ID": self.names[name],
                "S3_SECRET_ACCESS_KEY": self.keys[name],
            }
            for name in ("api", "worker")
        }
        variables = {
            "storage_backend": "s3",
            "storage_s3_endpoint": self.url,
            "storage_s3_access_key": self.names["control"],
            "storage_s3_secret_key": self.keys["control"],
            "storage_buckets": [
                {
                    "name": "documents",
                    "grants": [
                        {"principal": "arn:aws:iam:::user/api", "may": ["read", "write", "delete", "list"]},
                        {"principal": "arn:aws:iam:::user/worker", "may": ["read"]},
                        # Here an object belongs to who uploaded it, not to the bucket's owner, who is to back it up.
                        {"principal": "arn:aws:iam:::user/control", "may": ["read", "write", "delete", "list"]},
                    ],
                }
            ],
            "stack_storage_path": "",
            "stack_backup_objects": True,
            "stack_environment_variables": {
                "STORAGE_BACKEND": "s3",
                "S3_ENDPOINT_URL": self.url,
                "S3_REGION": "us-east-1",
                "PUBLIC_URL": "{{ stack_public_url }}",
                "PARSER": "local",
                "EMBEDDER": "local",
            },
            "stack_secrets": services,
        }
        self.settings.touch(mode=0o600)
        self.settings.write_text(json.dumps(variables), encoding="utf-8")

    def client(self, user: str):
        return boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=self.names[user], aws_secret_access_key=self.keys[user]
        )

    def objects(self) -> list[str]:
        return [entry["Key"] for entry in self.client("control").list_objects_v2(Bucket="documents").get("Contents", ())]

    def play(self, playbook: str, *words: str) -> Run:
        run = play(playbook, "-e", f"@{self.settings}", *words)
        assert not [key for key in self.keys.values() if key in run.output]
        assert_keeps_secrets(run.output)
        return run

    def deploy(self, *words: str) -> Run:
        return self.play("deploy.yml", *words)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    subprocess.run(["tools/images", "trixie"], cwd=ROOT, check=True)
    subprocess.run(["docker", "rm", "--force", "--volumes", SERVER], capture_output=True, check=False)
    words = ["docker", "run", "--detach", "--name", SERVER, "--network", NAME, "--network-alias", "s3"]
    subprocess.run([*words, "parity/debian:trixie", "sleep", "infinity"], capture_output=True, check=True)
    try:
        found = json.loads(subprocess.run(["docker", "inspect", SERVER], capture_output=True, check=True).stdout)
        server = Server(found[0]["NetworkSettings"]["Networks"][NAME]["IPAddress"], tmp_path_factory.mktemp("s3"))
        users = "".join(f"{user} {server.names[user]} {key}\n" for user, key in server.keys.items())
        on("s3", "sh", "-c", "umask 077; cat > /run/users", text=users)
        on("s3", "bash", "-eu", text=INSTALL, seconds=600)
        yield server
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", SERVER], capture_output=True, check=False)


def gateway() -> Client:
    found = json.loads(subprocess.run(["docker", "inspect", f"{NAME}-edge1"], capture_output=True, check=True).stdout)
    address = found[0]["NetworkSettings"]["Networks"][NAME]["IPAddress"]
    return Client(f"https://{address}:8443", ca_file=str(STATE / "pki/ca.pem"), token=token("zoe"), timeout=30)


def fetched(url: str) -> Answer:
    """As somebody without a key."""
    return Client(timeout=30, redirects=False).send("GET", url)


def refused(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_a_dry_run_makes_no_bucket(s3: Server):
    run = s3.deploy("--check", *values(stack_release=release))
    assert run.code == 0, run.output[-4000:]
    assert refused(s3.client("control").head_bucket, Bucket="documents") == "404"


def test_the_stack_is_deployed(s3: Server):
    started = time.monotonic()
    run = s3.deploy(*values(stack_release=release))
    assert run.code == 0, run.output[-6000:]
    assert versions() == [release, release]
    assert s3.objects() == [], "the documents of the deployment's own checks were removed"
    seen.append(["deployment with its documents on S3", f"{time.monotonic() - started:.0f} s"])


def test_a_second_deployment_changes_nothing(s3: Server):
    run = s3.deploy(*values(stack_release=release))
    assert run.code == 0, run.output[-4000:]
    assert run.changed and not any(run.changed.values()), run.output


def test_each_service_has_a_key_of_its_own_that_may_do_no_more_than_it_needs(s3: Server):
    for host in HOSTS:
        folder = f"/etc/docpipe/{live_slot(host)}"
        for service, other in (("api", "worker"), ("worker", "api")):
            files = on(host, "sh", "-c", f"cat {folder}/{service}*.env")
            assert s3.names[service] in files and s3.keys[service] in files
            assert s3.keys[other] not in files and s3.keys["control"] not in files
    documents, api, worker = {"Bucket": "documents"}, s3.client("api"), s3.client("worker")
    for call in (worker.put_object, worker.delete_object):
        assert refused(call, **documents, Key="a") == "AccessDenied"
    assert refused(worker.list_objects_v2, **documents) == "AccessDenied"
    for call in (api.delete_bucket, api.delete_bucket_policy):
        assert refused(call, **documents) == "AccessDenied"
    seen.append(["keys of API and worker", "each in its own files; the worker's only reads, the API's cannot change the bucket"])


def test_a_document_from_upload_to_erasure(s3: Server):
    client, content = gateway(), pdf.page(["A page that is kept on S3."])
    with pipeline.submitted(client, FLOW, content) as identifier:
        assert pipeline.watch(client, FLOW, str(identifier), seconds=120)["state"] == "complete"
        [key] = s3.objects()
        body = s3.client("control").get_object(Bucket="documents", Key=key)["Body"].read()
        assert body == content
        assert client.send("GET", f"/documents/{identifier}/content").body == content
        url = client.send("GET", f"/documents/{identifier}/url").json()["url"]
        assert url.startswith(s3.url)
        assert fetched(url).body == content
        assert fetched(url.partition("?")[0]).status == 403
        assert client.send("DELETE", f"/documents/{identifier}").status == 204
        assert fetched(url).status == 404 and s3.objects() == []
    seen.append(["document through the pipeline, signed URL, erasure", "as with files; the URL leads to nothing afterwards"])


def report() -> dict[str, dict]:
    found = json.loads((ROOT / "reports/validation.json").read_text(encoding="utf-8"))
    return {check["id"]: check for check in found["checks"] if check["group"] == "storage"}


def test_backup_with_the_next_release_and_restore(s3: Server):
    client, content = gateway(), pdf.page(["A page that is lost."])
    with pipeline.submitted(client, FLOW, content) as identifier:
        pipeline.watch(client, FLOW, str(identifier), seconds=120)
        [key] = s3.objects()
        run = s3.deploy(*values(stack_release=f"{release}.1"))
        assert run.code == 0, run.output[-6000:]
        manifests = on("data1", "sh", "-c", "ls /var/backups/docpipe-objects/*.manifest.json").split()
        dumps = on("data1", "sh", "-c", "ls /var/backups/docpipe/*.dump").split()
        assert f"-{release}.1." in manifests[-1] and f"-{release}.1." in dumps[-1]
        s3.client("control").delete_object(Bucket="documents", Key=key)
        s3.client("control").put_object(Bucket="documents", Key="owners/nobody/a.pdf", Body=b"x")
        run = s3.play("playbooks/validate.yml", *values(stack_release=f"{release}.1"))
        assert run.code == 0, run.output[-6000:]
        checks = report()
        assert key in checks["storage.rows"]["evidence"] and checks["storage.rows"]["status"] == "failed"
        failed = {name for name, check in checks.items() if check["status"] != "passed"}
        assert failed == {"storage.rows"} and len(checks) == 10, failed
        run = s3.play("playbooks/restore_objects.yml")
        assert run.code == 0, run.output[-4000:]
        assert client.send("GET", f"/documents/{identifier}/content").body == content
        run = s3.play("playbooks/validate.yml", *values(stack_release=f"{release}.1"))
        assert run.code == 0 and key not in report()["storage.rows"]["evidence"], run.output[-4000:]
        s3.client("control").delete_object(Bucket="documents", Key="owners/nobody/a.pdf")
    assert s3.objects() == []
    seen.append(["an object that was lost", "told by validate, brought back from the deployment's backup"])
    table("storage on S3: what was tried", ["tried", "seen"], seen)
