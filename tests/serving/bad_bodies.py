"""Sixty-odd bodies that no server should take, by name: (headers, raw bytes)."""

import gzip
import json
import zlib

MEGA = 1_000_000
JSON_HEADERS = {"content-type": "application/json"}


def _json(value, **headers):
    return JSON_HEADERS | headers, json.dumps(value).encode()


def _with(**parameters):
    return _json({"instances": ["a"], "parameters": parameters})


def _raw(text, **headers):
    return JSON_HEADERS | headers, text if isinstance(text, bytes) else text.encode()


def _compressed():
    zeros = gzip.compress(b"0" * 50 * MEGA)
    body = json.dumps({"instances": ["a" * 20 * MEGA]}).encode()
    return {
        "gzip bomb": _raw(zeros, **{"content-encoding": "gzip"}),
        "gzip bomb in a string": _raw(gzip.compress(body), **{"content-encoding": "gzip"}),
        "gzip bomb not declared": _raw(zeros),
        "deflate bomb": _raw(zlib.compress(b"0" * 50 * MEGA), **{"content-encoding": "deflate"}),
        "twice compressed": _raw(gzip.compress(zeros), **{"content-encoding": "gzip, gzip"}),
        "unknown encoding": _raw(b"{}", **{"content-encoding": "br"}),
    }


def _not_json():
    return {
        "empty": _raw(b""),
        "cut": _raw('{"instances": ["a"'),
        "binary": _raw(bytes(range(256)) * 1000),
        "utf-16": _raw('{"instances": ["a"]}'.encode("utf-16")),
        "invalid utf-8": _raw(b'{"instances": ["\xff\xfe"]}'),
        "lone high surrogate": _raw(r'{"instances": ["\ud800"]}'),
        "lone low surrogate": _raw(r'{"instances": ["\udfff"]}'),
        "surrogates the wrong way round": _raw(r'{"instances": ["\udc00\ud800"]}'),
        "surrogate in a key": _raw(r'{"\ud800": ["a"]}'),
        "raw control character": _raw(b'{"instances": ["\x00"]}'),
        "nan": _raw('{"instances": ["a"], "parameters": {"temperature": NaN}}'),
        "infinity": _raw('{"instances": ["a"], "parameters": {"temperature": -Infinity}}'),
        "two values": _raw('{"instances": ["a"]} {"instances": ["a"]}'),
        "trailing comma": _raw('{"instances": ["a"],}'),
        "single quotes": _raw("{'instances': ['a']}"),
        "comment": _raw('{"instances": ["a"]} // hello'),
        "xml": _raw("<instances><a/></instances>"),
        "form": _raw("instances=a&parameters=b"),
        "deep lists": _raw("[" * MEGA),
        "deep lists closed": _raw('{"instances": ' + "[" * 50_000 + "]" * 50_000 + "}"),
        "deep objects": _raw('{"a":' * 200_000),
        "deep inside an instance": _raw('{"instances": [' + '{"prompt":' * 100_000 + "1" + "}" * 100_000 + "]}"),
    }


def _wrong_types():
    values = {"number": 3, "null": None, "true": True, "text": "a", "list": [], "object": {}, "list of lists": [[]]}
    wrong = {f"the body is a {name}": _json(value) for name, value in values.items() if name != "null"}
    wrong |= {
        f"instances is a {name}": _json({"instances": value}) for name, value in values.items() if name != "list of x"
    }
    wrong |= {
        f"parameters is a {name}": _json({"instances": ["a"], "parameters": value})
        for name, value in values.items()
        if name not in ("null", "object")
    }
    return wrong | {
        "instance is a number": _json({"instances": [3]}),
        "instance is null": _json({"instances": [None]}),
        "instance without prompt": _json({"instances": [{}]}),
        "prompt is a list": _json({"instances": [{"prompt": ["a"]}]}),
        "empty prompt": _json({"instances": [""]}),
        "stream is text": _json({"instances": ["a"], "stream": "yes"}),
        "unknown name": _json({"instances": ["a"], "beams": 4}),
    }


def _out_of_range():
    return {
        "no tokens": _with(max_new_tokens=0),
        "too many tokens": _with(max_new_tokens=10**9),
        "tokens as text": _with(max_new_tokens="5"),
        "half a token": _with(max_new_tokens=1.5),
        "negative temperature": _with(temperature=-1),
        "temperature beyond floats": _raw('{"instances": ["a"], "parameters": {"temperature": 1e999}}'),
        "top_p above one": _with(top_p=1.5),
        "huge seed": _with(seed=2**64),
        "five stops": _with(stop=["a"] * 5),
        "megabyte stop": _with(stop="x" * MEGA),
    }


def _huge():
    many = {f"k{number}": 1 for number in range(100_000)}
    return {
        "ten thousand instances": _json({"instances": ["a"] * 10_000}),
        "ten thousand wrong instances": _json({"instances": [3] * 10_000}),
        "a thousand wrong instances": _json({"instances": [{"prompt": 3, "top_k": "x"}] * 1000}),
        "megabyte prompt": _json({"instances": ["a" * MEGA]}),
        "nine megabytes of prompt": _json({"instances": ["a" * 9 * MEGA]}),
        "thirty megabyte prompts": _json({"instances": ["x" * 300_000] * 30}),
        "more than the most bytes": _json({"instances": ["a" * 11 * MEGA]}),
        "a hundred thousand keys": _json({"instances": ["a"]} | many),
        "a hundred thousand parameters": _with(**many),
        "megabyte key": _json({"instances": ["a"], "k" * MEGA: 1}),
        "a number of a hundred thousand digits": _raw(
            '{"instances": ["a"], "parameters": {"seed": ' + "9" * 100_000 + "}}"
        ),
        "a fraction of a million digits": _raw('{"instances": ["a"], "parameters": {"top_p": 1.' + "9" * MEGA + "}}"),
        "escapes": _raw('{"instances": ["' + r"\u0041" * 1_000_000 + '"]}'),
        "spaces": _raw(" " * 9 * MEGA),
    }


BAD_BODIES = _compressed() | _not_json() | _wrong_types() | _out_of_range() | _huge()
