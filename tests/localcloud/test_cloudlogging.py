"""Cloud Logging's entries: what containers and builds here really printed."""

import json
import os
import shutil
import subprocess

import pytest

TYPE = 'resource.type="aiplatform.googleapis.com/Endpoint"'


def entries(cloud, found, **fields):
    body = {"resourceNames": [f"projects/{cloud.numbered.split('/')[1]}"], "filter": found, **fields}
    return cloud.call("POST", "/v2/entries:list", body).get("entries", [])


@pytest.fixture(scope="module")
def crashed(cloud):
    """The endpoint and the id of a deployed model whose container crashed, and its operation."""
    endpoint, model = cloud.endpoint(), cloud.model(env={"CRASH": "no module named flan"})
    number = cloud.new_id()
    done = cloud.wait(cloud.start_deploy(endpoint, model, id=number))
    return endpoint.rpartition("/")[2], number, done


def test_a_containers_lines_are_found_by_endpoint_and_deployed_model_after_it_is_gone(cloud, crashed):
    endpoint, number, _ = crashed

    (entry, *_) = entries(
        cloud, f'{TYPE} AND resource.labels.endpoint_id="{endpoint}" AND labels.deployed_model_id="{number}"'
    )
    assert entry["jsonPayload"]["message"] == "crash at import: no module named flan"
    assert entry["resource"]["labels"]["location"] == "europe-west4"
    assert entry["logName"].endswith("/logs/aiplatform.googleapis.com%2Fprediction_container")


def test_the_local_clouds_own_notes_are_no_entries(cloud, crashed):
    found = entries(cloud, f'resource.labels.endpoint_id="{crashed[0]}"')

    assert found
    assert "localcloud" not in json.dumps([one["jsonPayload"] for one in found])


def test_lines_of_a_deployment_are_later_than_its_operation_began(cloud, crashed):
    endpoint, _, operation = crashed
    began = operation["metadata"]["genericMetadata"]["createTime"]

    assert entries(cloud, f'resource.labels.endpoint_id="{endpoint}" AND timestamp>="{began}"')
    assert entries(cloud, f'resource.labels.endpoint_id="{endpoint}" AND timestamp<"{began}"') == []


def test_entries_come_in_the_order_asked_for_and_page_by_page(cloud, crashed):
    found = f'resource.labels.endpoint_id="{crashed[0]}"'
    forward = [one["insertId"] for one in entries(cloud, found)]
    body = {"resourceNames": [cloud.parent], "filter": found, "pageSize": 1}
    first = cloud.call("POST", "/v2/entries:list", body)
    second = cloud.call("POST", "/v2/entries:list", body | {"pageToken": first["nextPageToken"]})

    assert len(forward) >= 2
    assert [one["insertId"] for one in entries(cloud, found, orderBy="timestamp desc")] == forward[::-1]
    assert [first["entries"][0]["insertId"], second["entries"][0]["insertId"]] == forward[:2]


def test_a_deployed_model_that_does_not_log_has_no_entries(cloud):
    endpoint, model = cloud.endpoint(), cloud.model(env={"CRASH": "secretly"})
    cloud.wait(cloud.start_deploy(endpoint, model, disableContainerLogging=True))

    assert entries(cloud, f'resource.labels.endpoint_id="{endpoint.rpartition("/")[2]}"') == []


def test_a_port_of_this_machine_is_shown_as_the_declared_one(cloud):
    source = "import os\nprint('listening on 0.0.0.0:' + os.environ['AIP_HTTP_PORT'], flush=True)\n"
    uri = cloud.image(source=source)
    endpoint = cloud.endpoint()
    cloud.wait(cloud.start_deploy(endpoint, cloud.model(imageUri=uri, ports=[{"containerPort": 7080}])))

    found = entries(cloud, f'resource.labels.endpoint_id="{endpoint.rpartition("/")[2]}"')
    assert {one["jsonPayload"]["message"] for one in found} == {"listening on 0.0.0.0:7080"}


def test_a_line_of_json_is_its_fields_and_as_severe_as_it_says(cloud):
    line = {"severity": "ERROR", "message": "no weights", "exception": "FileNotFoundError: a"}
    uri, endpoint = cloud.image(source=f"print({json.dumps(line)!r})\nprint('{{no json')"), cloud.endpoint()
    cloud.wait(cloud.start_deploy(endpoint, cloud.model(imageUri=uri)))
    found = f'resource.labels.endpoint_id="{endpoint.rpartition("/")[2]}"'

    assert entries(cloud, f"{found} AND severity>=ERROR")[0]["jsonPayload"] == {
        "message": "no weights",
        "exception": "FileNotFoundError: a",
    }
    assert entries(cloud, f"{found} AND severity=INFO")[0]["jsonPayload"] == {"message": "{no json"}


def test_a_builds_lines_are_found_by_its_id(cloud):
    build = {"steps": [{"name": "python", "script": "echo hello from the build"}]}
    made = cloud.call("POST", f"/v1/{cloud.parent}/builds", build)["metadata"]["build"]["id"]
    cloud.wait(f"{cloud.parent}/builds/{made}/operations/{made}")

    lines = [
        one["textPayload"] for one in entries(cloud, f'resource.type="build" AND resource.labels.build_id="{made}"')
    ]
    assert "hello from the build" in lines
    assert lines[-1] == "DONE"


@pytest.mark.parametrize(
    ("term", "holds"),
    [
        ("severity>=INFO", True),
        ("severity>=ERROR", False),
        ('NOT labels.deployed_model_id="{number}"', False),
        ('labels.deployed_model_id!="{number}"', False),
        ('labels.deployed_model_id!="another"', True),
        ('jsonPayload.message:"CRASH AT IMPORT"', True),
        ('jsonPayload.message=~"no module named .lan$"', True),
        ('textPayload:"crash"', False),
        ("labels.nothing=1", False),
    ],
)
def test_a_filter_holds_as_cloud_logging_says(cloud, crashed, term, holds):
    endpoint, number, _ = crashed
    found = entries(cloud, f'resource.labels.endpoint_id="{endpoint}"\n{term.format(number=number)}')

    assert bool(found) == holds


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"filter": "(a=1 OR b=2)", "resourceNames": ["projects/p"]}, "Unparseable filter at '(a=1 OR b=2)'"),
        ({"filter": 'timestamp>"soon"', "resourceNames": ["projects/flan-test"]}, "Invalid timestamp 'soon'"),
        ({"filter": ""}, "resourceNames must name at least one project"),
        ({"resourceNames": ["folders/1"]}, "Invalid resource name 'folders/1'"),
        ({"resourceNames": ["projects/p"], "orderBy": "severity"}, "orderBy must be 'timestamp asc'"),
    ],
)
def test_what_is_not_served_is_refused_and_not_answered_wrongly(cloud, crashed, body, said):
    error = cloud.refusal("POST", "/v2/entries:list", body)

    assert error["status"] == "INVALID_ARGUMENT"
    assert said in error["message"]


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
def test_gcloud_reads_the_log_of_a_container(cloud, crashed, tmp_path):
    environment = {
        **os.environ,
        "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_PROJECT": "flan-test",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": f"{cloud.url}/",
    }
    command = ["gcloud", "logging", "read", f'{TYPE} resource.labels.endpoint_id="{crashed[0]}"', "--format=json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["jsonPayload"]["message"] == "crash at import: no module named flan"
