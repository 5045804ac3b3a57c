"""LangChain's ChatOpenAI and OpenAI with our address as their base URL."""

import json
import sys

from langchain_openai import ChatOpenAI, OpenAI

url, model, prompt = sys.argv[1:]
settings = {"model": model, "base_url": f"{url}/v1", "api_key": "unused", "temperature": 0, "max_retries": 0}
chat = ChatOpenAI(**settings)
answer = chat.invoke(prompt)

print(
    json.dumps(
        {
            "invoked": answer.content,
            "tokens": answer.usage_metadata["output_tokens"],
            "streamed": "".join(str(chunk.content) for chunk in chat.stream(prompt)),
            "batched": [one.content for one in chat.batch([prompt, prompt])],
            "completed": OpenAI(**settings, max_tokens=40).invoke(prompt),
        }
    )
)
