"""The provider block's values, checked: project, region, token, and where each API is.

This provider never talks to Google: an API without a custom endpoint is an error, not a default.
Knows nothing of resources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfplugin.resource import PluginError

_ENDPOINT = re.compile(r"https?://[^/]+/(?:.*/)?[^/]+/$|https?://[^/]+/$")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every resource is given. endpoints: URL by attribute name, ending in a slash."""

    project: str = ""
    region: str = ""
    access_token: str = ""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    default_labels: Mapping[str, str] = field(default_factory=dict)
    attribution_label: bool = True
    attribution_proactive: bool = False

    @classmethod
    def of(cls, config: dict[str, Any], environment: Mapping[str, str]) -> Settings:
        """From the provider block, and from the environment variables that the real provider reads too."""
        endpoints = {
            name: _checked(name, value)
            for name, value in config.items()
            if name.endswith("_custom_endpoint") and isinstance(value, str) and value
        }
        strategy = config.get("terraform_attribution_label_addition_strategy")
        return cls(
            project=config.get("project") or environment.get("GOOGLE_PROJECT", ""),
            region=config.get("region") or environment.get("GOOGLE_REGION", ""),
            access_token=config.get("access_token") or environment.get("GOOGLE_OAUTH_ACCESS_TOKEN", ""),
            endpoints=endpoints,
            default_labels=config.get("default_labels") or {},
            attribution_label=config.get("add_terraform_attribution_label") is not False,
            attribution_proactive=strategy == "PROACTIVE",
        )

    def endpoint(self, attribute: str) -> str:
        if attribute not in self.endpoints:
            raise PluginError(
                f"{attribute} is not set",
                "This provider stands in for hashicorp/google against a local Google Cloud, and never calls Google. "
                f'Set it in the provider block, for instance {attribute} = "http://127.0.0.1:8700/v1/".',
            )
        return self.endpoints[attribute]


def _checked(name: str, value: str) -> str:
    if not _ENDPOINT.fullmatch(value):
        raise PluginError(
            f"{name} is no URL of an API",
            f'It is {value!r}; it must end in a version and a slash, such as "http://127.0.0.1:8700/v1/".',
            path=(name,),
        )
    if "googleapis.com" in value:
        raise PluginError(
            f"{name} points at Google",
            f"It is {value!r}. This provider stands in for a local Google Cloud; install hashicorp/google instead.",
            path=(name,),
        )
    return value
