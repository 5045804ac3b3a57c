"""After `make down`: nothing of the system listens, runs or stands in the state."""

import json
import socket
import subprocess
from pathlib import Path

for port in (8700, 8701, 7860):
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)) == 0:
            raise SystemExit(f"something still listens on port {port}")
for state in Path(".flanstack/state/local").glob("*.tfstate"):
    if json.loads(state.read_text())["resources"]:
        raise SystemExit(f"{state} still holds resources")
root = str(Path.cwd())
for line in subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout.splitlines():
    if any(f"-m {module}" in line for module in ("localcloud", "serving", "ui", "provider")) and root in line:
        raise SystemExit(f"still running: {line}")
print("Nothing listens, nothing runs, the states are empty.")
