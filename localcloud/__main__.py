"""`python -m localcloud serve | status | stop`: parses, calls, prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from localcloud import control_client
from localcloud.config import DEFAULT_DATA, DEFAULT_PORT, ServeConfig

STOP_TIMEOUT_S = 60.0


def parser() -> argparse.ArgumentParser:
    default = ServeConfig()
    top = argparse.ArgumentParser(prog="python -m localcloud", description="A local Google Cloud, on loopback only.")
    commands = top.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve", help="run it until SIGTERM, Ctrl-C or `stop`", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    serve.add_argument("--port", type=int, default=DEFAULT_PORT, help="every API")
    serve.add_argument("--dedicated-port", type=int, default=0, help="dedicated endpoints' domain; 0: the next port")
    serve.add_argument("--data", type=Path, default=DEFAULT_DATA, help="state, images, buckets and logs")
    serve.add_argument(
        "--project", action="append", default=[], metavar="ID=NUMBER", help="a project's number; may be repeated"
    )
    serve.add_argument("--stage-seconds", type=float, default=default.stage_seconds, help="per stage of an operation")
    serve.add_argument(
        "--probe-period", type=float, default=default.probe_period_s, help="seconds between two looks at a container"
    )
    serve.add_argument(
        "--port-window", type=float, default=default.port_window_s, help="seconds a container has to open its port"
    )
    serve.add_argument(
        "--ready-timeout", type=float, default=default.ready_timeout_s, help="seconds until it must be healthy"
    )
    serve.add_argument("--grace", type=float, default=default.grace_s, help="seconds from SIGTERM to SIGKILL")
    for name, text in (("status", "print what runs, as JSON"), ("stop", "stop it and its containers, and wait")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"its port (default: {DEFAULT_PORT})")
    return top


def config_of(arguments: argparse.Namespace) -> ServeConfig:
    numbers = {}
    for pair in arguments.project:
        project, separator, number = pair.partition("=")
        if not separator or not project:
            raise ValueError(f"--project must be ID=NUMBER, got {pair!r}")
        numbers[project] = number
    return ServeConfig(
        port=arguments.port,
        dedicated_port=arguments.dedicated_port,
        data_dir=arguments.data,
        project_numbers=numbers,
        stage_seconds=arguments.stage_seconds,
        probe_period_s=arguments.probe_period,
        port_window_s=arguments.port_window,
        ready_timeout_s=arguments.ready_timeout,
        grace_s=arguments.grace,
    )


def serve(arguments: argparse.Namespace) -> int:
    try:
        config = config_of(arguments)
    except ValueError as error:
        print(f"local cloud: {error}", file=sys.stderr)
        return 1
    from localcloud import server  # `status` and `stop` need no web server: they are quick without it

    def announce() -> None:
        print(
            f"local cloud: {config.base_url} (dedicated endpoints: {config.dedicated_url}), data in {config.data_dir}"
        )
        sys.stdout.flush()

    try:
        server.serve(config, announce=announce)
    except server.CannotServe as error:
        print(f"local cloud: {error}", file=sys.stderr)
        return 1
    return 0


def status(port: int) -> int:
    document = control_client.status_of(port)
    if document is None:
        print(f"No local cloud answers on 127.0.0.1:{port}.", file=sys.stderr)
        return 1
    print(json.dumps(document, indent=2))
    return 0


def stop(port: int) -> int:
    document = control_client.status_of(port)
    if document is None:
        print(f"No local cloud answers on 127.0.0.1:{port}: nothing to stop.")
        return 0
    if not control_client.stop(port, timeout_s=STOP_TIMEOUT_S) or not _is_gone(document["pid"]):
        print(f"The local cloud with pid {document['pid']} still runs after {STOP_TIMEOUT_S:g} s.", file=sys.stderr)
        return 1
    print(f"The local cloud with pid {document['pid']} has stopped.")
    return 0


def _is_gone(pid: int) -> bool:
    """Its port closes first, then its containers end, then it."""
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return True  # ended; whoever started it has yet to ask
        time.sleep(0.1)
    return False


def main() -> int:
    arguments = parser().parse_args()
    if arguments.command == "serve":
        return serve(arguments)
    return {"status": status, "stop": stop}[arguments.command](arguments.port)


if __name__ == "__main__":
    sys.exit(main())
