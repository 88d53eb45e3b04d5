"""The files a run leaves behind.

Source: section A.1 of the command-line reference.
"""

import asyncio
import base64
import errno
import hashlib
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pipelex.cli._shared.results import bare_json, rendered
from pipelex.cli._shared.usage import trace_usage_json, usage_json
from pipelex.config.own_files import OWN_FOLDER, open_own, write_own_text
from pipelex.content.files.kinds import type_of_extension
from pipelex.content.stuff import Absence, Json, Stuff, WorkingMemory
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.tooling.pages import FILES, cleaned, leading_page, may_be_opened, written_page

if TYPE_CHECKING:
    from pipelex.library import Library, LoadedLibrary, MethodTree, Pipe
    from pipelex.pipes.trace import PipeTrace
    from pipelex.runner import Pipelex, RunResult
    from pipelex.storage import SavedFiles
    from pipelex.tooling.viewer import RunFacts


@dataclass(frozen=True)
class FilesToWrite:
    """The files that a run leaves, and their folder."""

    output_dir: Path
    main_stuff: bool = True
    working_memory: bool = True
    working_memory_path: Path | None = None
    csv: Path | None = None
    usage: bool = True
    graph: bool = True


@dataclass(frozen=True)
class WrittenRun:
    """What a run left on disk."""

    folder: Path
    """The run's own folder."""
    saved: "SavedFiles"
    """The files that the run made."""


def write_files(
    app: "Pipelex",
    result: "RunResult",
    loaded: "LoadedLibrary",
    wanted: FilesToWrite,
    shown: "RunPage | None" = None,
) -> WrittenRun | None:
    """Write what a run is to leave behind.

    Args:
        app: the runtime, which knows where files are stored.
        result: the result of the run.
        loaded: the method.
        wanted: the files that the run is to leave.
        shown: the content of its page; None if its trace is not known.

    Returns:
        The run's own folder with the files in it; None if no such folder was wanted.

    Raises:
        PipelexError: a file cannot be written, or the result is not a table.
    """
    with writing():
        if wanted.csv is not None:
            _write_csv(result, loaded, wanted.csv)
        memory_path = wanted.working_memory_path
        if memory_path is not None:
            write_json(memory_path, memory_json(result.working_memory))
        if not wanted.main_stuff and (not wanted.working_memory or memory_path is not None):
            return None
        folder = new_folder(wanted.output_dir, f"{result.pipe.rpartition('.')[2]}_output")
        saved = asyncio.run(app.save_files(*_made_by(result, loaded), folder=folder / FILES))
        if wanted.main_stuff:
            write_main(folder, result, loaded.library, saved)
        if wanted.working_memory and memory_path is None:
            write_json(folder / "working_memory.json", memory_json(result.working_memory))
        write_json(folder / "method_tree.json", tree_json(loaded))
        if wanted.usage:
            write_json(folder / "usage.json", _usage_of(result))
        _write_contracts(folder, loaded)
        if wanted.graph:
            _write_graph(folder, result, loaded, shown, saved)
    return WrittenRun(folder, saved)


def _made_by(result: "RunResult", loaded: "LoadedLibrary") -> list[Json]:
    """The values that a run made: its result, and the values in its memory other than the inputs."""
    pipe = None if loaded.library is None else loaded.library.pipes.get(result.pipe)
    given = () if pipe is None else pipe.inputs
    made = [stuff.content for name, stuff in result.working_memory.root.items() if name not in given]
    return [bare_json(result.value), *made]


@contextmanager
def writing(option: str = "a folder that can be written with --output-dir") -> Generator[None]:
    """Turn a failure to write a file in this block into an error with advice.

    Args:
        option: the other place that the advice proposes, with the option that names it.

    Raises:
        PipelexError: a file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise PipelexError(
            "runtime.misconfigured",
            f"'{error.filename}' cannot be written: {error.strerror}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "output"},
            advice=f"Name {option}.",
        ) from None


def check_places(wanted: FilesToWrite) -> None:
    """Refuse places that cannot be written, before anything is paid for.

    Raises:
        PipelexError: a file or folder of the run cannot be written (`runtime.misconfigured`).
    """
    with writing():
        if wanted.main_stuff or (wanted.working_memory and wanted.working_memory_path is None):
            check_folder(wanted.output_dir)
    check_file(wanted.working_memory_path, "--working-memory-path")
    check_file(wanted.csv, "--save-csv")


def check_file(file: Path | None, option: str) -> None:
    """Refuse a file that cannot be written, before its content is produced.

    Raises:
        PipelexError: the file cannot be written.
    """
    if file is None:
        return
    with writing(f"a file that can be written with {option}"):
        check_folder(file.parent)
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made, or in which no file can be made.

    Raises:
        OSError: the folder cannot be used.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))
    made = [each for each in (folder, *folder.absolute().parents) if not each.exists()]
    try:
        _write_probe(folder)
    except OSError as error:  # names the folder, not the file of the probe
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        for each in made:
            with suppress(OSError):
                each.rmdir()


def _write_probe(folder: Path) -> None:
    """Write a file without a name into a folder, which fails where permissions look right but nothing can be written."""
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(_PROBE_BYTES))


_PROBE_BYTES: Final = 64 * 1024
"""The size of the file that is written as a test, in bytes: about what the files of a small run need."""


def _usage_of(result: "RunResult") -> Json:
    if result.trace is not None:
        return trace_usage_json(result.trace)
    # Only the server has the tree of a durable run; `pipelex runs show` prints it.
    return {"id": result.run_id, "pipe": result.pipe, **usage_json(result.usage)}


def new_folder(output_dir: Path, name: str) -> Path:
    """Make a new folder for a run, named `name_01`, `name_02` and so on, with the first free number."""
    output_dir.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = output_dir / f"{name}_{number:02}"
        try:
            folder.mkdir(mode=OWN_FOLDER)  # fails when another run took the number at the same moment
        except FileExistsError:
            number += 1
            continue
        write_own_text(folder / ".gitignore", "*\n")
        return folder


def write_main(folder: Path, result: "RunResult", library: "Library | None", saved: "SavedFiles") -> None:
    """Write the main result as JSON and as Markdown and HTML, each with links to the files that the run made."""
    value, linked = result.value, _with_links(result.value, saved)
    write_json(folder / "main_stuff.json", saved.with_paths(bare_json(value)))
    write_own_text(folder / "main_stuff.md", rendered(linked, library, "markdown") + "\n")
    rendering = rendered(linked, library, "html")
    write_own_text(folder / "main_stuff.html", written_page(result.pipe, cleaned(rendering)))
    # This leads to the rendering; `write_run_page` replaces it if there is a page of the run.
    write_own_text(folder / "main_stuff_viewer.html", leading_page(result.pipe, "main_stuff.html"))


def _with_links(value: Stuff | Absence, saved: "SavedFiles") -> Stuff | Absence:
    return replace(value, content=saved.with_links(value.content)) if isinstance(value, Stuff) else value


def _write_contracts(folder: Path, loaded: "LoadedLibrary") -> None:
    """Write the contracts of the method's pipes, for programs and for forms."""
    from pipelex.tooling.contracts import contract_files

    if loaded.library is not None:
        for name, document in contract_files(loaded.library).items():
            write_json(folder / name, document)


def _write_graph(
    folder: Path, result: "RunResult", loaded: "LoadedLibrary", shown: "RunPage | None", saved: "SavedFiles"
) -> None:
    """Write the drawing of the method, and the page of the run if its trace is known."""
    from pipelex.tooling.graph import static_graph, to_mermaid

    library = loaded.library
    if library is None or result.pipe not in library.pipes:
        return
    write_own_text(folder / "mermaidflow.mmd", to_mermaid(static_graph(library, result.pipe)))
    if shown is not None:
        write_run_page(folder, replace(shown, facts=replace(shown.facts, result=result.value)), library, saved)


@dataclass(frozen=True)
class RunPage:
    """The content of the page of a run."""

    trace: "PipeTrace"
    facts: "RunFacts"


LEADING: Final[Mapping[str, str]] = {
    "main_stuff_viewer.html": "run.html#result",
    "mermaidflow.html": "run.html#graph",
    "reactflow.html": "run.html#graph",
}
"""The pages of the reference implementation → the part of the run's page that shows the same."""


def write_run_page(folder: Path, shown: RunPage, library: "Library", saved: "SavedFiles") -> None:
    """Write the trace of a run as a graph document and as a page; the names in `LEADING` redirect to the page."""
    from pipelex.cli.run.graph import graph_json
    from pipelex.tooling.viewer import name_pipes

    trace = shown.trace
    name_pipes(trace, library)
    write_json(folder / "graphspec.json", graph_json(trace, shown.facts.run_id, library))
    write_own_text(folder / "run.html", page_text(shown, library, saved))
    for name, target in LEADING.items():
        if name != "main_stuff_viewer.html" or (folder / "main_stuff.html").exists():
            write_own_text(folder / name, leading_page(trace.pipe, target))


def page_text(shown: RunPage, library: "Library | None", saved: "SavedFiles") -> str:
    """The page of a run, with links to its saved files; their folder is beside the page."""
    from pipelex.tooling.viewer import run_document, run_page

    document = run_document(shown.trace, replace(shown.facts, files=saved_json(saved)), library)
    document["values"] = saved.linked(document["values"], lambda name: {**_link(saved, name), "filename": name})
    return run_page(document)


def _link(saved: "SavedFiles", name: str) -> dict[str, Json]:
    return {"url": quote(saved.path(name))}


_MOST_HELD: Final = 8_000_000
"""The maximum number of bytes of files that a page holds itself; it links to further ones."""


def saved_json(saved: "SavedFiles") -> list[dict[str, Json]]:
    """The files that a run made, as its page lists them.

    The page itself holds the bytes of small files: browsers refuse to download a file that lies beside a page. A link to
    a large one that could act when a browser opens it leads to the folder.
    """
    found: list[dict[str, Json]] = []
    room = _MOST_HELD
    for path in saved.paths:
        size, mime_type = path.stat().st_size, type_of_extension(path.name)
        file: dict[str, Json] = {
            "name": path.name,
            "href": quote(saved.path(path.name)),
            "mime_type": mime_type,
            "size": size,
        }
        if size <= room:
            room -= size
            file["data"] = f"data:{mime_type};base64,{base64.b64encode(path.read_bytes()).decode()}"
        elif not may_be_opened(path.name):
            file["href"] = f"{quote(saved.folder.name)}/#{quote(path.name)}"
        found.append(file)
    return found


def memory_json(memory: WorkingMemory) -> Json:
    """A working memory in the form of its file."""
    return {
        "root": {name: _entry(name, stuff) for name, stuff in memory.root.items()},
        "aliases": dict(memory.aliases),
        "absences": {name: absence.to_json() for name, absence in memory.absences.items()},
    }


def _entry(name: str, stuff: Stuff) -> Json:
    wire = stuff.to_json()
    content = json.dumps([name, wire], sort_keys=True, default=str).encode()
    return {"stuff_code": hashlib.sha256(content).hexdigest()[:8], "stuff_name": name, **wire}


def tree_json(loaded: "LoadedLibrary") -> Json:
    """The method's files with their digests."""
    tree = loaded.tree
    return {
        "digest": tree.digest,
        "root": str(tree.root) if tree.root is not None else None,
        "is_one_file": tree.is_lone,
        "entry": loaded.entry,
        "files": [_file(tree, path) for path in tree.files],
    }


def _file(tree: "MethodTree", path: str) -> Json:
    content = tree.read(path) or b""
    return {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def write_json(path: Path, value: Json) -> None:
    """Write a value as JSON, and make the folders above the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_own_text(path, json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def _write_csv(result: "RunResult", loaded: "LoadedLibrary", path: Path) -> None:
    from pipelex.content.inputs import write_csv
    from pipelex.content.structure import ContentError, ObjectShape

    value = result.value
    shape = loaded.library.shape(value.concept) if isinstance(value, Stuff) and loaded.library is not None else None
    if not isinstance(value, Stuff) or not value.is_list or not isinstance(shape, ObjectShape):
        raise _no_table("the result is not a list of objects")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_own(path, newline="") as stream:
            write_csv(value.items, shape, stream)
    except ContentError as error:
        path.unlink(missing_ok=True)
        raise _no_table("; ".join(message for _, message in error.faults)) from None


def check_is_a_table(library: "Library", pipe: "Pipe") -> None:
    """Refuse a pipe whose result `--save-csv` cannot write, before anything is paid for.

    Raises:
        PipelexError: the pipe's output is not a list of objects.
    """
    from pipelex.content.structure import AnyShape, ObjectShape

    shape = library.shape(pipe.output.concept)
    if not isinstance(shape, AnyShape) and not (pipe.output.is_list and isinstance(shape, ObjectShape)):
        raise _no_table(f"the result of '{pipe.ref}' is not a list of objects")


def _no_table(why: str) -> PipelexError:
    return PipelexError(
        "request.unsupported",
        f"--save-csv: {why}",
        category=ErrorCategory.CONTENT,
        params={"field": "save_csv", "reason": "not_flat"},
        advice="A CSV file holds a flat list: a list of a concept whose fields are single values.",
    )
