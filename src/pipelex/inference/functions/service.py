"""Calls a method's functions, each in its own process, which ends with the call."""

import asyncio
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pipelex.config.files.paths import resolved
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import Json, as_object
from pipelex.inference.children import harmless, kill_session
from pipelex.inference.method_trees import MethodTrees
from pipelex.library import MethodTree
from pipelex.pipes.effects.jobs import ContentResult
from pipelex.pipes.effects.requests import FunctionRequest

_CHILD = Path(__file__).with_name("child.py")
_CHUNK = 1 << 16
_SAID = 2_000


@dataclass(frozen=True)
class FunctionOptions:
    """The options for calls of methods' functions."""

    is_enabled: bool = True
    """Whether functions are called at all. Switch it off on servers that run methods you do not trust."""
    timeout: float = 300.0
    """The time limit of one call, in seconds, including the start of its process."""
    max_output_bytes: int = 64 * 1024 * 1024
    """The maximum size of a function's result, in bytes."""
    environment: tuple[str, ...] = ()
    """The names of further environment variables that functions may see."""


@dataclass(frozen=True)
class Functions:
    """Calls functions of methods."""

    trees: MethodTrees = field(default_factory=MethodTrees)
    """The method trees with the functions' modules."""
    options: FunctionOptions = field(default_factory=FunctionOptions)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """The environment variables that functions may see some of."""

    async def call(self, request: FunctionRequest) -> ContentResult:
        """See `call_function`."""
        return await call_function(request, self.trees, self.options, self.environ)


async def call_function(
    request: FunctionRequest, trees: MethodTrees, options: FunctionOptions, environ: Mapping[str, str] = os.environ
) -> ContentResult:
    """Call a function in its own process, which has ended when this returns, raises or is cancelled.

    Args:
        request: the function and its inputs.
        trees: the method trees with the functions' modules.
        options: the time limit, the size limit and the environment variables.
        environ: the environment variables that the function may see some of.

    Raises:
        PipelexError: `method.function_invalid`, `pipe.function_raised`, `pipe.function_timed_out`,
            `runtime.unsupported` or `security.integrity_mismatch`.
    """
    if not options.is_enabled:
        raise PipelexError(
            "runtime.unsupported",
            f"'{request.function}' is not called: functions of methods are switched off here",
            category=ErrorCategory.CONFIGURATION,
            params={"capability": "functions"},
        )
    tree, content = trees.find(request.file, f"the function '{request.function}'")
    assert request.file is not None  # `find` raises without it
    _require_module(request, request.file.path)
    source = _source(request, content)
    with tempfile.TemporaryDirectory(prefix="pipelex-function-", ignore_cleanup_errors=True) as folder:
        root = await asyncio.to_thread(_on_disk, tree, Path(folder) / "tree")
        work = Path(folder) / "work"
        work.mkdir()
        task = {
            "root": str(root),
            "function": request.function,
            "file": str(root / request.file.path),
            "source": source,
            "inputs": {name: _plain(stuff.content, stuff.is_list) for name, stuff in request.inputs.items()},
            "absent": list(request.absent),
        }
        answer = await _answered(request, json.dumps(task).encode(), work, options, environ)
    return ContentResult(content=_content(request, answer))


def _require_module(request: FunctionRequest, path: str) -> None:
    """Refuse a function whose import path does not lead to the file that the run names by its digest.

    A run that is started by hand may name any function and any file of the tree.
    """
    module = request.function.rpartition(".")[0].replace(".", "/")
    if not module or path not in (f"{module}.py", f"{module}/__init__.py"):
        raise _refused(request, f"its import path does not lead to '{path}', the file that the run names")


def _source(request: FunctionRequest, content: bytes) -> str:
    """The text of a module, decoded as the interpreter decodes it (PEP 263)."""
    try:
        return importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError) as wrong:
        raise _refused(request, f"its module cannot be read: {wrong}") from None


def _plain(content: Json, is_list: bool) -> Json:
    return as_object(content)["items"] if is_list else content


def _on_disk(tree: MethodTree, folder: Path) -> Path:
    """The tree's folder; a tree in memory is written to disk first."""
    if tree.root is not None:
        return resolved(tree.root)
    for name, file in tree.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, Path):
            shutil.copyfile(file, target)
        else:
            target.write_bytes(file)
    return folder


async def _answered(
    request: FunctionRequest, task: bytes, work: Path, options: FunctionOptions, environ: Mapping[str, str]
) -> dict[str, Json]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-B",
        str(_CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=work,
        env={**harmless(environ, options.environment), "HOME": str(work), "TMPDIR": str(work)},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(options.timeout):
            told, said, _ = await asyncio.gather(
                _all_of(process, options.max_output_bytes),
                _end_of(process.stderr),
                _write(process.stdin, task),
            )
            await process.wait()
    except TimeoutError:
        raise PipelexError(
            "pipe.function_timed_out",
            f"the function '{request.function}' took longer than {options.timeout:g} seconds and was stopped",
            category=ErrorCategory.CONTENT,
            params={"function": request.function, "timeout": options.timeout},
            advice="Make it faster, or raise the time limit of functions.",
        ) from None
    finally:
        # Kill the whole session, because processes that the function started must not outlive it.
        kill_session(process.pid)
        await asyncio.shield(process.wait())
        _close(process)
    if told is None:
        raise _raised(request, f"returned more than {options.max_output_bytes} bytes")
    try:
        return cast("dict[str, Json]", json.loads(told))
    except ValueError:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        why = f"ended without an answer (exit {process.returncode})"
        raise _raised(request, f"{why}: {last}" if last else why) from None


def _close(process: asyncio.subprocess.Process) -> None:
    """Close the pipes. asyncio closes only a pipe that was read to its end, which an output over the limit is not."""
    transport: asyncio.SubprocessTransport = getattr(process, "_transport")  # noqa: B009 it has no public name
    transport.close()


async def _all_of(process: asyncio.subprocess.Process, limit: int) -> bytes | None:
    """The whole output of the process. If it exceeds the limit, the process is killed and this returns None."""
    stream, data = process.stdout, bytearray()
    assert stream is not None
    while chunk := await stream.read(_CHUNK):
        data += chunk
        if len(data) > limit:
            kill_session(process.pid)
            return None
    return bytes(data)


async def _end_of(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    data = bytearray()
    while chunk := await stream.read(_CHUNK):
        data += chunk
        del data[:-_SAID]
    return bytes(data)


async def _write(stream: asyncio.StreamWriter | None, task: bytes) -> None:
    assert stream is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(task)
        await stream.drain()
    stream.close()


def _content(request: FunctionRequest, answer: dict[str, Json]) -> Json:
    if "refused" in answer:
        raise _refused(request, str(answer["refused"]))
    if "raised" in answer:
        place = f" ({answer['place']})" if answer["place"] else ""
        message = f": {str(answer['message'])[:_SAID]}" if answer["message"] else ""
        raise _raised(request, f"raised {answer['raised']}{message}{place}")
    content: Json = answer["content"]
    return {"items": content} if request.is_list and isinstance(content, list) else content


def _refused(request: FunctionRequest, finding: str) -> PipelexError:
    return PipelexError(
        "method.function_invalid",
        f"the function '{request.function}' cannot be used: {finding}",
        category=ErrorCategory.CONTENT,
        params={"function": request.function, "finding": finding},
    )


def _raised(request: FunctionRequest, what: str) -> PipelexError:
    return PipelexError(
        "pipe.function_raised",
        f"the function '{request.function}' {what}",
        category=ErrorCategory.CONTENT,
        params={"function": request.function},
    )
