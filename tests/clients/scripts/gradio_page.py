"""`gradio_client` against the page: its named calls, and one answer."""

import json
import sys

from gradio_client import Client

url, prompt = sys.argv[1:]
client = Client(url, verbose=False)
told = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/ask"]
settings = [one["parameter_default"] for one in told["parameters"][1:]]
answer, *_ = client.predict(prompt, *settings, api_name="/ask")

print(json.dumps({"num_settings": len(settings), "answer": answer}))
