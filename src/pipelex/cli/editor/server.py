"""The language server of bundles, over `pygls`.

The validator finds the faults, in the texts as they are in the editor. It runs in a thread, a moment after the last
change. All other requests are answered at once from what the last check found.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from pipelex import __version__
from pipelex.cli.editor.places import Places
from pipelex.config.files.paths import resolved
from pipelex.errors import Fault
from pipelex.tooling.editor import (
    AskedPlace,
    CheckedFiles,
    Load,
    Occurrence,
    OpenFile,
    Suggestion,
    TextChange,
    Workspace,
    ask,
    suggestions,
)
from pipelex.tooling.fix import apply_ops

_PAUSE: Final = 0.2
"""The seconds without a change after which the texts are checked for faults."""

_KINDS: Final[Mapping[str, types.CompletionItemKind]] = {
    "concept": types.CompletionItemKind.Class,
    "pipe": types.CompletionItemKind.Function,
    "name": types.CompletionItemKind.Variable,
    "field": types.CompletionItemKind.Field,
    "key": types.CompletionItemKind.Property,
    "word": types.CompletionItemKind.EnumMember,
}

PlaceParams: TypeAlias = (
    types.HoverParams | types.DefinitionParams | types.ReferenceParams | types.PrepareRenameParams | types.RenameParams
)
"""The parameters of a request about a place in a text."""

log = logging.getLogger("pipelex.lsp")


class BundleServer(LanguageServer):
    """The state that the server keeps between messages.

    Args:
        load: loads bundle files and validates them.
        refresh: called when settings may have changed.
    """

    def __init__(self, load: Load, refresh: Callable[[], None]) -> None:
        super().__init__("pipelex", __version__)  # type: ignore[reportUnknownMemberType]
        self.bundles = Workspace([], load)
        self.refresh = refresh
        self.waiting: dict[Path, asyncio.Task[None]] = {}
        self.published: set[Path] = set()
        self.faults: dict[Path, tuple[Fault, ...]] = {}

    # --- texts --------------------------------------------------------------------------------------------------------

    def opened(self, uri: str) -> None:
        """Take over the new text of a document, and check it soon."""
        path = path_of(uri)
        self.bundles.texts[path] = self.workspace.get_text_document(uri).source
        self.check_soon(path)

    def closed(self, uri: str) -> None:
        path = path_of(uri)
        self.bundles.texts.pop(path, None)
        if not self.bundles.texts:
            self.publish(CheckedFiles((path,), {}))
        for other in list(self.bundles.texts):
            self.check_soon(other)

    def check_soon(self, path: Path) -> None:
        """Check for faults after a short pause, which starts again if the text changes."""
        task = self.waiting.pop(path, None)
        if task is not None:
            task.cancel()
        self.waiting[path] = asyncio.get_running_loop().create_task(self._check(path))

    async def _check(self, path: Path) -> None:
        await asyncio.sleep(_PAUSE)
        text = self.bundles.texts.get(path)
        checked = await asyncio.to_thread(self.bundles.check, path)
        if self.bundles.texts.get(path) == text:
            self.publish(checked)

    def publish(self, checked: CheckedFiles) -> None:
        """Publish the faults of a method's files, and withdraw those that are mended."""
        for path in checked.files:
            faults = tuple(fault for fault in checked.faults.get(path, ()) if not _is_of_machine(fault))
            self.faults[path] = faults
            if not faults and path not in self.published:
                continue
            self.published.add(path)
            file = self.bundles.file(path)
            places = self.places(file.text if file is not None else "")
            found = [diagnostic(fault, places) for fault in faults]
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(path.as_uri(), found))

    # --- places -------------------------------------------------------------------------------------------------------

    def places(self, text: str) -> Places:
        return Places(text, self.workspace.position_codec)

    def at(self, document: types.TextDocumentIdentifier, position: types.Position) -> tuple[OpenFile, int] | None:
        """The file of a document and the offset of a position in it; None if the file is not known."""
        file = self.bundles.file(path_of(document.uri))
        return None if file is None else (file, self.places(file.text).offset(position))

    def asked(self, params: PlaceParams) -> AskedPlace | None:
        """The place in a text that a request asks about; None if its file is not known."""
        found = self.at(params.text_document, params.position)
        return None if found is None else ask(self.bundles.group(Path(found[0].path)), *found)

    def range(self, path: str, start: int, end: int) -> types.Range:
        file = self.bundles.file(Path(path))
        text = Path(path).read_text(encoding="utf-8") if file is None else file.text
        return self.places(text).range(start, end)

    def location(self, found: Occurrence) -> types.Location:
        return types.Location(Path(found.file).as_uri(), self.range(found.file, found.start, found.end))


def path_of(uri: str) -> Path:
    """The file of a document; an unsaved document gets a made-up name in the working directory."""
    text = uris.to_fs_path(uri) if uri.startswith("file:") else None
    return resolved(Path(text)) if text else Path.cwd() / f"{uri.replace(':', '-').replace('/', '-')}.mthds"


def _is_of_machine(fault: Fault) -> bool:
    """Whether a warning is about this machine's keys and backends rather than about the text."""
    return fault.severity == "warning" and fault.code.startswith("model.")


def diagnostic(fault: Fault, places: Places) -> types.Diagnostic:
    """A fault as a diagnostic of the protocol."""
    is_error = fault.severity == "error"
    severity = types.DiagnosticSeverity.Error if is_error else types.DiagnosticSeverity.Warning
    return types.Diagnostic(places.range_of(fault.location), fault.detail, severity, fault.code, source="pipelex")


def make_server(load: Load, refresh: Callable[[], None]) -> BundleServer:
    """The server with all its request handlers."""
    server = BundleServer(load, refresh)
    _add_texts(server)
    _add_answers(server)
    _add_changes(server)
    return server


def _add_texts(server: BundleServer) -> None:
    @server.feature(types.INITIALIZED)
    def initialized(ls: BundleServer, params: types.InitializedParams) -> None:
        folders = [path_of(folder.uri) for folder in ls.workspace.folders.values()]
        root = ls.workspace.root_path
        ls.bundles.roots[:] = folders or ([resolved(Path(root))] if root else [])

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def told(
        ls: BundleServer,
        params: types.DidOpenTextDocumentParams | types.DidChangeTextDocumentParams | types.DidSaveTextDocumentParams,
    ) -> None:
        ls.opened(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(ls: BundleServer, params: types.DidCloseTextDocumentParams) -> None:
        ls.closed(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def moved(ls: BundleServer, params: types.DidChangeWatchedFilesParams) -> None:
        ls.refresh()
        for path in list(ls.bundles.texts):
            ls.check_soon(path)


def _add_answers(server: BundleServer) -> None:
    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", "$", "@", '"', "?"])
    )
    def complete(ls: BundleServer, params: types.CompletionParams) -> types.CompletionList:
        found = ls.at(params.text_document, params.position)
        if found is None:
            return types.CompletionList(False, [])
        file, offset = found
        places = ls.places(file.text)
        path = Path(file.path)
        found_here = suggestions(ls.bundles.group(path), file, offset, ls.bundles.around(path))
        items = [_item(each, places, offset) for each in found_here]
        return types.CompletionList(False, items)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(ls: BundleServer, params: types.HoverParams) -> types.Hover | None:
        asked = ls.asked(params)
        found = None if asked is None else asked.hover()
        if found is None:
            return None
        text, start, end = found
        path = str(path_of(params.text_document.uri))
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), ls.range(path, start, end))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def define(ls: BundleServer, params: types.DefinitionParams) -> list[types.Location]:
        asked = ls.asked(params)
        return [] if asked is None else [ls.location(found) for found in asked.definitions()]

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def refer(ls: BundleServer, params: types.ReferenceParams) -> list[types.Location]:
        asked = ls.asked(params)
        if asked is None:
            return []
        found = asked.references(with_declarations=params.context.include_declaration)
        return [ls.location(each) for each in found]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def list_symbols(ls: BundleServer, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        file = ls.bundles.file(path_of(params.text_document.uri))
        return [] if file is None else _symbols(file, ls.places(file.text))


def _add_changes(server: BundleServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepare(ls: BundleServer, params: types.PrepareRenameParams) -> types.Range | None:
        asked = ls.asked(params)
        if asked is None or asked.here is None or not asked.is_renamable:
            return None
        return ls.range(asked.here.file, asked.here.start, asked.here.end)

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    def rename(ls: BundleServer, params: types.RenameParams) -> types.WorkspaceEdit | None:
        asked = ls.asked(params)
        if asked is None:
            return None
        manifest = ls.bundles.manifest(path_of(params.text_document.uri))
        try:
            edits = asked.rename(params.new_name, manifest)
        except ValueError as refused:
            raise JsonRpcInvalidParams(str(refused)) from None
        return _workspace_edit(ls, edits)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    def act(ls: BundleServer, params: types.CodeActionParams) -> list[types.CodeAction]:
        path = path_of(params.text_document.uri)
        file = ls.bundles.file(path)
        if file is None:
            return []
        places = ls.places(file.text)
        found: list[types.CodeAction] = []
        for fault in ls.faults.get(path, ()):
            if _overlap(places.range_of(fault.location), params.range):
                action = _action(fault, file, places, path)
                found += [] if action is None else [action]
        return found


def _item(found: Suggestion, places: Places, offset: int) -> types.CompletionItem:
    text = found.insert or found.label
    return types.CompletionItem(
        found.label,
        kind=_KINDS[found.kind],
        detail=found.detail or None,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, found.documentation)
        if found.documentation
        else None,
        filter_text=found.label,
        text_edit=types.TextEdit(places.range(found.start, offset), text),
    )


def _symbols(file: OpenFile, places: Places) -> list[types.DocumentSymbol]:
    found: dict[tuple[str | int, ...], types.DocumentSymbol] = {}
    for name in file.sketch.names:
        if len(name.path) == 2 and name.path[0] in ("pipe", "concept") and name.path not in found:
            kind = types.SymbolKind.Function if name.path[0] == "pipe" else types.SymbolKind.Class
            where = places.range(name.start, name.end)
            about = file.sketch.string((*name.path, "type")) or str(name.path[0])
            found[name.path] = types.DocumentSymbol(str(name.path[1]), kind, where, where, detail=about)
    return list(found.values())


def _workspace_edit(ls: BundleServer, edits: Sequence[TextChange]) -> types.WorkspaceEdit:
    changes: dict[str, list[types.TextEdit]] = {}
    for edit in edits:
        text_edit = types.TextEdit(ls.range(edit.file, edit.start, edit.end), edit.text)
        changes.setdefault(Path(edit.file).as_uri(), []).append(text_edit)
    return types.WorkspaceEdit(changes=changes)


def _overlap(first: types.Range, second: types.Range) -> bool:
    def key(place: types.Position) -> tuple[int, int]:
        return (place.line, place.character)

    return key(first.start) <= key(second.end) and key(second.start) <= key(first.end)


def _action(fault: Fault, file: OpenFile, places: Places, path: Path) -> types.CodeAction | None:
    """The fix of a fault as the smallest change of the text; None if it has no fix, or the fix does not apply."""
    if fault.suggested_fix is None:
        return None
    try:
        text = apply_ops(file.text, fault.suggested_fix.ops)
    except Exception:
        log.debug("a fix does not apply to the text as it is", exc_info=True)
        return None
    old = file.text
    start = next((i for i, (a, b) in enumerate(zip(old, text, strict=False)) if a != b), min(len(old), len(text)))
    same = 0
    while same < min(len(old), len(text)) - start and old[-1 - same] == text[-1 - same]:
        same += 1
    change = types.TextEdit(places.range(start, len(old) - same), text[start : len(text) - same])
    return types.CodeAction(
        fault.suggested_fix.description,
        types.CodeActionKind.QuickFix,
        diagnostics=[diagnostic(fault, places)],
        is_preferred=fault.suggested_fix.safety == "safe",
        edit=types.WorkspaceEdit(changes={path.as_uri(): [change]}),
    )
