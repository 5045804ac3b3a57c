"""All that the doctor looks at in one deployment. Knows which checks there are; what they look at is theirs."""

from __future__ import annotations

from contextlib import closing

from cdk.config import DeploymentConfig
from scripts.doctor.apis import apis
from scripts.doctor.credentials import credentials
from scripts.doctor.examination import Check, examine
from scripts.doctor.finding import Finding
from scripts.doctor.images import images
from scripts.doctor.places import places
from scripts.doctor.programs import programs
from scripts.doctor.quota import quota
from scripts.doctor.room import disk, ports
from scripts.doctor.service_agents import service_agents
from scripts.doctor.weights import checked as weights
from scripts.google_api import GoogleApi


def checks_of(config: DeploymentConfig, api: GoogleApi) -> list[Check]:
    """Every check, in the order in which they are told: this machine, the project, what is deployed."""
    return [
        Check("programs", lambda: programs(config)),
        Check("disk", disk),
        Check("ports", lambda: ports(config, api)),
        Check("weights", lambda: weights(config)),
        Check("credentials", lambda: credentials(config, api)),
        Check("APIs", lambda: apis(config, api)),
        Check("quota", lambda: quota(config, api)),
        Check("service agents", lambda: service_agents(config, api)),
        Check("places", lambda: places(config, api)),
        Check("images", lambda: images(config, api)),
    ]


def findings_of(config: DeploymentConfig) -> list[Finding]:
    """What all checks found, within the time allowed."""
    with closing(GoogleApi(config.google)) as api:
        return examine(checks_of(config, api))
