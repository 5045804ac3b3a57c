"""What the stack `ui` promises."""

import pytest


@pytest.fixture(params=("local", "prod"))
def system(request):
    return request.getfixturevalue(request.param)


def container(system):
    (one,) = system.only("ui", "google_cloud_run_v2_service")["template"]["containers"]
    return one


def test_the_page_can_be_destroyed_and_runs_under_its_own_identity(system):
    service = system.only("ui", "google_cloud_run_v2_service")

    assert service["deletion_protection"] is False
    assert service["ingress"] == "INGRESS_TRAFFIC_ALL"
    assert "identities_ui" in service["template"]["service_account"]
    assert service["template"]["session_affinity"] is True


def test_the_page_is_an_image_by_digest_on_7860(system):
    assert container(system)["image"] == "${vertex_image_build.image.image_uri}"
    assert container(system)["ports"]["container_port"] == 7860
    assert container(system)["startup_probe"]["http_get"] == {"path": "/healthz", "port": 7860}


def test_an_idle_page_is_not_billed_for_its_processor(system):
    assert container(system)["resources"]["cpu_idle"] is True


def test_the_page_is_told_where_to_ask_what_it_shows_and_how_long_to_wait(prod):
    env = {one["name"]: one["value"] for one in container(prod)["env"]}

    assert set(env) == {"ENDPOINT", "MODEL_NAME", "PREDICT_TIMEOUT_S", "PREDICT_URL", "PRICE_USD_PER_HOUR", "REGION"}
    assert "cross-stack-reference-input-endpoint" in env["ENDPOINT"]
    assert "cross-stack-reference-input-endpoint" in env["PREDICT_URL"]
    assert env["MODEL_NAME"] == "flan-t5-xxl"
    assert float(env["PRICE_USD_PER_HOUR"]) == 4.31
    assert float(env["PREDICT_TIMEOUT_S"]) == 150


def test_the_page_is_private_by_default(system):
    assert system.every("google_cloud_run_v2_service_iam_member") == []
    assert "allUsers" not in system.text()


def test_public_is_a_flag_and_opens_the_page_alone(synthesize, configured):
    system = synthesize(configured("local", ui__public=True))

    (one,) = system.every("google_cloud_run_v2_service_iam_member")
    assert (one["member"], one["role"]) == ("allUsers", "roles/run.invoker")
    assert system.text().count("allUsers") == 1


def test_named_invokers_may_open_the_page(synthesize, configured):
    system = synthesize(configured("local", ui__invokers=["user:ada@example.com"], ui__ingress="internal"))

    (one,) = system.every("google_cloud_run_v2_service_iam_member")
    assert one["member"] == "user:ada@example.com"
    assert system.only("ui", "google_cloud_run_v2_service")["ingress"] == "INGRESS_TRAFFIC_INTERNAL_ONLY"
