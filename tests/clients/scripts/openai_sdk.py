"""The `openai` package: completions, chats, streams, log probabilities, models, errors."""

import json
import sys

import openai

url, model, prompt = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
messages = [{"role": "user", "content": prompt}]

completion = client.completions.create(model=model, prompt=prompt, logprobs=2, max_tokens=40)
chat = client.chat.completions.create(model=model, messages=messages, n=2, seed=1, temperature=0, logprobs=True)
stream = client.chat.completions.create(
    model=model, messages=messages, stream=True, stream_options={"include_usage": True}
)
pieces, usage = [], None
for chunk in stream:
    pieces += [choice.delta.content or "" for choice in chunk.choices]
    usage = chunk.usage or usage
refusals = []
for call in (
    lambda: client.chat.completions.create(model="other", messages=messages),
    lambda: client.completions.create(model=model, prompt=prompt, max_tokens=10**6),
    lambda: client.models.retrieve("other"),
):
    try:
        call()
    except openai.APIStatusError as error:
        refusals.append([type(error).__name__, error.code, error.param])

print(
    json.dumps(
        {
            "completion": completion.choices[0].text,
            "num_logprobs": len(completion.choices[0].logprobs.token_logprobs),
            "chat": [choice.message.content for choice in chat.choices],
            "chat_logprobs": [one.token for one in chat.choices[0].logprobs.content],
            "streamed": "".join(pieces),
            "usage": [usage.prompt_tokens, usage.completion_tokens],
            "whole_usage": [completion.usage.prompt_tokens, completion.usage.completion_tokens],
            "models": [one.id for one in client.models.list()],
            "refusals": refusals,
        }
    )
)
