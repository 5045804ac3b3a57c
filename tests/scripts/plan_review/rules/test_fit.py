"""Image and digest, weights and memory, regions."""

from scripts.plan_review.rules import fit

KIND = "vertex_endpoint_deployed_model"


def model(image, **more):
    return {"location": "europe-west4", "container_spec": [{"image_uri": image}], **more}


def test_an_image_by_tag_is_found_and_one_by_digest_or_not_known_yet_is_not(plans):
    def stack(image):
        return plans.stack(plans.resource("vertex_model", None, model(image)), name="model")

    (hit,) = plans.found(fit.DIGEST, stack("europe-west4-docker.pkg.dev/p/flan-images/flan-t5-serving:latest"))

    assert "flan-t5-serving:latest is named by a tag" in hit.what
    assert plans.found(fit.DIGEST, stack(plans.IMAGE)) == []
    assert plans.found(fit.DIGEST, stack(None)) == []


def test_a_page_s_and_a_sagemaker_container_s_image_are_looked_at_too(plans):
    page = plans.resource(
        "google_cloud_run_v2_service", None, {"template": [{"containers": [{"image": "gcr.io/p/ui"}]}]}
    )
    container = plans.resource("aws_sagemaker_model", None, {"primary_container": [{"image": "p.dkr.ecr.aws/flan:1"}]})

    assert [hit.address for hit in plans.found(fit.DIGEST, plans.stack(page, container))] == [
        "google_cloud_run_v2_service.it",
        "aws_sagemaker_model.it",
    ]


def test_a_model_that_does_not_fit_its_accelerator_is_found_and_one_that_does_is_not(plans):
    # prod: 11.14 billion parameters in fp16 are 22.28 GB; with a tenth more 24.5, and an L4 has 24.
    small = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed(machine="g2-standard-12")))
    large = plans.stack(plans.resource(KIND, None, plans.deployed()))

    (hit,) = plans.found(fit.MEMORY, small)

    assert hit.what == "fp16 weights of 22.3 GB and a tenth more do not fit 24 GB of g2-standard-12."
    assert plans.found(fit.MEMORY, large) == []


def test_what_is_outside_the_deployment_s_region_is_found(plans):
    def endpoint(place):
        return plans.stack(plans.resource("google_vertex_ai_endpoint", None, {"name": "1", "location": place}))

    (hit,) = plans.found(fit.REGION, endpoint("us-central1"))

    assert hit.what == "It is in us-central1; the deployment is in europe-west4."
    assert plans.found(fit.REGION, endpoint("europe-west4")) == []


def test_a_model_whose_image_is_in_another_region_is_found(plans):
    far = plans.IMAGE.replace("europe-west4", "us-central1")

    (hit,) = plans.found(fit.REGION, plans.stack(plans.resource("vertex_model", None, model(far))))

    assert hit.what.startswith("The image is in us-central1, the model in europe-west4")
    assert plans.found(fit.REGION, plans.stack(plans.resource("vertex_model", None, model(plans.IMAGE)))) == []


def test_a_model_deployed_to_another_region_s_endpoint_is_found(plans):
    far = plans.deployed(model="projects/p/locations/us-central1/models/flan-t5@1")

    (hit,) = plans.found(fit.REGION, plans.stack(plans.resource(KIND, None, far)))

    assert "europe-west4, us-central1" in hit.what
    assert plans.found(fit.REGION, plans.stack(plans.resource(KIND, None, plans.deployed()))) == []
