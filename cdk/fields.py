"""What a value of a deployment file may be, in words that its errors repeat. Knows no file and no cloud."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def matching(pattern: str, allowed: str) -> AfterValidator:
    """A validator that says what is allowed in words rather than as a pattern."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"allowed is {allowed}")
        return value

    return AfterValidator(check)


ProjectId = Annotated[str, matching(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project id: 6 to 30 of a-z, 0-9 and -")]
ProjectNumber = Annotated[str, matching(r"\d{6,15}", "a project number: digits only, as text")]
Region = Annotated[str, matching(r"[a-z]+-[a-z]+\d+", "a region such as europe-west4 (no zone, no multi-region)")]
EndpointId = Annotated[str, matching(r"[1-9]\d{0,8}", "1 to 9 digits, not beginning with 0, as text")]
Route = Annotated[str, matching(r"/[^\s?#]*", "a path that begins with /")]
Prefix = Annotated[str, matching(r"[a-z][a-z0-9-]{1,12}[a-z0-9]", "3 to 14 of a-z, 0-9 and -, beginning with a letter")]
ModelId = Annotated[
    str, matching(r"[a-z_][a-z0-9_-]{0,62}", "at most 63 of a-z, 0-9, _ and -, not beginning with 0-9 or -")
]
Alias = Annotated[str, matching(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]", "letters, digits and -, beginning with a-z")]
# No hyphen, which Google would allow: cdktf turns it into an underscore in some places and not in others.
LabelKey = Annotated[str, matching(r"[a-z][a-z0-9_]{0,62}", "at most 63 of a-z, 0-9 and _, beginning with a letter")]
LabelValue = Annotated[str, matching(r"[a-z0-9_-]{0,63}", "at most 63 of a-z, 0-9, _ and -")]
Url = Annotated[str, matching(r"https?://[^\s/]+", "an address with scheme, such as http://127.0.0.1:8700")]
Sum = Annotated[str, matching(r"(sha256:[0-9a-f]{64})?", "sha256: and 64 hexadecimal digits, or empty when not pinned")]
Bucket = Annotated[
    str, matching(r"[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]", "a bucket name: 3 to 63 of a-z, 0-9, -, _ and .")
]
Member = Annotated[
    str, matching(r"(user|group|serviceAccount|domain):\S+", "user:…, group:…, serviceAccount:… or domain:…")
]
Deployer = Annotated[
    str,
    matching(r"(user:|group:|serviceAccount:|principal://|principalSet://)\S+", "user:…, group:… or principalSet://…"),
]
HttpsUrl = Annotated[str, matching(r"https://\S+", "an address that begins with https://")]
Ref = Annotated[str, matching(r"refs/(heads|tags)/\S+", "a branch or tag such as refs/heads/main")]
FileName = Annotated[
    str, matching(r"(?!.*(^|/)\.\.?(/|$))[^/\\][^\\]*", "a file name inside the source: no leading /, no ..")
]
ReservationName = Annotated[
    str,
    matching(r"projects/[^/]+/zones/[^/]+/reservations/[^/]+", "projects/PROJECT/zones/ZONE/reservations/NAME"),
]
Duration = Annotated[str, matching(r"(?=.)(\d+h)?(\d+m)?(\d+s)?", "a duration such as 90s, 10m or 1h30m")]
Memory = Annotated[str, matching(r"[1-9]\d*(Mi|Gi)", "a size such as 512Mi or 2Gi")]


def seconds(duration: str) -> int:
    """`1h30m` -> 5400."""
    parts = re.findall(r"(\d+)([hms])", duration)
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)
