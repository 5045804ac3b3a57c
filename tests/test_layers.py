"""The arrows between the rooms, held by a test: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"cdk", "provider", "tfplugin", "serving", "training", "ui", "localcloud", "scripts"}

# place -> what it may import of the rooms (its own room is always allowed)
ALLOWED = {
    "cdk": set(),
    "tfplugin": set(),
    "provider": {"tfplugin"},
    "serving": set(),
    "training": {"serving.t5"},
    "ui": set(),
    "localcloud": {"tfplugin"},
    "scripts": ROOMS,
}
# place -> what it must not import at all
FORBIDDEN = {
    "serving/scheduler.py": {"torch", "fastapi", "transformers", "starlette"},
    "serving/sequence.py": {"torch", "fastapi", "transformers", "starlette"},
    "serving/request.py": {"torch", "fastapi", "transformers", "starlette"},
    "serving/validation.py": {"torch", "fastapi", "transformers", "starlette"},
    "serving/folder_defaults.py": {"torch", "fastapi", "transformers", "starlette"},
    "serving/scheduling": {"torch", "fastapi", "transformers", "starlette"},
    "serving/scheduling/waiting.py": {"time", "threading"},
    "serving/scheduling/pace.py": {"time", "threading"},
    "serving/scheduling/dispatch.py": {"asyncio"},
    "serving/scheduling/watchdog.py": {"asyncio"},
    "serving/telemetry": {"torch", "fastapi", "transformers", "starlette"},
    "serving/telemetry/timeline.py": {"time", "threading"},
    "serving/engine": {"fastapi", "starlette", "uvicorn", "serving.wires", "serving.exchange"},
    "serving/engine/continuous": {"transformers", "serving.engine.static"},
    "serving/engine/static": {"serving.engine.continuous", "serving.t5"},
    "serving/t5.py": {"serving.engine", "serving.checkpoint", "serving.request", "serving.native"},
    "serving/products": {"serving.engine", "serving.checkpoint", "serving.t5"},
    "serving/native": {"torch", "numpy", "serving.engine", "serving.t5", "serving.checkpoint"},
    "serving/checkpoint": {"fastapi", "starlette", "uvicorn", "serving.wires", "serving.exchange"},
    "serving/access/keys.py": {"torch", "fastapi", "starlette", "asyncio"},
    "serving/access/quotas.py": {"torch", "fastapi", "starlette", "asyncio", "time"},
    "serving/exchange": {"torch", "transformers", "serving.wires", "serving.engine", "serving.checkpoint"},
    "serving/wires": {"torch", "transformers", "serving.engine", "serving.checkpoint", "serving.scheduling"},
    "serving/weights.py": {"torch", "fastapi", "transformers", "pydantic", "httpx", "requests", "serving"},
    "localcloud/vertex": {"tfplugin", "localcloud.google_provider"},
    "localcloud/runtime": {"tfplugin", "localcloud.google_provider", "fastapi"},
    "localcloud/store.py": {"fastapi", "localcloud.vertex", "localcloud.runtime"},
    "localcloud/operations.py": {"fastapi", "localcloud.vertex", "localcloud.runtime"},
    "cdk/config.py": {"cdktf", "cdktf_cdktf_provider_google", "constructs"},
    "cdk/naming.py": {"cdktf", "cdktf_cdktf_provider_google", "constructs", "cdk.stacks"},
    "cdk/providers.py": {"cdktf", "cdktf_cdktf_provider_google", "constructs", "cdk"},
    # Seconds matter: Google's client libraries take more than one to import, and cdktf starts Node.
    "scripts/doctor": {"cdktf", "cdk.stacks", "cdk.triggers", "google.cloud", "google.api_core"},
    "scripts/destroy": {"cdktf", "cdk.stacks", "cdk.triggers", "google.cloud", "google.api_core"},
    "provider": {"cdktf", "torch", "fastapi"},
    "ui": {"torch", "transformers"},
    "cdk/prices": {"cdktf", "cdktf_cdktf_provider_google", "constructs"},
    "scripts/plan_review": {"cdktf", "httpx", "google", "provider", "localcloud"},
    "scripts/plan_review/plan": {"cdk", "scripts.plan_review.cost", "scripts.plan_review.rules"},
    "scripts/plan_review/rules": {"scripts.plan_review.policy", "scripts.plan_review.rendering"},
    "scripts/install.py": {"httpx", "pydantic", "cdk", "localcloud", "provider"},
    "scripts/machine.py": {"httpx", "pydantic", "cdk", "localcloud", "provider"},
    "scripts/timeline.py": {"httpx", "pydantic", "cdk", "localcloud", "provider"},
}


def python_files(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every dotted module a file imports, relative imports made absolute."""
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def reaches(imported: str, prefix: str) -> bool:
    return imported == prefix or imported.startswith(prefix + ".")


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_the_rooms_it_is_allowed(room):
    wrong = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in python_files(room)
        for imported in imports(path)
        if imported.split(".")[0] in ROOMS - {room}
        and not any(reaches(imported, allowed) or reaches(allowed, imported) for allowed in ALLOWED[room])
    ]

    assert wrong == []


@pytest.mark.parametrize("place", sorted(FORBIDDEN))
def test_a_place_does_not_import_what_it_must_not_know(place):
    assert (ROOT / place).exists()
    wrong = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in python_files(place)
        for imported in imports(path)
        if any(reaches(imported, forbidden) for forbidden in FORBIDDEN[place])
    ]

    assert wrong == []


def test_a_planted_violation_is_seen(tmp_path, monkeypatch):
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "page.py").write_text("from localcloud import store\nimport torch.nn\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)

    assert {"localcloud.store", "torch.nn"} <= imports(tmp_path / "ui" / "page.py")
    with pytest.raises(AssertionError, match=r"page\.py imports localcloud"):
        test_a_room_imports_only_the_rooms_it_is_allowed("ui")
