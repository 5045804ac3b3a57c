"""Cloud Run services with Google's own client: a process with an address and an identity of its own."""

import json
import subprocess
import sys
import time

import httpx
import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import BadRequest, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2, policy_pb2

SERVER = """\
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        names = ("PORT", "K_SERVICE", "K_REVISION", "WORD", "GCE_METADATA_HOST", "GCE_METADATA_IP", "FROM_IMAGE")
        self.wfile.write(json.dumps({name: os.environ.get(name) for name in names}).encode())
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
ACCOUNT = "page@flan-test.iam.gserviceaccount.com"


@pytest.fixture
def services(cloud):
    return run_v2.ServicesClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=cloud.url),
    )


def service(cloud, *, image=None, word="one"):
    container = run_v2.Container(
        image=image or cloud.image(source=SERVER),
        env=[run_v2.EnvVar(name="WORD", value=word)],
        ports=[run_v2.ContainerPort(container_port=23456)],
    )
    return run_v2.Service(template=run_v2.RevisionTemplate(containers=[container], service_account=ACCOUNT))


def create(services, cloud, wanted):
    name = f"s{cloud.new_id()}"
    request = run_v2.CreateServiceRequest(parent=cloud.parent, service=wanted, service_id=name)
    return services.create_service(request).result(timeout=60)


def test_a_service_answers_at_its_address_with_its_environment(services, cloud):
    made = create(services, cloud, service(cloud))

    seen = httpx.get(made.uri).json()
    assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert made.uri.endswith(seen["PORT"])
    assert seen["K_SERVICE"] == made.name.rpartition("/")[2]
    assert (seen["WORD"], seen["FROM_IMAGE"]) == ("one", "yes")
    services.delete_service(name=made.name).result(timeout=30)


def test_a_changed_service_is_a_new_revision_at_the_same_address(services, cloud):
    made = create(services, cloud, service(cloud))

    changed = service(cloud, image=made.template.containers[0].image, word="two")
    changed.name = made.name
    after = services.update_service(service=changed).result(timeout=60)

    assert (after.uri, after.uid, after.generation) == (made.uri, made.uid, 2)
    assert after.latest_ready_revision != made.latest_ready_revision
    assert httpx.get(after.uri).json()["WORD"] == "two"
    services.delete_service(name=made.name).result(timeout=30)


def test_a_deleted_service_leaves_no_process_and_no_policy(services, cloud):
    made = create(services, cloud, service(cloud))
    binding = policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"])
    request = iam_policy_pb2.SetIamPolicyRequest(resource=made.name, policy=policy_pb2.Policy(bindings=[binding]))
    assert services.set_iam_policy(request).bindings[0].members == ["allUsers"]

    services.delete_service(name=made.name).result(timeout=30)

    assert cloud.processes(under=made.name) == []
    with pytest.raises(NotFound):
        services.get_service(name=made.name)
    with pytest.raises(httpx.ConnectError):
        httpx.get(made.uri)


def test_a_container_that_does_not_listen_fails_the_deployment_with_its_last_words(services, cloud):
    image = cloud.image(source="print('these are my last words'); raise SystemExit(1)")
    wanted = run_v2.Service(template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)]))
    request = run_v2.CreateServiceRequest(parent=cloud.parent, service=wanted, service_id=f"s{cloud.new_id()}")

    operation = cloud.wait(services.create_service(request).operation.name, timeout_s=60)

    assert "failed to start and listen on the port" in operation["error"]["message"]
    assert "these are my last words" in operation["error"]["message"]


def test_a_change_that_fails_leaves_the_revision_before_it_serving(services, cloud):
    made = create(services, cloud, service(cloud))
    broken = service(cloud, image=cloud.image(source="raise SystemExit('broken')"), word="two")
    broken.name = made.name

    operation = cloud.wait(services.update_service(service=broken).operation.name, timeout_s=60)

    assert "broken" in operation["error"]["message"]
    now = services.get_service(name=made.name)
    assert now.terminal_condition.state == run_v2.Condition.State.CONDITION_FAILED
    assert (now.uri, now.latest_ready_revision) == (made.uri, made.latest_ready_revision)
    assert eventually_answers(made.uri)["WORD"] == "one"
    services.delete_service(name=made.name).result(timeout=30)


def test_a_first_revision_that_fails_leaves_no_process_that_starts_for_ever(services, cloud):
    image = cloud.image(source="raise SystemExit(1)")
    wanted = run_v2.Service(template=run_v2.RevisionTemplate(containers=[run_v2.Container(image=image)]))
    request = run_v2.CreateServiceRequest(parent=cloud.parent, service=wanted, service_id=f"s{cloud.new_id()}")

    operation = services.create_service(request)
    assert "error" in cloud.wait(operation.operation.name, timeout_s=60)

    assert cloud.processes(under=operation.metadata.name) == []


def test_after_a_restart_the_same_image_serves_at_the_same_address_wherever_its_tag_points(start):
    cloud = start()
    uri = f"europe-west4-docker.pkg.dev/flan-test/images/page:v{cloud.new_id()}"
    container = {"image": cloud.image(uri, source=SERVER), "env": [{"name": "WORD", "value": "kept"}]}
    body = {"template": {"containers": [container]}}
    made = cloud.operation("POST", f"/v2/{cloud.parent}/services?serviceId=page", body)["response"]
    cloud.image(uri, source="raise SystemExit(1)")
    cloud.end()

    again = start()

    assert eventually_answers(made["uri"])["WORD"] == "kept"
    assert again.call("GET", f"/v2/{made['name']}")["uri"] == made["uri"]


def test_a_mask_changes_what_it_names_only(services, cloud):
    made = create(services, cloud, service(cloud))
    changed = run_v2.Service(name=made.name, labels={"team": "a"}, template=run_v2.RevisionTemplate())

    request = run_v2.UpdateServiceRequest(service=changed, update_mask={"paths": ["labels"]})
    after = services.update_service(request).result(timeout=60)

    assert dict(after.labels) == {"team": "a"}
    assert after.template.containers[0].image == made.template.containers[0].image
    assert (after.ingress, after.etag != made.etag) == (made.ingress, True)
    services.delete_service(name=made.name).result(timeout=30)


def test_a_secret_is_refused_by_name(services, cloud):
    wanted = service(cloud)
    source = run_v2.EnvVarSource(secret_key_ref=run_v2.SecretKeySelector(secret="s", version="1"))
    wanted.template.containers[0].env.append(run_v2.EnvVar(name="KEY", value_source=source))

    with pytest.raises(BadRequest, match="env KEY: valueSource"):
        create(services, cloud, wanted)


def eventually(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def eventually_answers(uri, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return httpx.get(uri).json()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_an_image_that_is_not_there_is_refused_at_once(services, cloud):
    with pytest.raises(NotFound):
        create(services, cloud, service(cloud, image="europe-west4-docker.pkg.dev/flan-test/images/none:1"))


def test_two_containers_are_refused(services, cloud):
    wanted = service(cloud)
    wanted.template.containers.append(wanted.template.containers[0])

    with pytest.raises(BadRequest, match="exactly one container"):
        create(services, cloud, wanted)


def test_googles_auth_library_finds_the_service_s_own_account(services, cloud):
    made = create(services, cloud, service(cloud))
    seen = httpx.get(made.uri).json()
    program = (
        "import json, google.auth, google.auth.transport.requests as t\n"
        "c, project = google.auth.default(); c.refresh(t.Request())\n"
        "print(json.dumps([project, c.service_account_email, c.token]))\n"
    )
    names = ("GCE_METADATA_HOST", "GCE_METADATA_IP")
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "CLOUDSDK_CONFIG": "/nowhere"} | {
        name: seen[name] for name in names
    }

    out = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)

    assert out.returncode == 0, out.stderr
    _, email, token = json.loads(out.stdout.splitlines()[-1])
    assert email == ACCOUNT
    assert token
    services.delete_service(name=made.name).result(timeout=30)
