"""`aiperf` as a load generator: chats in streams, eight at once."""

import json
import subprocess
import sys
from pathlib import Path

url, model, tokenizer = sys.argv[1:]
command = [Path(sys.executable).parent / "aiperf", "profile", "--model", model, "--url", url, "--endpoint-type", "chat"]
command += ["--streaming", "--tokenizer", tokenizer, "--concurrency", "8", "--request-count", "64", "--ui", "simple"]
command += ["--synthetic-input-tokens-mean", "64", "--output-tokens-mean", "32", "--artifact-dir", "artifacts"]
subprocess.run([*map(str, command)], check=True, stdout=sys.stderr)
(found,) = Path("artifacts").rglob("profile_export_aiperf.json")
told = json.loads(found.read_text())
wanted = (
    "request_count",
    "error_request_count",
    "time_to_first_token",
    "inter_token_latency",
    "output_token_throughput",
)
print(json.dumps({name: told[name].get("avg") for name in wanted if isinstance(told.get(name), dict)}))
