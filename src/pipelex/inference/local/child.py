"""The process that serves the local model to its parent; it imports nothing from this package.

It reads one line of JSON from its standard input (`model`, `alias`, `api_key`, `threads`, `parallel`, `context`) and
writes one line (`address` or `error`) to its standard output. It ends when its input is closed or its parent is gone,
even if the parent was killed.
"""

import json
import os
import select
import sys
import threading
from typing import Any, NoReturn


def main() -> None:
    """Serve until the parent is gone."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the engine prints must not mix with the answer
    wanted: dict[str, Any] = json.loads(_line(0))
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        server = _serve(wanted)
    except ImportError as error:
        _refuse(answer, f"the package 'xllamacpp' cannot be imported: {error}")
    except Exception as error:
        _refuse(answer, f"{wanted['model']} cannot be loaded: {error}")
    answer.write(json.dumps({"address": server.listening_address}) + "\n")
    answer.flush()
    threading.Event().wait()


def _serve(wanted: dict[str, Any]) -> Any:
    import importlib

    xllamacpp: Any = importlib.import_module("xllamacpp")  # a compiled module without type information
    params: Any = xllamacpp.CommonParams()
    params.model.path = wanted["model"]
    params.model_alias = {wanted["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [wanted["api_key"]]
    params.n_ctx = wanted["context"]
    params.n_parallel = wanted["parallel"]
    params.kv_unified = True  # slots share the context: one long prompt may use all of it
    params.cache_prompt = False  # an answer must not depend on the prompts before it
    params.cpuparams.n_threads = wanted["threads"]
    params.cpuparams_batch.n_threads = wanted["threads"]
    # Threads that poll while they are idle take processor time from those that work.
    params.cpuparams.poll = 0
    params.cpuparams_batch.poll = 0
    params.n_threads_http = wanted["parallel"] + 8
    params.sampling.seed = 0
    params.endpoint_slots = False
    params.ui = False
    params.warmup = False
    params.verbosity = -1
    return xllamacpp.Server(params)


def _refuse(answer: Any, error: str) -> NoReturn:
    answer.write(json.dumps({"error": error}) + "\n")
    answer.flush()
    os._exit(1)


def _line(descriptor: int) -> bytes:
    """Read one line without a buffer, so that the watching thread sees everything after it."""
    found = b""
    while not found.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            sys.exit("the parent closed the input before it said what to serve")
        found += byte
    return found


def _end_with_parent(parent: int) -> None:
    """End this process when the pipe is closed, or when the parent is gone but another process holds the pipe open."""
    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], 1.0)
        if readable and not os.read(0, 1):
            break
    os._exit(0)


if __name__ == "__main__":
    main()
