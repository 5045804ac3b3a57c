"""A wrong deployment file is refused before synthesis, in words that name file, key, value and cure."""

import pytest
import tomlkit

from cdk.config import DEPLOYMENTS, ConfigError, load


@pytest.fixture
def refusal(tmp_path):
    """The message for prod.toml with values changed by dotted key; None removes the key."""

    def refuse(**changes):
        document = tomlkit.parse((DEPLOYMENTS / "prod.toml").read_text())
        for key, value in changes.items():
            *tables, last = key.split("__")
            table = document
            for name in tables:
                table = table.setdefault(name, tomlkit.table())
            if value is None:
                del table[last]
            else:
                table[last] = value
        (tmp_path / "prod.toml").write_text(tomlkit.dumps(document))
        with pytest.raises(ConfigError) as refused:
            load("prod", folder=tmp_path)
        return str(refused.value)

    return refuse


# changes -> what the message must say: the key, the value got, what is allowed or the cure
WRONG = [
    ({"endpoint__machine": "a2"}, ["endpoint.machine: unknown key", "machine_type"]),
    ({"endpoints": {}}, ["endpoints: unknown key", "endpoint"]),
    ({"google__project": None}, ["google.project: missing", "prod.toml"]),
    ({"google__project": "My Project"}, ["google.project", "'My Project'", "6 to 30"]),
    ({"google__project_number": "12ab"}, ["google.project_number", "'12ab'", "digits only"]),
    ({"google__region": "europe-west4-a"}, ["google.region", "'europe-west4-a'", "no zone"]),
    ({"google__region": "europe-west1"}, ["google.region", "'europe-west1'", "europe-west4", "another machine"]),
    ({"google__access_token": "secret"}, ["google.access_token", "application default credentials", "drop it"]),
    ({"google__api_endpoint": "127.0.0.1:8700"}, ["google.api_endpoint", "'127.0.0.1:8700'", "scheme"]),
    ({"terraform__plugin_mirror": "remote"}, ["terraform.plugin_mirror", "'remote'", "'local' or 'cloud'"]),
    ({"terraform__plugin_mirror": "local"}, ["terraform.plugin_mirror", "'local'", "never calls Google"]),
    ({"terraform__state_bucket": "A"}, ["terraform.state_bucket", "'A'", "3 to 63"]),
    ({"source__delivery": "git"}, ["source.delivery", "'git'", "'repository' or 'upload'"]),
    ({"source__repository_uri": "git@github.com:a/b"}, ["source.repository_uri", "https://"]),
    ({"source__ref": "main"}, ["source.ref", "'main'", "refs/heads/main"]),
    ({"model__id": "1st"}, ["model.id", "'1st'", "not beginning with 0-9"]),
    ({"model__dtype": "int4"}, ["model.dtype", "'int4'", "'fp32', 'bf16' or 'fp16'"]),
    ({"model__dtype": "fp32"}, ["model.dtype", "fp32 45 GB does not fit 40 GB", "smaller dtype"]),
    ({"model__version_aliases": ["-x"]}, ["model.version_aliases.0", "'-x'"]),
    ({"model__weights__files": {}}, ["model.weights.files", "got none"]),
    ({"model__weights__files": {"a.bin": "md5:1"}}, ["model.weights.files.a.bin", "'md5:1'", "sha256:"]),
    ({"model__weights__files": {"../a": ""}}, ["model.weights.files.../a", "no .."]),
    ({"model__weights__source": "/etc"}, ["model.weights.source", "'/etc'", "folder of this repository"]),
    ({"model__weights__source": "http://x/y"}, ["model.weights.source", "'http://x/y'", "https://"]),
    ({"serving__predict_route": "predict"}, ["serving.predict_route", "'predict'", "begins with /"]),
    ({"serving__health_route": "/predict"}, ["serving.health_route", "/predict", "change one"]),
    ({"serving__deployment_timeout_s": 9000}, ["serving.deployment_timeout_s", "9000", "7200"]),
    ({"serving__env": {"AIP_MODE": "x"}}, ["serving.env", "AIP_MODE", "drop it"]),
    ({"serving__env": {"DTYPE": "x"}}, ["serving.env", "DTYPE", "model.dtype"]),
    ({"build__machine_type": "E2"}, ["build.machine_type", "'E2'", "E2_HIGHCPU_8"]),
    ({"endpoint__id": "flan"}, ["endpoint.id", "'flan'", "1 to 9 digits"]),
    ({"endpoint__id": "0123"}, ["endpoint.id", "'0123'", "not beginning with 0"]),
    ({"endpoint__id": "1234567890"}, ["endpoint.id", "'1234567890'", "1 to 9 digits"]),
    ({"endpoint__machine_type": "a2-highcpu-1g"}, ["endpoint.machine_type", "'a2-highcpu-1g'", "a2-highgpu-1g"]),
    (
        {"endpoint__accelerator_type": "NVIDIA_L4"},
        ["endpoint.accelerator_type", "NVIDIA_L4 x1", "NVIDIA_TESLA_A100 x1"],
    ),
    ({"endpoint__accelerator_count": 2}, ["endpoint.accelerator_type", "x2", "NVIDIA_TESLA_A100 x1"]),
    ({"endpoint__min_replicas": 3}, ["endpoint.min_replicas", "got 3", "max_replicas (1)"]),
    ({"endpoint__min_replicas": 0}, ["endpoint.min_replicas", "0", "greater than 0"]),
    ({"rollout__strategy": "canary"}, ["rollout.strategy", "'canary'", "'rolling' or 'recreate'"]),
    ({"rollout__drain": "soon"}, ["rollout.drain", "'soon'", "90s, 10m"]),
    ({"rollout__golden": {"prompt": ""}}, ["rollout.golden.prompt", "at least 1 character"]),
    ({"rollout__steps": [{"percent": 50}, {"percent": 20}]}, ["rollout.steps", "[50, 20]", "above the one before"]),
    ({"rollout__steps": [{"percent": 0}]}, ["rollout.steps.0.percent", "0", "greater than or equal to 1"]),
    ({"endpoint__request_timeout_s": 900}, ["endpoint.request_timeout_s", "got 900", "allows 600"]),
    ({"endpoint__dedicated": False}, ["endpoint.request_timeout_s", "got 120", "shared endpoint allows 60"]),
    (
        {"endpoint__spot": True, "endpoint__reservation": {"name": "projects/p/zones/z/reservations/r"}},
        ["endpoint.spot", "reservation", "drop one"],
    ),
    ({"endpoint__reservation": {"name": "flan"}}, ["endpoint.reservation.name", "'flan'", "projects/PROJECT"]),
    ({"ui__timeout_s": 60}, ["ui.timeout_s", "got 60", "150 or more"]),
    ({"ui__invokers": ["ada@example.com"]}, ["ui.invokers.0", "'ada@example.com'", "user:"]),
    ({"ui__invokers": ["allUsers"]}, ["ui.invokers.0", "'allUsers'"]),
    ({"ui__public": True, "ui__invokers": ["user:a@b.c"]}, ["ui.invokers", "drop one"]),
    ({"ui__public": True, "ui__ingress": "internal"}, ["ui.public", "internal", "public = false"]),
    ({"ui__min_instances": 2}, ["ui.min_instances", "got 2", "max_instances (1)"]),
    ({"labels": {"Team": "x"}}, ["labels.Team", "beginning with a letter"]),
    ({"labels": {"cost-center": "x"}}, ["labels.cost-center", "a-z, 0-9 and _"]),
    ({"labels": {"team": "ML Platform"}}, ["labels.team", "'ML Platform'", "at most 63"]),
    ({"prefix": "F"}, ["prefix", "'F'", "3 to 14"]),
    ({"env": "dev"}, ["env: unknown key", "file's name"]),
]


@pytest.mark.parametrize(
    ("changes", "said"), WRONG, ids=[",".join(changes) + f"={n}" for n, (changes, _) in enumerate(WRONG)]
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(refusal, changes, said):
    message = refusal(**changes)

    assert message.startswith("prod.toml: ")
    assert [part for part in said if part not in message] == [], message


def test_every_problem_is_told_at_once(refusal):
    message = refusal(endpoint__id="x", google__region="nowhere", ui__publik=True)

    assert len(message.splitlines()) == 3


def test_an_unknown_environment_names_those_that_there_are():
    with pytest.raises(ConfigError, match=r"'staging'.*local, prod"):
        load("staging")


def test_a_file_that_is_no_toml_is_named(tmp_path):
    (tmp_path / "broken.toml").write_text("[google")

    with pytest.raises(ConfigError, match=r"broken\.toml: not readable as TOML"):
        load("broken", folder=tmp_path)


def test_a_configuration_cannot_be_changed_after_it_was_checked():
    with pytest.raises(ValueError, match="frozen"):
        load("prod").endpoint.spot = True


def test_a_cpu_machine_needs_no_accelerator(configured):
    config = configured(
        "local", endpoint__machine_type="n1-standard-4", endpoint__accelerator_type=None, endpoint__accelerator_count=0
    )

    assert config.endpoint.accelerator_type is None


def test_no_place_in_the_room_asks_for_the_environments_name():
    places = [path for path in DEPLOYMENTS.parent.joinpath("cdk").rglob("*.py") if "prod" in path.read_text()]

    assert [path.name for path in places] == ["config.py"]  # it points at prod.toml as the example
    assert 'env == "' not in "".join(path.read_text() for path in DEPLOYMENTS.parent.joinpath("cdk").rglob("*.py"))


def test_a_review_policy_is_read_and_a_misspelt_severity_refused(configured):
    policy = configured("prod", review__rules={"public-access": {"severity": "medium", "allowed_by": "public-ok"}})

    assert policy.review.rules["public-access"].allowed_by == "public-ok"
    with pytest.raises(ValueError, match="severity"):
        configured("prod", review__rules={"public-access": {"severity": "serious"}})
    with pytest.raises(ValueError, match="greater than 0"):
        configured("prod", review__budget_usd_per_day=0)
