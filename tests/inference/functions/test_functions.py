import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelex.content.stuff import Absence, Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.functions import FunctionOptions, call_function
from pipelex.inference.method_trees import MethodTrees
from pipelex.library import load_library
from pipelex.pipes.effects.requests import FunctionRequest, TreeFile
from pipelex.runner import Method
from tests.support.project import Project
from tests.support.untyped import untyped

METHOD = """
domain = "quay"
main_pipe = "total"

[concept.Invoice]
description = "An invoice"
[concept.Invoice.structure]
number = { type = "text", description = "Number", required = true }
amount = { type = "number", description = "Amount", required = true }
paid   = { type = "date", description = "Day of payment" }

[pipe.total]
type = "PipeFunc"
description = "Add up"
inputs = { invoices = "Invoice[]", title = "Text?" }
output = "Number"
function_name = "funcs.totals.FUNCTION"

[pipe.split]
type = "PipeFunc"
description = "Take apart"
inputs = { title = "Text" }
output = "Invoice[]"
function_name = "funcs.totals.split"
"""

FUNCTIONS = """
import asyncio, dataclasses, datetime, os, sys, time
from pydantic import BaseModel
from funcs.helpers import add

def total(invoices, title):
    print("said on the way")
    return {"number": add(one["amount"] for one in invoices) + (0 if title is None else len(title["text"]))}

def by_mapping(inputs):
    return {"number": len(inputs["invoices"])}

async def later(invoices, **rest):
    await asyncio.sleep(0)
    return {"number": len(rest)}

def raises(invoices):
    raise ValueError("no invoice has a berth")

@(lambda function: function)
def unknown(invoices, nonsense):
    return {"number": 1}

def lists(invoices):
    return [{"number": 1}]

def surroundings(invoices):
    names = [name for name in os.environ if "KEY" in name]
    return {"number": len(names) * 100 + len(os.listdir(".")) * 10 + ("pipelex" in sys.modules)}

def sleeps(invoices):
    os.fork() and time.sleep(60)
    time.sleep(60)

def dies(invoices):
    os._exit(7)

def odd(invoices):
    return object()

def floods(invoices):
    return {"number": "x" * 5_000_000}

class Invoice(BaseModel):
    number: str
    amount: float
    paid: datetime.date | None = None

@dataclasses.dataclass
class Plain:
    number: str
    amount: float
    paid: datetime.date | None = None

def split(title):
    return [Invoice(number="a", amount=1.5, paid=datetime.date(2026, 1, 2)), Plain("b", 2)]
"""

INVOICES = {"invoices": [{"number": "a", "amount": 1.5}, {"number": "b", "amount": 2}]}


def method_of(project: Project, function: str = "total", **settings: Any) -> Method:
    write_functions(project.root)
    file = project.method(METHOD.replace("FUNCTION", function))
    return project.app("direct", overrides={"interpreter": {"functions": settings}}).load(file)


def write_functions(root: Path) -> None:
    (root / "funcs").mkdir(exist_ok=True)
    (root / "funcs" / "totals.py").write_text(FUNCTIONS, encoding="utf-8")
    (root / "funcs" / "helpers.py").write_text("def add(values):\n    return sum(values)\n", encoding="utf-8")


async def number(method: Method, **inputs: Any) -> float:
    result = await method.run({**INVOICES, **inputs})
    return untyped(result.content)["number"]


async def failure(method: Method) -> PipelexError:
    with pytest.raises(PipelexError) as caught:
        await method.run(INVOICES)
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize(("function", "expected"), [("total", 3.5), ("by_mapping", 2), ("later", 1)])
async def test_a_function_is_called_with_plain_contents(project: Project, function: str, expected: float):
    assert await number(method_of(project, function)) == expected


TYPED_METHOD = """
domain = "quay"

[concept.Owner]
description = "An owner"
structure = { name = "Name" }

[concept.Ship]
description = "A ship"
[concept.Ship.structure]
name   = { type = "text", description = "Name", required = true }
length = { type = "number", description = "Length", required = true }
built  = { type = "date", description = "Built" }
owner  = { type = "concept", concept_ref = "Owner", description = "Owner" }
note   = { type = "concept", concept_ref = "Text", description = "Note" }
tags   = { type = "list", item_type = "text", description = "Tags" }
kind   = { choices = ["ferry", "sloop"], description = "Kind" }

[pipe.call]
type = "PipeFunc"
description = "Call"
inputs = { INPUTS }
output = "OUTPUT"
function_name = "typed.call"
"""

TYPED_HEAD = """
from __future__ import annotations
import dataclasses, datetime, decimal, enum, typing
from collections.abc import Mapping, Sequence
from pydantic import BaseModel

class Kind(enum.Enum):
    FERRY = "ferry"
    SLOOP = "sloop"

@dataclasses.dataclass
class Owner:
    name: str

@dataclasses.dataclass
class Ship:
    name: str
    length: float
    built: datetime.date | None
    owner: Owner | None = None
    note: str | None = None
    tags: list[str] = dataclasses.field(default_factory=list)
    kind: Kind = Kind.FERRY

class ShipModel(BaseModel):
    name: str
    length: int
    built: datetime.date | None = None
    owner: Owner | None = None
    note: str = "none"
    kind: typing.Literal["ferry", "sloop"] = "ferry"

class ShipDict(typing.TypedDict, total=False):
    name: str
    note: str

"""

SHIP = {
    "name": "Ada",
    "length": 12,
    "built": "1999-05-01",
    "owner": {"name": "Bea"},
    "note": {"text": "slow"},
    "tags": ["old"],
    "kind": "sloop",
}

TYPED: dict[str, tuple[str, dict[str, Any], str, str, Any]] = {
    "texts": (
        'a = "Text", b = "Text[]"',
        {"a": "x", "b": ["y", "z"]},
        "def call(a: str, b: list[str]) -> str: return a + ''.join(b)",
        "Text",
        {"text": "xyz"},
    ),
    "numbers": (
        'a = "Number", b = "Number[]"',
        {"a": 3, "b": [1, 2.5]},
        "def call(a: int, b: Sequence[float]): return a + sum(b)",
        "Number",
        {"number": 6.5},
    ),
    "truths": ('a = "YesNo"', {"a": True}, "def call(a: bool): return not a", "YesNo", {"yes_no": False}),
    "dates": (
        'a = "Date"',
        {"a": "2026-01-31"},
        "def call(a: datetime.date): return a + datetime.timedelta(days=1)",
        "Date",
        {"date": "2026-02-01"},
    ),
    "moments": (
        'a = "Date"',
        {"a": "2026-01-31T10:30:00"},
        "def call(a: datetime.datetime): return a + datetime.timedelta(hours=1)",
        "Date",
        {"date": "2026-01-31", "time": "11:30:00"},
    ),
    "times": (
        'a = "Time"',
        {"a": "10:30"},
        "def call(a: datetime.time): return a.replace(hour=11)",
        "Time",
        {"time": "11:30:00"},
    ),
    "lists of each": (
        'a = "Text"',
        {"a": "x y"},
        "def call(a: str) -> list[str]: return a.split()",
        "Text[]",
        {"items": [{"text": "x"}, {"text": "y"}]},
    ),
    "decimals": ('a = "Number"', {"a": 0.1}, "def call(a: decimal.Decimal): return a * 3", "Number", {"number": 0.3}),
    "an address": (
        'a = "Document"',
        {"a": "https://acme.example/a.pdf"},
        "def call(a: str): return a",
        "Text",
        {"text": "https://acme.example/a.pdf"},
    ),
    "JSON": ('a = "Text"', {"a": "x"}, "def call(a: str): return {'seen': a}", "JSON", {"json_obj": {"seen": "x"}}),
    "HTML": ('a = "Text"', {"a": "x"}, "def call(a: str): return f'<b>{a}</b>'", "Html", {"inner_html": "<b>x</b>"}),
    "an absent text": (
        'a = "Text?"',
        {},
        "def call(a: str | None): return 'none' if a is None else a",
        "Text",
        {"text": "none"},
    ),
    "a default": ('a = "Text?"', {}, "def call(a: str = 'usual'): return a", "Text", {"text": "usual"}),
    "a dataclass": (
        'a = "Ship"',
        {"a": SHIP},
        "def call(a: Ship): return f'{a.name} {a.length} {a.built.year} {a.owner.name} {a.note} {a.tags} {a.kind.name}'",
        "Text",
        {"text": "Ada 12.0 1999 Bea slow ['old'] SLOOP"},
    ),
    "a dataclass without what is optional": (
        'a = "Ship"',
        {"a": {"name": "Ada", "length": 12}},
        "def call(a: Ship): return f'{a.built} {a.owner} {a.note} {a.tags} {a.kind.name}'",
        "Text",
        {"text": "None None None [] FERRY"},
    ),
    "models in a list": (
        'a = "Ship[]"',
        {"a": [SHIP, {"name": "Bo", "length": 3}]},
        "def call(a: list[ShipModel]): return [f'{s.name} {s.length} {s.note} {s.kind} {s.owner}' for s in a]",
        "Text[]",
        {"items": [{"text": "Ada 12 slow sloop Owner(name='Bea')"}, {"text": "Bo 3 none ferry None"}]},
    ),
    "a typed dict": (
        'a = "Ship"',
        {"a": SHIP},
        "def call(a: ShipDict): return a['name'] + a['note']",
        "Text",
        {"text": "Adaslow"},
    ),
    "a mapping": (
        'a = "Ship"',
        {"a": SHIP},
        "def call(a: Mapping[str, typing.Any]): return a['note']['text']",
        "Text",
        {"text": "slow"},
    ),
    "objects given by field": (
        'a = "Text"',
        {"a": "Ada"},
        "def call(a: str): return Ship(a, 3, datetime.date(2026, 1, 2), Owner('Bea'), 'slow', ['x'], Kind.SLOOP)",
        "Ship",
        {
            "name": "Ada",
            "length": 3,
            "built": "2026-01-02",
            "owner": {"name": "Bea"},
            "note": {"text": "slow"},
            "tags": ["x"],
            "kind": "sloop",
        },
    ),
    "models given": (
        'a = "Text"',
        {"a": "Ada"},
        "def call(a: str): return [ShipModel(name=a, length=1, note='fast')]",
        "Ship[]",
        {"items": [{"name": "Ada", "length": 1, "note": {"text": "fast"}, "kind": "ferry"}]},
    ),
    "a list where anything goes": (
        'a = "Text"',
        {"a": "x"},
        "def call(a: str): return [{'n': 1}, {'n': 2}]",
        "Anything",
        {"items": [{"n": 1}, {"n": 2}]},
    ),
    "types that say nothing": (
        'a = "Text"',
        {"a": "x"},
        "def call(a: 'Unknown'): return a['text']",
        "Text",
        {"text": "x"},
    ),
}


def typed_method(project: Project, inputs: str, source: str, output: str) -> Method:
    (project.root / "typed.py").write_text(TYPED_HEAD + source, encoding="utf-8")
    return project.app("direct").load(project.method(TYPED_METHOD.replace("INPUTS", inputs).replace("OUTPUT", output)))


@pytest.mark.matrix(fast=22)
@pytest.mark.parametrize("name", TYPED)
async def test_inputs_come_and_results_go_as_python_writes_them(project: Project, name: str):
    inputs, given, source, output, expected = TYPED[name]
    result = await typed_method(project, inputs, source, output).run(given, pipe="call")
    assert result.content == expected


@pytest.mark.slow
async def test_nothing_given_for_an_optional_output_is_an_absence(project: Project):
    method = typed_method(project, 'a = "Text"', "def call(a: str): return None", "Text?")
    result = await method.run({"a": "x"}, pipe="call")
    assert isinstance(result.value, Absence)


UNFIT = {
    "def call(a: str): return a": ('a = "Number"', 3, "its parameter 'a' cannot take the input: 3 is not a text"),
    "def call(a: int): return a": ('a = "Number"', 2.5, "2.5 is not a whole number"),
    "def call(a: datetime.datetime): return 'x'": ('a = "Text"', "soon", '"soon" is not a valid date with a time'),
    "def call(a: list[float]): return 'x'": ('a = "Text[]"', ["x"], '"x" is not a number'),
    "def call(a: Owner): return 'x'": ('a = "Ship"', {"name": "Ada", "length": 1}, None),
    "def call(a: ShipModel): return 'x'": ('a = "Owner"', {"name": "Ada"}, "it is not a valid ShipModel"),
    "def call(a: Kind): return 'x'": ('a = "Text"', "barge", '"barge" is not a valid Kind'),
}


@pytest.mark.slow
@pytest.mark.parametrize("source", UNFIT)
async def test_an_input_that_a_parameter_cannot_take_is_named(project: Project, source: str):
    inputs, given, says = UNFIT[source]
    running = typed_method(project, inputs, source, "Text").run({"a": given}, pipe="call")
    if says is None:  # a class may take fewer fields
        assert (await running).content == {"text": "x"}
        return
    with pytest.raises(PipelexError) as caught:
        await running
    assert caught.value.code == "method.function_invalid"
    assert says in str(caught.value)


async def test_an_optional_input_that_is_given_arrives(project: Project):
    assert await number(method_of(project), title="four") == 7.5


@pytest.mark.slow
async def test_models_and_dataclasses_are_contents(project: Project):
    result = await method_of(project).run({"title": "x"}, pipe="split")
    assert result.main_stuff.items == [
        {"number": "a", "amount": 1.5, "paid": "2026-01-02"},
        {"number": "b", "amount": 2},
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "code", "words"),
    [
        ("raises", "pipe.function_raised", "raised ValueError: no invoice has a berth (funcs/totals.py, line 18)"),
        ("dies", "pipe.function_raised", "exit 7"),
        ("odd", "method.function_invalid", "returned a value of type object"),
        ("unknown", "method.function_invalid", "'nonsense' is not an input of the pipe"),
        ("lists", "pipe.output_invalid", "is not a valid native.Number"),
    ],
)
async def test_what_goes_wrong_in_a_function_has_its_code(project: Project, function: str, code: str, words: str):
    error = await failure(method_of(project, function))
    assert error.code == code
    assert words in error.report.detail
    assert error.report.params["pipe"] == "quay.total"
    assert error.report.category is ErrorCategory.CONTENT


@pytest.mark.slow
async def test_a_function_sees_no_keys_and_an_empty_folder(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert await number(method_of(project, "surroundings")) == 0
    app = project.app("direct", overrides={"interpreter": {"functions": {"environment": ["SOME_KEY"]}}})
    app.inference.functions = replace(app.inference.functions, environ={**os.environ, "SOME_KEY": "1"})
    assert await number(app.load(project.root / "method.mthds")) == 100


@pytest.mark.slow
async def test_a_slow_function_is_ended_with_all_it_started(project: Project):
    start = time.monotonic()
    error = await failure(method_of(project, "sleeps", timeout_seconds=1.0))
    assert (error.code, error.report.params["timeout"]) == ("pipe.function_timed_out", 1.0)
    assert time.monotonic() - start < 10
    assert not functions_running()


async def test_a_cancelled_call_ends_its_process(project: Project):
    running = asyncio.create_task(method_of(project, "sleeps").run(INVOICES))
    while not functions_running():
        await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not functions_running()


def functions_running() -> list[int]:
    import psutil

    def is_function(process: psutil.Process) -> bool:
        try:
            return any("functions/child.py" in part for part in process.cmdline())
        except psutil.NoSuchProcess:  # it ended meanwhile; a zombie is one of these, too
            return False

    return [child.pid for child in psutil.Process().children(recursive=True) if is_function(child)]


async def test_functions_can_be_switched_off(project: Project):
    error = await failure(method_of(project, is_enabled=False))
    assert (error.code, error.report.category) == ("runtime.unsupported", ErrorCategory.CONFIGURATION)


@pytest.mark.slow
async def test_too_large_an_answer_is_refused(tmp_path: Path):
    request, trees = request_of(tmp_path, "floods")
    with pytest.raises(PipelexError, match="more than 1000 bytes"):
        await call_function(request, trees, FunctionOptions(max_output_bytes=1000))


def request_of(root: Path, function: str) -> tuple[FunctionRequest, MethodTrees]:
    write_functions(root)
    file = root / "method.mthds"
    file.write_text(METHOD.replace("FUNCTION", function), encoding="utf-8")
    named = load_library([file]).linked.crate.files["quay.total"]
    request = FunctionRequest(
        function=f"funcs.totals.{function}",
        file=TreeFile(tree=named.tree, path=named.path, sha256=named.sha256),
        inputs={"invoices": Stuff.of_list("quay.Invoice", [{"amount": 1}])},
        absent=("title",),
        output_concept="native.Number",
        is_list=False,
    )
    trees = MethodTrees()
    trees.add_folder(root)
    return request, trees


@pytest.mark.slow
async def test_a_worker_that_holds_the_folder_calls_its_functions(tmp_path: Path):
    request, trees = request_of(tmp_path, "total")
    assert (await call_function(request, trees, FunctionOptions())).content == {"number": 1}


async def test_a_package_is_found_by_the_digest_of_its_tree(tmp_path: Path):
    write_functions(tmp_path)
    (tmp_path / "METHODS.toml").write_text(
        '[package]\naddress = "example.test/quay"\nversion = "1.0.0"\ndescription = "x"\n', encoding="utf-8"
    )
    request, _ = request_of(tmp_path, "total")
    trees = MethodTrees()
    trees.add_folder(tmp_path)
    assert (await call_function(request, trees, FunctionOptions())).content == {"number": 1}
    (tmp_path / "funcs" / "helpers.py").write_text("def add(values):\n    return 99\n", encoding="utf-8")
    with pytest.raises(PipelexError, match="does not hold") as caught:
        await call_function(request, trees, FunctionOptions())
    assert caught.value.code == "runtime.unsupported"


async def test_a_worker_without_the_folder_says_so(tmp_path: Path):
    request, _ = request_of(tmp_path, "total")
    with pytest.raises(PipelexError) as caught:
        await call_function(request, MethodTrees(), FunctionOptions())
    assert caught.value.code == "runtime.unsupported"
    assert "--library" in (caught.value.report.advice or "")


@pytest.mark.slow
async def test_another_module_than_the_runs_is_refused(tmp_path: Path):
    request, trees = request_of(tmp_path, "total")
    assert request.file is not None
    other = request.model_copy(update={"file": request.file.model_copy(update={"sha256": "0" * 64})})
    with pytest.raises(PipelexError) as caught:
        await call_function(other, trees, FunctionOptions())
    assert caught.value.code == "security.integrity_mismatch"


@pytest.mark.matrix(fast=9)
@pytest.mark.parametrize(
    ("function", "finding"),
    [
        ("subprocess.Popen", "does not lead to 'funcs/totals.py'"),
        ("os.system", "does not lead to 'funcs/totals.py'"),
        ("builtins.exec", "does not lead to 'funcs/totals.py'"),
        ("funcs.totals.os.system", "does not lead to 'funcs/totals.py'"),
        ("funcs.helpers.add", "does not lead to 'funcs/totals.py'"),
        ("total", "does not lead to 'funcs/totals.py'"),
        ("funcs.totals.time", "defines no function 'time' at its top level"),
        ("funcs.totals.add", "defines no function 'add' at its top level"),
        ("funcs.totals.BaseModel", "defines no function 'BaseModel' at its top level"),
        ("funcs.totals.Invoice", "defines no function 'Invoice' at its top level"),
        ("funcs.totals.__init__", "defines no function '__init__' at its top level"),
    ],
)
async def test_only_a_function_that_the_named_file_defines_is_called(tmp_path: Path, function: str, finding: str):
    request, trees = request_of(tmp_path, "total")
    inputs = {"args": Stuff("native.Text", {"text": "id"})}
    with pytest.raises(PipelexError) as caught:
        await call_function(
            request.model_copy(update={"function": function, "inputs": inputs}), trees, FunctionOptions()
        )
    assert (caught.value.code, finding in caught.value.report.detail) == ("method.function_invalid", True)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["json", "os", "asyncio", "typing", "site"])
async def test_a_module_named_like_one_of_the_standard_library_is_the_methods_own(tmp_path: Path, module: str):
    request, _ = request_of(tmp_path, "total")
    (tmp_path / f"{module}.py").write_text("def total(inputs):\n    return {'number': 42}\n", encoding="utf-8")
    method = (tmp_path / "method.mthds").read_text(encoding="utf-8").replace("funcs.totals.total", f"{module}.total")
    (tmp_path / "method.mthds").write_text(method, encoding="utf-8")
    named = load_library([tmp_path / "method.mthds"]).linked.crate.files["quay.total"]
    assert named.path == f"{module}.py"
    trees = MethodTrees()
    trees.add_folder(tmp_path)
    file = TreeFile(tree=named.tree, path=named.path, sha256=named.sha256)
    asked = request.model_copy(update={"function": f"{module}.total", "file": file})
    assert (await call_function(asked, trees, FunctionOptions())).content == {"number": 42}


@pytest.mark.slow
async def test_a_module_may_import_relatively_and_hold_dataclasses(tmp_path: Path):
    request, trees = request_of(tmp_path, "total")
    (tmp_path / "funcs" / "totals.py").write_text(
        "from __future__ import annotations\nimport dataclasses\nfrom .helpers import add\n"
        "@dataclasses.dataclass\nclass Sum:\n    number: float\n"
        "def total(invoices, title):\n    return Sum(add([1, 2]))\n",
        encoding="utf-8",
    )
    named = load_library([tmp_path / "method.mthds"]).linked.crate.files["quay.total"]
    trees = MethodTrees()
    trees.add_folder(tmp_path)
    file = TreeFile(tree=named.tree, path=named.path, sha256=named.sha256)
    assert (await call_function(request.model_copy(update={"file": file}), trees, FunctionOptions())).content == {
        "number": 3
    }


def test_the_files_of_pipes_travel_with_their_closures_only(tmp_path: Path):
    request_of(tmp_path, "total")
    library = load_library([tmp_path / "method.mthds"]).library
    assert library is not None
    assert set(library.closure("quay.split").files) == {"quay.split"}
    crate = library.closure("quay.total")
    assert type(crate).from_json_bytes(crate.json_bytes) == crate
    assert replace(crate, files={}).fingerprint != crate.fingerprint


def test_validation_never_imports(tmp_path: Path):
    (tmp_path / "funcs").mkdir()
    (tmp_path / "funcs" / "totals.py").write_text(
        f"open({str(tmp_path / 'imported')!r}, 'w')\ndef total(): ...\ndef split(): ...\n", encoding="utf-8"
    )
    (tmp_path / "m.mthds").write_text(METHOD.replace("FUNCTION", "total"), encoding="utf-8")
    assert load_library([tmp_path / "m.mthds"]).verdict.errors == ()
    assert not (tmp_path / "imported").exists()
