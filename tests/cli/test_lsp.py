"""The language server as editors meet it: the real process, over standard input and output."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from tests.cli.conftest import Cli

pytestmark = pytest.mark.slow

BILLS = """domain = "bills"
description = "Bills"
main_pipe = "check"

[concept.Bill]
description = "A bill"
[concept.Bill.structure]
total = { type = "number", description = "What is to be paid", required = true }
label = "What it is for"

[pipe.check]
type = "PipeSequence"
description = "Read and tell"
inputs = { letter = "Text" }
output = "Text"
steps = [
  { pipe = "read", result = "bill" },
  { pipe = "tell" },
]

[pipe.read]
type = "PipeLLM"
description = "Read a bill"
inputs = { letter = "Text" }
output = "Bill"
prompt = "😀 Read $letter"

[pipe.tell]
type = "PipeLLM"
description = "Tell about a bill"
inputs = { bill = "Bill" }
output = "Text"
prompt = \"\"\"
Tell: $bill.total and {{ bill.label }}
{% if bill.total > 3 %}much{% endif %}
@bill
\"\"\"
"""
OTHER = """domain = "letters"
[pipe.write]
type = "PipeLLM"
description = "Write about a bill"
inputs = { paid = "bills.Bill" }
output = "Text"
prompt = "Write about $paid.total"
"""


class Editor:
    """An editor with the server as its child."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.client = LanguageClient("test", "1")
        self.faults: dict[str, list[types.Diagnostic]] = {}
        self.changed = asyncio.Event()
        self.versions: dict[str, int] = {}

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[reportUntypedFunctionDecorator]
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.faults[params.uri] = list(params.diagnostics)
            self.changed.set()

    async def start(self) -> types.InitializeResult:
        start: Any = self.client.start_io  # type: ignore[reportUnknownMemberType]
        await start(sys.executable, "-m", "pipelex.cli", "lsp", cwd=str(self.root))
        folder = types.WorkspaceFolder(self.root.as_uri(), self.root.name)
        params = types.InitializeParams(types.ClientCapabilities(), root_uri=folder.uri, workspace_folders=[folder])
        result = await self.client.initialize_async(params)
        self.client.initialized(types.InitializedParams())
        return result

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str | None = None) -> None:
        text = (self.root / name).read_text(encoding="utf-8") if text is None else text
        self.versions[name] = 1
        item = types.TextDocumentItem(self.uri(name), "mthds", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, name: str, text: str) -> None:
        self.versions[name] += 1
        document = types.VersionedTextDocumentIdentifier(version=self.versions[name], uri=self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def faults_of(self, name: str, *, until: str | None = None) -> list[types.Diagnostic]:
        """The faults of a file, once one says a text; once there are none, without a text."""
        async with asyncio.timeout(60):
            while True:
                found = self.faults.get(self.uri(name))
                if found is not None and (not found if until is None else any(until in each.message for each in found)):
                    return found
                self.changed.clear()
                await self.changed.wait()

    def place(self, name: str, text: str, mark: str, move: int = 0) -> Any:
        """The request's place: where a mark of the text begins, or some characters behind that."""
        offset = text.index(mark) + move
        line = text.count("\n", 0, offset)
        column = len(text[text.rfind("\n", 0, offset) + 1 : offset].encode("utf-16-le")) // 2
        return {
            "text_document": types.TextDocumentIdentifier(self.uri(name)),
            "position": types.Position(line, column),
        }

    async def labels(self, name: str, text: str, mark: str, move: int | None = None) -> dict[str, types.CompletionItem]:
        place = self.place(name, text, mark, len(mark) if move is None else move)
        found = await self.client.text_document_completion_async(types.CompletionParams(**place))
        assert isinstance(found, types.CompletionList)
        return {item.label: item for item in found.items}

    async def hover(self, name: str, text: str, mark: str, move: int = 0) -> str:
        place = self.place(name, text, mark, move)
        found = await self.client.text_document_hover_async(types.HoverParams(**place))
        return "" if found is None else str(getattr(found.contents, "value", found.contents))

    async def stop(self) -> int | None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await asyncio.wait_for(self.client.stop(), 30)
        server = self.client._server
        return None if server is None else server.returncode


@pytest_asyncio.fixture
async def editor(cli: Cli) -> AsyncIterator[Editor]:
    for file in cli.root.glob("*.mthds"):
        file.unlink()
    (cli.root / "bills.mthds").write_text(BILLS, encoding="utf-8")
    (cli.root / "letters.mthds").write_text(OTHER, encoding="utf-8")
    found = Editor(cli.root)
    await found.start()
    yield found
    await found.stop()


def word(text: str, place: types.Range) -> str:
    line = text.split("\n")[place.start.line].encode("utf-16-le")
    return line[place.start.character * 2 : place.end.character * 2].decode("utf-16-le")


async def test_faults_come_as_one_types_and_go(editor: Editor) -> None:
    editor.open("bills.mthds")
    wrong = BILLS.replace("😀 Read $letter", "😀 $letter.texd Read $letter").replace(
        'output = "Bill"', 'output = "Bil"'
    )
    editor.type("bills.mthds", wrong)
    (fault,) = await editor.faults_of("bills.mthds", until="no concept 'Bil'")
    assert (word(wrong, fault.range), fault.severity) == ('"Bil"', types.DiagnosticSeverity.Error)

    wrong = BILLS.replace("😀 Read $letter", "😀 $letter.texd Read $letter")
    editor.type("bills.mthds", wrong)
    (fault,) = await editor.faults_of("bills.mthds", until="texd")
    assert (word(wrong, fault.range), fault.severity) == ("texd", types.DiagnosticSeverity.Warning)
    assert (fault.code, fault.source) == ("method.field_path_unresolved", "pipelex")

    editor.type("bills.mthds", BILLS.replace('type = "PipeLLM"', 'type = "PipeLLM', 1))
    (fault,) = await editor.faults_of("bills.mthds", until="not TOML")

    editor.type("bills.mthds", BILLS)
    assert await editor.faults_of("bills.mthds") == []


async def test_files_see_each_other_before_they_are_saved(editor: Editor) -> None:
    editor.open("bills.mthds")
    editor.open("letters.mthds", OTHER.replace("$paid.total", "$paid.sum"))
    await editor.faults_of("letters.mthds", until="'paid.sum' never exists")
    editor.type("bills.mthds", BILLS.replace("label = ", 'sum = { type = "number", description = "x" }\nlabel = '))
    editor.type("letters.mthds", OTHER.replace("$paid.total", "$paid.sum "))
    assert await editor.faults_of("letters.mthds") == []


async def test_completion_knows_concepts_pipes_inputs_and_fields(editor: Editor) -> None:
    editor.open("bills.mthds")
    editor.open("letters.mthds")
    for name in ("bills.mthds", "letters.mthds"):
        await editor.client.text_document_document_symbol_async(
            types.DocumentSymbolParams(types.TextDocumentIdentifier(editor.uri(name)))
        )
    editor.type("bills.mthds", BILLS.replace("😀 Read $letter", "$letter.x"))
    await editor.faults_of("bills.mthds", until="never exists")

    async def typed(before: str, after: str, mark: str, name: str = "bills.mthds", whole: str = BILLS) -> set[str]:
        text = whole.replace(before, after, 1)
        assert text != whole
        editor.type(name, text)
        return set(await editor.labels(name, text, mark))

    assert {"Bill", "Text", "Image"} <= await typed('output = "Bill"', 'output = "B', 'output = "B')
    assert {"Bill", "Number"} <= await typed('{ letter = "Text" }\noutput = "Bill"', '{ letter = "', '{ letter = "')
    assert {"read", "tell", "check"} <= await typed('{ pipe = "tell" }', '{ pipe = "', '},\n  { pipe = "')
    assert await typed("😀 Read $letter", "😀 Read $", "😀 Read $") == {"letter"}
    assert await typed("{{ bill.label }}", "{{ bill.", "{{ bill.") == {"total", "label"}
    assert await typed("$bill.total", "$bill.", "$bill.") == {"total", "label"}
    assert await typed("{% if bill.total", "{% if b", "{% if b") == {"bill"}
    assert "bill" in await typed("@bill", "@b", "@b")
    assert {"from", "result", "pipe", "batch_over"} & await typed('{ pipe = "tell" }', "{ ", "},\n  { ")
    assert await typed('{ pipe = "tell" }', '{ from = "bill.', 'from = "bill.') == {"total", "label"}
    assert {"letter", "bill"} <= await typed('{ pipe = "tell" }', '{ from = "', 'from = "')
    keys = await typed('prompt = "😀', 'mo\nprompt = "😀', 'output = "Bill"\nmo')
    assert {"model", "system_prompt", "structuring_method"} <= keys
    assert "prompt" not in keys
    assert {"PipeLLM", "PipeSequence"} <= await typed('type = "PipeLLM"', 'type = "Pipe', 'type = "Pipe')
    assert {"text", "number", "list"} <= await typed('type = "number"', 'type = "', 'total = { type = "')
    assert {"required", "choices"} <= await typed(", required = true", ", ", 'to be paid", ')
    assert {"main_pipe"} <= await typed('main_pipe = "check"', "ma", 'Bills"\nma')
    assert await typed('main_pipe = "check"', 'main_pipe = "', 'main_pipe = "') == {"check", "read", "tell"}
    other = await typed('"bills.Bill"', '"', 'paid = "', "letters.mthds", OTHER)
    assert {"bills.Bill", "Text"} <= other


async def test_loops_complete_what_they_go_through(editor: Editor) -> None:
    text = BILLS.replace('inputs = { bill = "Bill" }', 'inputs = { bills = "Bill[]" }').replace(
        "Tell: $bill.total and {{ bill.label }}", "{% for one in bills %}{{ one.label }}{% endfor %}"
    )
    editor.open("bills.mthds", text)
    await editor.faults_of("bills.mthds", until="bill")
    half = text.replace("{{ one.label }}", "{{ one.")
    editor.type("bills.mthds", half)
    assert set(await editor.labels("bills.mthds", half, "{{ one.")) == {"total", "label"}
    half = text.replace("{{ one.label }}", "{{ ")
    editor.type("bills.mthds", half)
    assert {"bills", "one"} <= set(await editor.labels("bills.mthds", half, "bills %}{{ "))


async def test_hover_says_what_a_name_is(editor: Editor) -> None:
    editor.open("bills.mthds")
    editor.type("bills.mthds", BILLS.replace("😀 Read $letter", "$letter.x"))
    await editor.faults_of("bills.mthds", until="never exists")
    editor.type("bills.mthds", BILLS)
    assert "A bill" in await editor.hover("bills.mthds", BILLS, 'output = "Bill"', 11)
    assert "`total`: number, required" in await editor.hover("bills.mthds", BILLS, 'output = "Bill"', 11)
    assert "takes `letter`: `Text`" in await editor.hover("bills.mthds", BILLS, 'pipe = "read"', 9)
    assert "What is to be paid" in await editor.hover("bills.mthds", BILLS, "$bill.total", 7)
    assert "input of `tell`" in await editor.hover("bills.mthds", BILLS, "{{ bill.label", 4)
    assert "kept by a step" in await editor.hover("bills.mthds", BILLS, 'result = "bill"', 11)
    assert "A text" in await editor.hover("bills.mthds", BILLS, 'letter = "Text"', 11)
    assert "The message to the model" in await editor.hover("bills.mthds", BILLS, "prompt = ", 2)
    assert await editor.hover("bills.mthds", BILLS, "Read a bill", 2) == ""


async def test_definitions_are_found_across_files(editor: Editor) -> None:
    editor.open("letters.mthds", OTHER.replace("$paid.total", "$paid.totl"))
    await editor.faults_of("letters.mthds", until="did you mean 'total'")
    editor.type("letters.mthds", OTHER)

    async def defined(name: str, text: str, mark: str, move: int) -> list[tuple[str, str]]:
        place = editor.place(name, text, mark, move)
        found = await editor.client.text_document_definition_async(types.DefinitionParams(**place))
        assert isinstance(found, list)
        texts = {editor.uri("bills.mthds"): BILLS, editor.uri("letters.mthds"): OTHER}
        places = [each for each in found if isinstance(each, types.Location)]
        return [
            (each.uri.rpartition("/")[2], f"{each.range.start.line}:{word(texts[each.uri], each.range)}")
            for each in places
        ]

    assert await defined("letters.mthds", OTHER, "bills.Bill", 7) == [("bills.mthds", "4:Bill")]
    assert await defined("letters.mthds", OTHER, "$paid.total", 8) == [("bills.mthds", "7:total")]
    assert await defined("letters.mthds", OTHER, "$paid.total", 2) == [("letters.mthds", "4:paid")]
    assert await defined("bills.mthds", BILLS, 'pipe = "read"', 9) == [("bills.mthds", "20:read")]
    assert await defined("bills.mthds", BILLS, 'main_pipe = "check"', 14) == [("bills.mthds", "10:check")]
    assert await defined("bills.mthds", BILLS, 'letter = "Text"', 11) == []


async def renamed(editor: Editor, name: str, text: str, mark: str, move: int, new: str) -> dict[str, str]:
    """The files after a rename, which is applied as an editor applies it."""
    edit = await editor.client.text_document_rename_async(
        types.RenameParams(**editor.place(name, text, mark, move), new_name=new)
    )
    assert edit is not None
    assert edit.changes is not None
    found: dict[str, str] = {}
    for uri, changes in edit.changes.items():
        file = uri.rpartition("/")[2]
        lines = (editor.root / file).read_text(encoding="utf-8").split("\n")
        for change in sorted(
            changes, key=lambda each: (each.range.start.line, each.range.start.character), reverse=True
        ):
            line = lines[change.range.start.line].encode("utf-16-le")
            start, end = change.range.start.character * 2, change.range.end.character * 2
            new_line = line[:start] + change.new_text.encode("utf-16-le") + line[end:]
            lines[change.range.start.line] = new_line.decode("utf-16-le")
        found[file] = "\n".join(lines)
    return found


async def test_a_rename_reaches_every_file_and_leaves_a_valid_method(editor: Editor, cli: Cli) -> None:
    editor.open("letters.mthds", OTHER.replace("$paid.total", "$paid.totl"))
    editor.open("bills.mthds")
    await editor.faults_of("letters.mthds", until="did you mean 'total'")
    editor.type("letters.mthds", OTHER)
    cases = [
        ("bills.mthds", BILLS, "[concept.Bill]", 10, "Invoice", {"bills.mthds": 4, "letters.mthds": 1}),
        ("bills.mthds", BILLS, 'pipe = "read"', 9, "scan", {"bills.mthds": 2}),
        ("letters.mthds", OTHER, "$paid.total", 8, "amount", {"bills.mthds": 3, "letters.mthds": 1}),
        ("bills.mthds", BILLS, "{{ bill.label", 4, "invoice", {"bills.mthds": 6}),
        ("bills.mthds", BILLS, "$letter", 2, "text", {"bills.mthds": 3}),
        ("letters.mthds", OTHER, "$paid", 2, "due", {"letters.mthds": 2}),
    ]
    for name, text, mark, move, new, counts in cases:
        files = await renamed(editor, name, text, mark, move, new)
        assert {file: len([*_words(after, new)]) for file, after in files.items()} == counts, mark
        folder = cli.root / f"after_{new}"
        folder.mkdir()
        for file, before in {"bills.mthds": BILLS, "letters.mthds": OTHER}.items():
            (folder / file).write_text(files.get(file, before), encoding="utf-8")
        ended = cli("validate", str(folder))
        assert ended.code == 0, (mark, ended.out, ended.err)
        assert "never exists" not in ended.out + ended.err


def _words(text: str, name: str) -> list[str]:
    import re

    return re.findall(rf"(?<!\w){name}(?!\w)(?! it is for| to be)", text.replace("# ", ""))


async def test_a_rename_that_cannot_be_is_refused_with_why(editor: Editor) -> None:
    editor.open("bills.mthds")
    for mark, move, new, said in (
        ("[concept.Bill]", 10, "bill", "PascalCase"),
        ('pipe = "read"', 9, "tell", "taken already"),
        ('letter = "Text"', 11, "Word", "nothing that this method declares"),
    ):
        with pytest.raises(JsonRpcException, match=said):
            await editor.client.text_document_rename_async(
                types.RenameParams(**editor.place("bills.mthds", BILLS, mark, move), new_name=new)
            )
    place = editor.place("bills.mthds", BILLS, 'letter = "Text"', 11)
    assert await editor.client.text_document_prepare_rename_async(types.PrepareRenameParams(**place)) is None


async def test_references_and_fixes(editor: Editor) -> None:
    wrong = BILLS.replace("$bill.total", "$bill.totl")
    editor.open("bills.mthds", wrong)
    (fault,) = await editor.faults_of("bills.mthds", until="totl")
    context = types.CodeActionContext([fault])
    document = types.TextDocumentIdentifier(editor.uri("bills.mthds"))
    found = await editor.client.text_document_code_action_async(types.CodeActionParams(document, fault.range, context))
    assert found is not None
    (action,) = found
    assert isinstance(action, types.CodeAction)
    assert action.edit is not None
    assert action.edit.changes is not None
    ((change,),) = action.edit.changes.values()
    assert isinstance(change, types.TextEdit)
    assert (change.new_text, word(wrong, change.range)) == ("a", "")
    place = editor.place("bills.mthds", wrong, 'pipe = "read"', 9)
    places = await editor.client.text_document_references_async(
        types.ReferenceParams(types.ReferenceContext(include_declaration=True), **place)
    )
    assert places is not None
    assert [word(wrong, each.range) for each in places] == ["read", "read"]


async def test_half_typed_text_never_breaks_the_server(editor: Editor) -> None:
    editor.open("bills.mthds")
    for end in range(0, len(BILLS), 23):
        half = BILLS[:end]
        editor.type("bills.mthds", half)
        line = half.count("\n")
        document = types.TextDocumentIdentifier(editor.uri("bills.mthds"))
        position = types.Position(line, len(half[half.rfind("\n") + 1 :].encode("utf-16-le")) // 2)
        await editor.client.text_document_completion_async(types.CompletionParams(document, position))
        await editor.client.text_document_hover_async(types.HoverParams(document, position))
        await editor.client.text_document_definition_async(types.DefinitionParams(document, position))
    editor.type("bills.mthds", BILLS.replace('"Bill"', '"Bil"', 1))
    assert await editor.faults_of("bills.mthds", until="no concept 'Bil'")


async def test_the_server_ends_with_its_editor(cli: Cli) -> None:
    found = Editor(cli.root)
    result = await found.start()
    capabilities = result.capabilities
    assert capabilities.completion_provider is not None
    assert capabilities.hover_provider
    assert capabilities.definition_provider
    assert capabilities.rename_provider
    assert await found.stop() == 0
