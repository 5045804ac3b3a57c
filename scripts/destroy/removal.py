"""The command that takes one thing away: gcloud's on Google Cloud, curl's on a cloud that the deployment file names.

Makes text; runs nothing.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from cdk.config import Google
from scripts.destroy.billable import last


@dataclass(frozen=True)
class Removal:
    """Commands for one project and region."""

    google: Google

    def deployed_model(self, endpoint: str, number: str, split: dict[str, int]) -> str:
        """split: the traffic of the endpoint's models, this one included; it goes to the others."""
        rest = shared(split, without=number)
        if self.google.api_endpoint:
            body = {"deployedModelId": number, **({"trafficSplit": rest} if rest else {})}
            return self._curl("POST", f"/v1/{endpoint}:undeployModel", body)
        more = " --traffic-split=" + ",".join(f"{one}={share}" for one, share in rest.items()) if rest else ""
        return self._gcloud(f"ai endpoints undeploy-model {last(endpoint)}", f"--deployed-model-id={number}{more}")

    def vertex(self, name: str, noun: str, *, verb: str = "delete") -> str:
        """noun: `endpoints`, `models`, `custom-jobs` or `tensorboards`, as gcloud has them."""
        if self.google.api_endpoint:
            return self._curl("DELETE", f"/v1/{name}") if verb == "delete" else self._curl("POST", f"/v1/{name}:{verb}")
        return self._gcloud(f"ai {noun} {verb} {last(name)}")

    def repository(self, name: str) -> str:
        if self.google.api_endpoint:
            return self._curl("DELETE", f"/v1/{name}")
        where = f"--location={self.google.region} --project={self.google.project} --quiet"
        return f"gcloud artifacts repositories delete {last(name)} {where}"

    def bucket(self, name: str) -> str:
        if not self.google.api_endpoint:
            return f"gcloud storage rm --recursive gs://{name}"
        base = f"{self.google.api_endpoint.rstrip('/')}/storage/v1/b/{name}"
        # A bucket goes only when it is empty.
        listed = f"curl -sSf {base}/o | python3 -c 'import json, sys, urllib.parse; " + (
            '[print(urllib.parse.quote(one["name"], safe="")) for one in json.load(sys.stdin).get("items", [])]\''
        )
        return f"{listed} | xargs -r -I{{}} curl -sSf -X DELETE {base}/o/{{}} && curl -sSf -X DELETE {base}"

    def page(self, name: str) -> str:
        if self.google.api_endpoint:
            return self._curl("DELETE", f"/v2/{name}")
        return self._gcloud(f"run services delete {last(name)}")

    def build(self, name: str, location: str) -> str:
        if self.google.api_endpoint:
            return self._curl("POST", f"/v1/{name}:cancel")
        return f"gcloud builds cancel {last(name)} --region={location} --project={self.google.project}"

    def _gcloud(self, command: str, *more: str) -> str:
        where = [f"--region={self.google.region}", f"--project={self.google.project}", "--quiet"]
        return " ".join(["gcloud", command, *more, *where])

    def _curl(self, method: str, path: str, body: Mapping[str, object] | None = None) -> str:
        address = shlex.quote(str(self.google.api_endpoint).rstrip("/") + path)
        data = f" -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}" if body else ""
        return f"curl -sSf -X {method}{data} {address}"


def shared(split: dict[str, int], *, without: str) -> dict[str, int]:
    """The split among the others, in hundredths; empty when there is no other, or this one has no traffic."""
    others = {number: share for number, share in split.items() if number != without}
    if not others or not split.get(without):
        return {}
    total = sum(others.values())
    if not total:
        return {number: 100 if number == min(others) else 0 for number in others}
    shares = {number: share * 100 // total for number, share in others.items()}
    shares[max(shares, key=lambda one: shares[one])] += 100 - sum(shares.values())
    return shares
