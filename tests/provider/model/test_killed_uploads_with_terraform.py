"""Uploads whose apply was killed: found again by their request's alias, whatever Google shows of a version."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from provider.model.aliases import aliases_of
from tests.provider.workspace import wait_for

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"


def model(image, model_id, **fields):
    spec = {"image_uri": image, "predict_route": "/predict", "health_route": "/health"}
    return {"model_id": model_id, "display_name": "Flan", "container_spec": [spec], **fields}


def versions(cloud, model_id):
    return cloud.call("GET", f"/v1/{PARENT}/models/{model_id}:listVersions")["models"]


def killed(folder, cloud, faults, model_id, num_versions):
    """An apply that dies once Google has the upload, which then ends without it."""
    fault = faults({"operation": "uploadModel"}, {"hold": True})
    process = folder.start("apply", "-auto-approve")
    path = f"/v1/{PARENT}/models/{model_id}/operations"
    wait_for(lambda: [one for one in cloud.call("GET", path).get("operations", []) if not one.get("done")])
    process.kill()
    process.communicate(timeout=20)
    (folder.folder / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    cloud.call("DELETE", f"/localcloud/faults/{fault}")
    wait_for(lambda: cloud.exists(f"/v1/{PARENT}/models/{model_id}"))
    wait_for(lambda: len(versions(cloud, model_id)) == num_versions)


@pytest.fixture
def discreet(cloud):
    """The local cloud, but as Google documents it: containerSpec is input only, and never shown."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            kind = {"Content-Type": self.headers.get("Content-Type", "application/json")}
            request = urllib.request.Request(cloud.url + self.path, data=body, method=self.command, headers=kind)
            try:
                with urllib.request.urlopen(request, timeout=30) as reply:
                    status, content = reply.status, reply.read()
            except urllib.error.HTTPError as error:
                status, content = error.code, error.read()
            content = json.dumps(without_containers(json.loads(content or b"{}"))).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815  http.server looks for these names

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def without_containers(shown):
    if isinstance(shown, dict):
        return {key: without_containers(value) for key, value in shown.items() if key != "containerSpec"}
    return [without_containers(one) for one in shown] if isinstance(shown, list) else shown


def test_a_killed_upload_is_adopted_where_google_shows_no_container(workspace, cloud, faults, discreet):
    folder = workspace("discreet").write(
        model=model(cloud.image("1"), "discreet", labels={"a": "b"}), provider={"api_endpoint": discreet}
    )
    killed(folder, cloud, faults, "discreet", 1)
    folder.apply()
    assert folder.state()["model"]["versions"] == ["1"]
    assert folder.is_unchanged()

    second = model(cloud.image("2"), "discreet", labels={"a": "b"}, version_aliases=["live"])
    folder.write(model=second, provider={"api_endpoint": discreet})
    killed(folder, cloud, faults, "discreet", 2)
    folder.apply()
    assert "ADOPTED" in folder.phases()
    assert folder.state()["model"]["version_id"] == "2"
    assert folder.is_unchanged()
    assert len(versions(cloud, "discreet")) == 2
    folder.destroy()
    assert not cloud.exists(f"/v1/{PARENT}/models/discreet")


def test_a_return_to_an_older_container_is_a_new_version(workspace, cloud):
    folder = workspace("return")
    for number in ("1", "2", "1", "2"):
        folder.write(model=model(cloud.image(number), "return")).apply()
        assert folder.is_unchanged()

    assert folder.state()["model"]["versions"] == ["1", "2", "3", "4"]
    assert [aliases_of(one) for one in versions(cloud, "return")].count(["default"]) == 1


def test_what_a_killed_upload_left_is_known_to_the_next_apply_though_the_configuration_is_another(
    workspace, cloud, faults
):
    folder = workspace("reconsidered").write(model=model(cloud.image("1"), "reconsidered"))
    killed(folder, cloud, faults, "reconsidered", 1)
    folder.write(model=model(cloud.image("2"), "reconsidered", version_description="second")).apply()
    assert folder.state()["model"]["versions"] == ["1", "2"]

    folder.write(model=model(cloud.image("3"), "reconsidered"))
    killed(folder, cloud, faults, "reconsidered", 3)
    folder.write(model=model(cloud.image("2"), "reconsidered", version_description="second"))
    assert folder.is_unchanged()
    assert folder.apply()
    assert folder.state()["model"]["versions"] == ["1", "2", "3"]
    folder.destroy()
    assert not cloud.exists(f"/v1/{PARENT}/models/reconsidered")


def test_an_adopted_version_gets_what_is_configured_by_now(workspace, cloud, faults):
    image = cloud.image("1")
    before = {"description": "before", "version_description": "before", "version_aliases": ["before"]}
    folder = workspace("adopted").write(model=model(image, "adopted", **before))
    killed(folder, cloud, faults, "adopted", 1)
    now = {"labels": {"a": "b"}, "version_description": "now", "version_aliases": ["now"]}
    folder.write(model=model(image, "adopted", **now)).apply()

    assert folder.is_unchanged()
    (one,) = versions(cloud, "adopted")
    assert (one["versionDescription"], one["labels"], aliases_of(one)) == ("now", {"a": "b"}, ["default", "now"])
    assert "description" not in one


def test_a_destroy_after_a_killed_upload_takes_what_it_made_with_it(workspace, cloud, faults):
    folder = workspace("regretted").write(model=model(cloud.image("1"), "regretted"))
    folder.apply()
    folder.write(model=model(cloud.image("2"), "regretted"))
    killed(folder, cloud, faults, "regretted", 2)
    folder.destroy()

    assert not cloud.exists(f"/v1/{PARENT}/models/regretted")


def test_a_model_whose_name_is_not_known_at_plan_has_the_id_that_its_name_tells(workspace, cloud):
    folder = workspace("late-name")
    body = model(cloud.image("1"), "x") | {"display_name": "${terraform_data.name.output}"}
    del body["model_id"]
    folder.write(model=body)
    document = json.loads((folder.folder / "main.tf.json").read_text())
    document["resource"]["terraform_data"] = {"name": {"input": "Late name"}}
    (folder.folder / "main.tf.json").write_text(json.dumps(document))
    folder.apply()

    assert folder.state()["model"]["model_id"].startswith("m-late-name-")
    assert folder.is_unchanged()
    folder.destroy()
