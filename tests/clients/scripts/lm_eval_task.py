"""`lm_eval` with its local-completions model, on a task of lines that are given: exact matches."""

import json
import subprocess
import sys
from pathlib import Path

url, model, data = sys.argv[1:]
tasks = Path("tasks")
tasks.mkdir()
task = {
    "task": "golden",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": data}},
    "test_split": "test",
    "output_type": "generate_until",
    "doc_to_text": "{{prompt}}",
    "doc_to_target": "{{output}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 64, "do_sample": False, "temperature": 0},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
(tasks / "golden.yaml").write_text(json.dumps(task))  # JSON is YAML
settings = f"model={model},base_url={url}/v1/completions,tokenizer_backend=None,tokenized_requests=False"
command = [sys.executable, "-m", "lm_eval", "run", "--model", "local-completions", "--model_args", settings]
command += ["--tasks", "golden", "--include_path", str(tasks), "--output_path", "results"]
subprocess.run(command, check=True, stdout=sys.stderr)
(result,) = Path("results").rglob("*.json")
told = json.loads(result.read_text())
print(
    json.dumps(
        {
            "exact_match": told["results"]["golden"]["exact_match,none"],
            "num_samples": told["n-samples"]["golden"]["effective"],
        }
    )
)
