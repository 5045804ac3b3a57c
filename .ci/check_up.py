"""After `make up`: the endpoint predicts and the page answers, asked from outside the project's own code."""

import json
import subprocess
import urllib.request


def output(stack: str, name: str) -> str:
    folder = f"cdktf.out/stacks/{stack}"
    return subprocess.run(
        ["terraform", f"-chdir={folder}", "output", "-raw", name], capture_output=True, text=True, check=True
    ).stdout


request = urllib.request.Request(
    output("endpoint", "predict_url"),
    data=json.dumps({"instances": ["summarize: Anna: Can you buy milk?\nTom: Sure, at six."]}).encode(),
    headers={"Content-Type": "application/json"},
)
with urllib.request.urlopen(request, timeout=60) as answer:
    predictions = json.load(answer)["predictions"]
if len(predictions) != 1 or not predictions[0]:
    raise SystemExit(f"no prediction came back: {predictions!r}")
with urllib.request.urlopen(output("ui", "ui_url"), timeout=60) as page:
    if "Flan-T5" not in page.read().decode():
        raise SystemExit("the page does not show its title")
print(f"Predicted: {predictions[0]!r}; the page answers.")
