"""Mistakes typed on purpose: each is told what is wrong, what was meant, and what to type."""

import json
import re
from dataclasses import dataclass

import pytest

from tests.cli.conftest import Cli


@dataclass(frozen=True)
class Mistake:
    """A command that cannot work, and what its message must hold."""

    command: str
    code: int
    told: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return [word.replace("␣", " ").replace("∅", "") for word in self.command.split()]


MISTAKES = [
    # the command itself
    Mistake("rnu greet.mthds", 2, ("No such command 'rnu'. Did you mean 'run'? Type: pipelex run greet.mthds\n",)),
    Mistake("validat", 2, ("Did you mean 'validate'?",)),
    Mistake("greet.mthds", 2, ("is a method, not a command. Run it with: pipelex run greet.mthds",)),
    Mistake("methods", 2, ("Run it with: pipelex run methods",)),
    Mistake("runs lst", 2, ("Did you mean 'list'? Type: pipelex runs list\n",)),
    Mistake("run greet.mthds --inptus x", 2, ("No such option: --inptus. Type: pipelex run greet.mthds --inputs x\n",)),
    Mistake("run greet.mthds -i", 2, ("requires an argument",)),
    Mistake(
        "run greet.mthds greet.mthds", 2, ("'greet.mthds' is one argument too many", "Type: pipelex run greet.mthds\n")
    ),
    Mistake(
        "run greet.mthds two.mthds",
        2,
        ("takes one at a time", "\n  pipelex run greet.mthds\n  pipelex run two.mthds\n"),
    ),
    Mistake(
        "run two.mthds other",
        2,
        ("'other' is one argument too many", "named with --pipe. Type: pipelex run two.mthds --pipe other\n"),
    ),
    Mistake("run greet.mthds inputs.json --dry-run", 2, ("Type: pipelex run greet.mthds --dry-run -i inputs.json\n",)),
    Mistake("run greet.mthds rows.csv", 2, ("Type: pipelex run greet.mthds --inputs-csv rows.csv\n",)),
    Mistake("run greet.mthds name=A age=3", 2, ("'name=A', 'age=3' are too many arguments", "-i name=A -i age=3\n")),
    Mistake("run --json bundle greet.mthds", 2, ("Type: pipelex run bundle greet.mthds --json",)),
    Mistake("graph two.mthds other", 2, ("Type: pipelex graph two.mthds --pipe other\n",)),
    Mistake("graph greet.mthds two.mthds", 2, ("one PATH at a time", "\n  pipelex graph two.mthds\n")),
    Mistake("explain a b", 2, ("'b' is one argument too many: `pipelex explain` takes one", "\n  pipelex explain b\n")),
    Mistake("which greet plan", 2, ("\n  pipelex which greet\n  pipelex which plan\n",)),
    Mistake("validate pipe one plan", 2, ("\n  pipelex validate pipe one\n  pipelex validate pipe plan\n",)),
    Mistake("runs show a b", 2, ("\n  pipelex runs show a\n  pipelex runs show b\n",)),
    Mistake("new mine.mthds", 2, ("'mine.mthds' names a bundle, and a folder is made", "Type: pipelex new mine\n")),
    Mistake("new a/mine.plx --from invoice", 2, ("Type: pipelex new a/mine --from invoice\n",)),
    Mistake("run greet.mthds --verbose", 2, ("`level` of [runtime.log]",)),
    Mistake("new my bill --from invoice", 2, ("Type: pipelex new my_bill --from invoice\n",)),
    Mistake("dev x", 2, ("'x' is one argument too many: `pipelex dev` takes none. Type: pipelex dev\n",)),
    Mistake(
        "--durable run greet.mthds -i name=A",
        2,
        ("--durable comes after the command. Type: pipelex run greet.mthds -i name=A --durable\n",),
    ),
    Mistake("--debug -i name=A run greet.mthds", 2, ("Type: pipelex --debug run greet.mthds -i name=A\n",)),
    Mistake("runs --json list", 2, ("Type: pipelex runs list --json",)),
    Mistake("--bogus", 2, ("No such option: --bogus\n",)),
    Mistake("run greet.mthds --on-item-failure colect", 2, ("Did you mean 'collect'?",)),
    Mistake("models --type lm", 2, ("Did you mean 'llm'?",)),
    Mistake("run greet.mthds --with-memory", 2, ("Error: --with-memory needs --json",)),
    Mistake("run greet.mthds --mock-inputs", 2, ("Error: --mock-inputs needs --dry-run",)),
    Mistake("run greet.mthds --detach -i {}", 2, ("needs a durable run: add --durable",)),
    Mistake("run greet.mthds --local --orchestrator temporal", 2, ("contradicts --local",)),
    Mistake("run greet.mthds --orchestrator tempral", 2, ("Did you mean temporal?",)),
    Mistake("validate", 2, ("Usage: pipelex validate",)),
    Mistake("new", 2, ("name the method to write, or give --list",)),
    Mistake("new methods", 2, ("'methods' already exists",)),
    Mistake("new mine --from invoise", 2, ("did you mean 'invoice'?",)),
    Mistake("RUN greet.mthds", 2, ("No such command 'RUN'. Did you mean 'pipelex run'?",)),
    Mistake("help", 2, ("Did you mean 'pipelex --help'?",)),
    Mistake("version", 2, ("Did you mean 'pipelex --version'?",)),
    Mistake("check greet.mthds", 2, ("Did you mean 'pipelex validate'? Type: pipelex validate greet.mthds\n",)),
    Mistake("check", 2, ("No such command 'check'. Did you mean 'pipelex validate'?\n",)),
    Mistake("help run", 2, ("Type: pipelex run --help\n",)),
    Mistake("exec greet.mthds -i name=Ana", 2, ("Type: pipelex run greet.mthds -i name=Ana\n",)),
    Mistake("greet.mthds -i name=Ana", 2, ("Run it with: pipelex run greet.mthds -i name=Ana\n",)),
    Mistake("run greet.mthds --local --durable", 2, ("Error: --local contradicts --durable",)),
    Mistake("run greet.mthds --durable --graph --no-graph", 2, ("--graph contradicts --no-graph",)),
    Mistake("run greet.mthds --durable --detach --save-csv a.csv", 2, ("--detach contradicts --save-csv",)),
    Mistake("run greet.mthds --durable --detach -o out", 2, ("--detach contradicts --output-dir",)),
    Mistake("run greet.mthds --local --server=prod", 2, ("--local contradicts --server",)),
    Mistake("trust --list --revoke", 2, ("--list contradicts --revoke",)),
    Mistake("runs replay x --dry-run --detach", 2, ("--dry-run starts nothing",)),
    Mistake("runs retry x --status failed", 2, ("name a run, or choose runs with filters",)),
    Mistake("init config --endpoint http://127.0.0.1:1/v1", 2, ("takes neither --endpoint",)),
    Mistake("storage get pipelex-storage://x.pdf -o - --json", 2, ("both want standard output",)),
    Mistake("schedule trigger s -i name=A --overlap skip", 2, ("--overlap is for the runs of the schedule itself",)),
    Mistake("models gtp-5.4", 1, ("no name or model contains 'gtp-5.4'; did you mean 'gpt-5.4",)),
    Mistake("doctor greet.mthds", 2, ("Check a method with: pipelex validate greet.mthds",)),
    Mistake("worker methods", 2, ("pipelex worker --library methods",)),
    Mistake("runs list run-1", 2, ("Show one with: pipelex runs show run-1",)),
    Mistake("runs list run-1 run-2", 2, ("Show one with: pipelex runs show run-1",)),
    Mistake("temporal routes gpt-5.4", 2, ("pipelex temporal routes --handle gpt-5.4",)),
    Mistake("schedule list nightly", 2, ("Show one with: pipelex schedule show nightly",)),
    Mistake("models llm", 2, ("Type: pipelex models --type llm",)),
    Mistake("trust greet.mthds", 2, ("trust is given to the project of the working directory",)),
    Mistake("trust list", 2, ("Type: pipelex trust --list",)),
    Mistake("run greet.mthds --timeout 5", 2, ("No such option: --timeout. Settings limit times", "call_timeout")),
    Mistake("run greet.mthds --Durable", 2, ("No such option: --Durable. Type: pipelex run greet.mthds --durable\n",)),
    Mistake(
        "run greet.mthds name=A", 2, ("'name=A' is one argument too many", "Type: pipelex run greet.mthds -i name=A\n")
    ),
    Mistake(
        "run greet.mthds Ana", 2, ("an input is given as -i NAME=VALUE. Type: pipelex run greet.mthds -i NAME=Ana\n",)
    ),
    Mistake(
        "run greet.mthds -i name=Ana Maria Lopez",
        2,
        ("needs quotes", "Type: pipelex run greet.mthds -i 'name=Ana Maria Lopez'\n"),
    ),
    Mistake("run -i greet.mthds name=Ana", 2, ("'name=Ana' looks like an input", "METHOD.mthds -i name=Ana")),
    Mistake("run greet.mthds -m gpt-4o", 2, ("No such option: -m. A pipe's `model` names its model",)),
    Mistake("run greet.mthds --model gpt-4o", 2, ("`pipelex models` lists the names",)),
    Mistake("validate greet.mthds --pipe greet", 2, ("Name the pipe itself: pipelex validate pipe greet -L .\n",)),
    Mistake("run greet.mthds -i name=Ana -o /proc/nowhere", 2, ("'/proc/nowhere' cannot be written",)),
    Mistake(
        "run greet.mthds/greet",
        2,
        ("a file and its pipe are named apart", "Type: pipelex run greet.mthds --pipe greet"),
    ),
    Mistake("run greet.mthds:greet -i name=Ana", 2, ("Type: pipelex run greet.mthds -i name=Ana --pipe greet",)),
    Mistake("run greet.mthds␣greet", 2, ("Type: pipelex run greet.mthds --pipe greet\n",)),
    Mistake("run greet.mthdsx", 2, ("Type: pipelex run greet.mthds\n",)),
    Mistake("graph greet.mthds:greet", 2, ("Type: pipelex graph greet.mthds --pipe greet",)),
    Mistake("fmt greet.mthds#greet", 2, ("Type: pipelex fmt greet.mthds",)),
    Mistake(
        "validate greet.mthds:greet",
        2,
        ("\n    pipelex validate pipe greet -L .\n", "\n    pipelex validate greet.mthds\n"),
    ),
    Mistake(
        "run --pipe greet", 2, ("Missing argument 'TARGET'. For example: pipelex run report.mthds -i inputs.toml\n",)
    ),
    Mistake("runs show", 2, ("Missing argument 'ID'. For example: pipelex runs show run-2026\n",)),
    Mistake("validate --pipe=greet", 2, ("Name the pipe itself: pipelex validate pipe greet\n",)),
    Mistake("models --tpe=llm", 2, ("Type: pipelex models --type=llm\n",)),
    Mistake("run greet.mthds -L nowhere", 2, ("no library directory 'nowhere'", "with --library-dir")),
    Mistake("run greet.mthds -i name=Ana --dynamic-output-concept Txt", 1, ("no concept 'Txt'", "did you mean Text")),
    Mistake("graph render nothing.json", 1, ("'nothing.json' cannot be read: No such file",)),
    Mistake("init --endpoint http://127.0.0.1:1/v1 --model m --key-variable MY␣KEY", 2, ("such as MY_API_KEY",)),
    Mistake("init --endpoint http://127.0.0.1:1/v1 --model m --name my␣one", 2, ("--name is of letters",)),
    Mistake(
        "run greet.mthds --inputs-csv holes.csv", 1, ("holes.csv, line 2", "--inputs-csv holes.csv -i name=TEXT\n")
    ),
    Mistake("dev --port abc", 2, ("it must be a whole number",)),
    Mistake("completion powershell", 2, ("'powershell' is not one of 'bash', 'zsh', 'fish'",)),
    Mistake("build outputs greet.mthds", 2, ("Did you mean 'output'",)),
    Mistake("show pipes", 2, ("Did you mean 'pipe'?",)),
    Mistake("config shwo", 2, ("Did you mean 'show'?",)),
    Mistake("explain input.mising", 2, ("Did you mean 'input.missing'",)),
    # what it names
    Mistake("run Greet.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("run nowhere/greet.mthds", 2, ("there is no file or directory 'nowhere/greet.mthds'",)),
    Mistake("run bundle greet", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("validate inputs.json", 2, ("'inputs.json' is a JSON file, not a method", "-i inputs.json")),
    Mistake("run inputs.json", 2, ("is a JSON file, not a method", "pipelex run METHOD.mthds -i inputs.json")),
    Mistake("run nam.yaml", 2, ("is a YAML file, not a method", "-i nam.yaml")),
    Mistake("run broken.toml", 2, ("is a TOML file, not a method", "-i broken.toml")),
    Mistake("run rows.csv", 2, ("is a table, not a method", "--inputs-csv rows.csv")),
    Mistake("run pic.png", 2, ("is an image, not a method", "-i NAME=@pic.png")),
    Mistake(
        "run lone/notes.txt", 2, ("is a text, not a method", "pipelex run lone/only.mthds -i NAME=@lone/notes.txt")
    ),
    Mistake("run lone/code.py", 2, ("is Python code, not a method",)),
    Mistake("graph rows.csv", 2, ("is a table, not a method",)),
    Mistake("fix bundle pic.png", 2, ("is an image, not a method",)),
    Mistake("run ∅", 2, ("an argument is empty",)),
    Mistake("validate ∅", 2, ("an argument is empty",)),
    Mistake("run greet.mthds --pipe ∅", 2, ("the value of --pipe is empty",)),
    Mistake("run greet.mthds --output-dir=", 2, ("the value of --output-dir is empty",)),
    Mistake("run harbour.gret", 2, ("did you mean harbour.greet",)),
    Mistake("run port.gret", 2, ("did you mean ", "harbour.greet")),
    Mistake("run harbour.greet.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("validate nothing -L empty", 2, ("'nothing' is neither a file nor a folder",)),
    Mistake("graph greet.mthds --out greet.mthds/page.html", 2, ("cannot be read or written",)),
    Mistake("dev --port 99999999", 2, ("'--port'", "at most 65535")),
    Mistake("runs list --limit -1", 2, ("'--limit' / '-n': it is at least 1.",)),
    Mistake("run greet.mthds --attribute foo", 2, ("--attribute foo: write NAME=VALUE",)),
    Mistake("run greet.mthds -i name=Ana --save-csv empty", 2, ("'empty' cannot be written", "with --save-csv")),
    Mistake(
        "run greet.mthds -i name=Ana --output-dir greet.mthds", 2, ("'greet.mthds' cannot be written", "--output-dir")
    ),
    Mistake("init --endpoint my␣model --model m", 2, ("is not the address of an endpoint",)),
    Mistake("runs show NOBODY", 1, ("there is no run 'NOBODY' in the records of this machine (", "no Temporal at")),
    Mistake("which gret", 2, ("did you mean greet?",)),
    Mistake("fmt nosuch.mthds", 2, ("there is no file or directory 'nosuch.mthds'",)),
    Mistake("init --endpoint http://127.0.0.1:1/v1", 2, ("name a model of http://127.0.0.1:1/v1 with --model NAME",)),
    Mistake("run gret.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("run greet.mthd", 2, ("did you mean 'greet.mthds'",)),
    Mistake("run ./gret.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("run metods", 2, ("'metods' is neither a file nor a folder", "Type: pipelex run methods")),
    Mistake(
        "run greets",
        2,
        ("'greets' is neither a file nor a folder, and there is no pipe", "Type: pipelex run greet.mthds"),
    ),
    Mistake("run empty", 2, ("there is no bundle (*.mthds) in 'empty'",)),
    Mistake("run greet.mthds --pipe gret -i {}", 2, ("no pipe 'gret'", "did you mean greet?")),
    Mistake(
        "run greet.mthds --pipe farewell -i name=Ana",
        2,
        ("its only pipe is harbour.greet", "Type: pipelex run greet.mthds --pipe harbour.greet -i name=Ana\n"),
    ),
    Mistake("run greet.mthds --pipe=farewell", 2, ("Type: pipelex run greet.mthds --pipe=harbour.greet\n",)),
    Mistake(
        "run two.mthds --pipe zzz",
        2,
        ("its pipes are two.one, two.other\n", "\n    pipelex run two.mthds --pipe two.other\n"),
    ),
    Mistake("run bundle two.mthds --pipe on", 2, ("did you mean", "Type: pipelex run bundle two.mthds --pipe one\n")),
    Mistake("graph two.mthds", 2, ("the method has no main pipe", "\n    pipelex graph two.mthds --pipe two.one\n")),
    Mistake(
        "run pair", 2, ("there are 2 main pipes: first.one, second.one", "\n    pipelex run pair --pipe second.one\n")
    ),
    Mistake(
        "run pipe greet.mthds",
        2,
        ("'greet.mthds' is a file, not the code of a pipe", "Type: pipelex run greet.mthds\n"),
    ),
    Mistake(
        "validate pipe methods",
        2,
        ("'methods' is a folder, not the code of a pipe", "Type: pipelex validate methods\n"),
    ),
    Mistake("run method greet.mthds", 2, ("Type: pipelex run greet.mthds\n",)),
    Mistake(
        "run lone/nowhere.mthds",
        2,
        ("no file or directory 'lone/nowhere.mthds'", "Type: pipelex run lone/only.mthds\n"),
    ),
    Mistake("run empty/nowhere.mthds", 2, ("type: pipelex new nowhere\n",)),
    Mistake("run zebra -L empty", 2, ("'zebra' is neither a file nor a folder", "type: pipelex new zebra\n")),
    Mistake("run xyzw", 2, ("'xyzw' is neither a file nor a folder, and there is no pipe 'xyzw'",)),
    Mistake(
        "run two.mthds -i {}",
        2,
        (
            "no pipe is named, and the method has no main pipe; its pipes are two.one, two.other",
            "pipelex run two.mthds -i '{}' --pipe two.one\n",
        ),
    ),
    Mistake("validate gret.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("validate gret", 2, ("Type: pipelex validate greet.mthds",)),
    Mistake("validate method welcom", 2, ("did you mean 'welcome'?",)),
    Mistake("run method welcom", 2, ("did you mean 'welcome'?",)),
    Mistake("show pipe gret", 2, ("did you mean greet?",)),
    Mistake("show models opnai", 2, ("did you mean 'openai'?",)),
    Mistake("config show runtime.lgo", 2, ("did you mean 'runtime.log'",)),
    Mistake("graph gret.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("build inputs gret.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("fix bundle gret.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("worker --profile bg", 2, ("no worker profile is called 'bg'",)),
    Mistake("worker --orchestrator direct", 2, ("the orchestrator 'direct' has no worker to start",)),
    Mistake("worker --orchestrator temporel", 2, ("no orchestrator 'temporel'", "Did you mean temporal?")),
    # what it is given
    Mistake(
        "run greet.mthds",
        1,
        ("the input 'name' (native.Text) is missing", "Type: pipelex run greet.mthds -i name=TEXT"),
    ),
    Mistake(
        "run greet.mthds -i nam=Ana",
        1,
        (
            "'nam' is not an input; did you mean 'name'? The only declared input is name (and 1 more fault)\n",
            "Type: pipelex run greet.mthds -i name=Ana\n",
        ),
    ),
    Mistake(
        "run greet.mthds -i person=Ana",
        1,
        ("'person' is not an input: the only declared", "Type: pipelex run greet.mthds -i name=Ana\n"),
    ),
    Mistake(
        "run greet.mthds -i age=3 -i name=Ana --dry-run", 1, ("Type: pipelex run greet.mthds -i name=Ana --dry-run\n",)
    ),
    Mistake("run greet.mthds -iage=3 --inputs=city=Rome", 1, ("Type: pipelex run greet.mthds -i name=TEXT\n",)),
    Mistake('run greet.mthds -i {"name":"Ana","age":3}', 1, ("In the inputs, leave out 'age'.",)),
    Mistake('run greet.mthds -i {"name":"Ana","":3}', 1, ("In the inputs, leave out ''.",)),
    Mistake(
        "run greet.mthds -i name=Ana -iage=3 --inputs=city=4 -i street=5",
        1,
        ("(and 2 more faults)", "Type: pipelex run greet.mthds -i name=Ana\n"),
    ),
    Mistake("run greet.mthds -i name=Ana -i name=Bo", 1, ("'name' is given twice",)),
    Mistake("run greet.mthds -i name=@gone.txt", 1, ("no file 'gone.txt'", "written @@")),
    Mistake("run greet.mthds -i nam.yaml", 1, ("In the inputs, write 'name' instead of 'nam'.",)),
    Mistake("run greet.mthds -i rows.csv", 1, ("a CSV file is a list", "--inputs-csv rows.csv")),
    Mistake("run greet.mthds --inputs-csv gone.csv", 1, ("there is no file 'gone.csv'",)),
    Mistake(
        "run greet.mthds --inputs-csv rows.csv",
        1,
        ("rows.csv, line 1: the column 'nme' is not an input; did you mean 'name'?", "Rename the column"),
    ),
    Mistake("run greet.mthds --inputs-csv rows.csv --detach", 2, ("--detach is for a single run",)),
    Mistake("run greet.mthds -i inptus.json", 1, ("there is no inputs file", "did you mean 'inputs.json'?")),
    Mistake(
        'run greet.mthds -i {"nam":"Ana"}',
        1,
        ("'nam' is not an input", 'Type: pipelex run greet.mthds -i \'{"name": "Ana"}\''),
    ),
    Mistake('run greet.mthds -i {"name":', 1, ("--inputs is not JSON", "-i name=value", "into a file: -i inputs.toml")),
    Mistake(
        "run greet.mthds -i [1]",
        1,
        ("'[1]' is neither a file nor NAME=VALUE", "Type: pipelex run greet.mthds -i 'name=[1]'\n"),
    ),
    Mistake('run greet.mthds -i {"name":["a","b"]}', 1, ("'name'",)),
    Mistake("run greet.mthds -i broken.toml", 1, ("broken.toml", "line 1")),
    Mistake('run greet.mthds -i {"name":"Ana"} --save-csv x.csv', 2, ("--save-csv", "not a list of objects")),
    Mistake(
        "run greet.mthds -i name",
        1,
        ("'name' is neither a file nor NAME=VALUE", "Type: pipelex run greet.mthds -i name=VALUE"),
    ),
    Mistake("run greet.mthds -i name:Ana", 1, ("Type: pipelex run greet.mthds -i name=Ana",)),
    Mistake("run greet.mthds -i name␣=Ana", 1, ("Type: pipelex run greet.mthds -i name=Ana",)),
    Mistake("run greet.mthds -i =Ana", 1, ("Type: pipelex run greet.mthds -i name=Ana",)),
    Mistake("run greet.mthds --inputs=name:Ana --dry-run", 1, ("run greet.mthds --inputs=name=Ana --dry-run\n",)),
    Mistake("run greet.mthds -i @gone.txt", 1, ("Type: pipelex run greet.mthds -i name=@gone.txt\n",)),
    Mistake(
        "run greet.mthds -i name=@lone/note.txt",
        1,
        ("did you mean 'lone/notes.txt'?", "Type: pipelex run greet.mthds -i name=@lone/notes.txt\n"),
    ),
    Mistake(
        "run greet.mthds -i name=@lone --dry-run",
        1,
        ("'lone' is a folder, not a file", "\n    pipelex run greet.mthds -i name=@lone/notes.txt --dry-run\n"),
    ),
    Mistake("run greet.mthds -i name=@empty", 1, ("'empty' is a folder, not a file",)),
    Mistake(
        "run greet.mthds -i name=@zzz",
        1,
        ("Name a file that is there; a relative path starts at the working directory.",),
    ),
    Mistake("run greet.mthds -i name = Ana", 2, ("Type: pipelex run greet.mthds -i name=Ana\n",)),
    Mistake("run greet.mthds -i name= Ana Maria", 2, ("Type: pipelex run greet.mthds -i 'name=Ana Maria'\n",)),
    Mistake("run greet.mthds name:Ana", 2, ("Type: pipelex run greet.mthds -i name=Ana\n",)),
    Mistake("run greet.mthds -i age=3,name=Ana", 1, ("Type: pipelex run greet.mthds -i age=3 -i name=Ana\n",)),
    Mistake("run greet.mthds -i gone.json", 1, ("`pipelex build inputs greet.mthds -o gone.json` writes it",)),
    Mistake(
        "run bundle greet.mthds --pipe greet -i gone.json",
        1,
        ("`pipelex build inputs bundle greet.mthds --pipe greet -o",),
    ),
    Mistake("run greet.toml", 2, ("Type: pipelex run greet.mthds\n",)),
    Mistake("completion bash zsh", 2, ("\n  pipelex completion bash\n  pipelex completion zsh\n",)),
    Mistake("init config x", 2, ("'x' is one argument too many", "takes one at a time. Type: pipelex init config\n")),
    Mistake("completion", 2, ("Missing argument 'SHELL'. Choose from",)),
    Mistake("run greet.mthds -i name=@", 1, ("no file is named after the @",)),
    Mistake("run greet.mthds -i greet.mthds", 1, ("is a method, not a file of inputs", "-i name=@greet.mthds")),
    Mistake("run greet.mthds -i https://x.test/a.json", 1, ("is an address", "fetch it first: -i a.json")),
    Mistake("run greet.mthds -i name=@https://x.test/a.txt", 1, ("@ names a file on this machine",)),
    Mistake("run greet.mthds -i list.json", 1, ("must hold an object with one member per input",)),
    Mistake("run greet.mthds -i cut.json", 1, ("'cut.json', line 1", "not valid JSON")),
    Mistake("run greet.mthds -i none.json", 1, ("not valid JSON: it is empty",)),
    Mistake("run greet.mthds -i bad.yaml", 1, ("'bad.yaml', line", "not valid YAML")),
    Mistake("run greet.mthds -i name=@methods", 1, ("'methods' is a folder, not a file",)),
    Mistake("run greet.mthds -i {'name':'Ana'}", 1, ("--inputs is not JSON", "-i name=value")),
    Mistake("run greet.mthds --inputs-csv methods", 1, ("'methods' is a folder, not a CSV file",)),
    Mistake("runs list --cost-above x", 2, ("'--cost-above'", "it must be a number.")),
    Mistake("runs cancel x --wait soon", 2, ("'--wait'", "it must be a number.")),
    Mistake("run greet.mthds -i name:=A", 1, ("Type: pipelex run greet.mthds -i name=A",)),
    Mistake("storage fetch", 2, ("No such command 'fetch'. Known: get.",)),
    Mistake("build runner greet.mthds", 2, ("No such command 'runner'. Known: ", "inputs")),
    Mistake("nonsense", 2, ("No such command 'nonsense'. Known: new, run,",)),
    # what can be known without a server is said before one is asked
    Mistake(
        "schedule create s greet.mthds -i name=A --cron bad", 2, ("'bad' is not a cron expression: it has 1 field",)
    ),
    Mistake(
        "schedule create s greet.mthds -i name=A --cron 0␣9␣*␣*␣8",
        2,
        ("the day of week '8' is not in the range 0 to 7",),
    ),
    Mistake("schedule create s greet.mthds -i name=A --cron ²␣9␣*␣*␣*", 2, ("'²' is not a valid minute",)),
    Mistake(f"schedule create s greet.mthds -i name=A --cron {'9' * 5000}␣9␣*␣*␣*", 2, ("is not a valid minute",)),
    Mistake("schedule create s greet.mthds -i name=A --calendar hour=²", 2, ("'²' is not a calendar value",)),
    Mistake(f"schedule create s greet.mthds -i name=A --calendar hour={'9' * 5000}", 2, ("is not a calendar value",)),
    Mistake("schedule create s greet.mthds -i name=A", 2, ("a schedule needs a time", "--cron, --every or --calendar")),
    Mistake("schedule create s greet.mthds -i name=A --every 1x", 2, ("--every 1x: give a length of time",)),
    Mistake(
        "schedule create s greet.mthds -i name=A --every 1h --time-zone Europe/Pari", 2, ("Did you mean Europe/Paris",)
    ),
    Mistake("schedule create s greet.mthds -i name=A --calendar hours=9", 2, ("'hours=9' is not a calendar field",)),
    Mistake("schedule create s gret.mthds --cron @daily", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("schedule create s greet.mthds --cron @daily", 1, ("the input 'name' (native.Text) is missing",)),
    Mistake(
        "schedule create s greet.mthds -i nam=A --cron @daily",
        1,
        ("Type: pipelex schedule create s greet.mthds -i name=A --cron @daily",),
    ),
    Mistake("schedule create s greet.mthds --cron @daily --attribute foo", 2, ("--attribute foo: write NAME=VALUE",)),
    Mistake("schedule create s greet.mthds --cron @daily --overlap skp", 2, ("Did you mean 'skip'",)),
    Mistake("schedule update s gret.mthds", 2, ("did you mean 'greet.mthds'?",)),
    Mistake("schedule update s --cron bad", 2, ("'bad' is not a cron expression",)),
    Mistake("schedule update s --jitter 1m", 2, ("--jitter comes with the times of the schedule",)),
    Mistake("schedule update s --tag x", 2, ("--pipe, --attribute and --tag come with a method",)),
    Mistake("schedule backfill s --start 2026-01-02 --end 2026-01-01", 2, ("it is not later than --start 2026-01-02",)),
    Mistake("schedule backfill s --start yesterday --end now", 2, ("--start yesterday: give a point in time",)),
    Mistake("runs list --status nonsense", 2, ("'nonsense' is not one of",)),
    Mistake("runs list --since bad", 2, ("--since bad: give a time ago, such as 30m",)),
    Mistake("runs replay x --set bad", 2, ("--set bad: write pipe.CODE.MEMBER=VALUE",)),
    Mistake("runs replay x --set greet.prompt=Hi", 2, ("write pipe.CODE.MEMBER=VALUE, such as",)),
    Mistake("runs replay x --bundle gone.mthds", 2, ("--bundle gone.mthds: there is no file or folder",)),
    Mistake("runs result x -o greet.mthds", 2, ("'greet.mthds' cannot be written",)),
    Mistake("runs open x -o empty", 2, ("'empty' cannot be written", "with --output")),
    Mistake("run greet.mthds -i name=A --durable --attribute bad", 2, ("--attribute bad: write NAME=VALUE",)),
    # the method
    Mistake("run broken.mthds -i {}", 1, ("method.input_undeclared", "broken.mthds:9:17")),
    Mistake("validate broken.mthds", 1, ("at broken.mthds:9:",)),
    Mistake("validate draft.mthds", 1, ("only declared: harbour.plan",)),
    # what is not there
    Mistake('run greet.mthds -i {"name":"Ana"} --durable', 1, ("no Temporal at 127.0.0.1:1 answers", "pipelex dev")),
    Mistake("runs list", 0, ("Only runs of this machine's processes are listed: no Temporal at 127.0.0.1:1 answers",)),
    Mistake("runs list --server prod", 2, ("prod",)),
]

BROKEN = """\
domain = "harbour"
main_pipe = "greet"

[pipe.greet]
type = "PipeLLM"
description = "Greet somebody"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $nam"
"""
TWO = """\
domain = "two"
[pipe.one]
type = "PipeCompose"
description = "One"
output = "Text"
template = "one"
[pipe.other]
type = "PipeCompose"
description = "Other"
output = "Text"
template = "other"
"""
DRAFT = 'domain = "harbour"\n[pipe.plan]\ndescription = "Later"\ninputs = { name = "Text" }\noutput = "Text"\n'


@pytest.fixture
def place(cli: Cli) -> Cli:
    for folder in ("methods", "empty", ".pipelex/methods/welcome"):
        (cli.root / folder).mkdir(parents=True)
    for file in ("methods/a.mthds", ".pipelex/methods/welcome/a.mthds"):
        (cli.root / file).write_text(TWO.replace('"two"', '"deep"'), encoding="utf-8")
    for name, text in (("broken", BROKEN.replace("harbour", "elsewhere")), ("two", TWO), ("draft", DRAFT)):
        (cli.root / f"{name}.mthds").write_text(text, encoding="utf-8")
    (cli.root / "inputs.json").write_text('{"name": "Ana"}', encoding="utf-8")
    (cli.root / "broken.toml").write_text("name = \n", encoding="utf-8")
    (cli.root / "nam.yaml").write_text("nam: Ana\n", encoding="utf-8")
    (cli.root / "rows.csv").write_text("nme\nAna\n", encoding="utf-8")
    (cli.root / "pic.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    for name, text in (
        ("list.json", "[1]"),
        ("cut.json", '{"name": "A"'),
        ("none.json", ""),
        ("bad.yaml", "name: [a\n"),
        ("holes.csv", "x\n1\n2\n"),
    ):
        (cli.root / name).write_text(text, encoding="utf-8")
    (cli.root / "pair").mkdir()
    for name in ("first", "second"):
        text = TWO.replace('"two"', f'"{name}"\nmain_pipe = "one"')
        (cli.root / "pair" / f"{name}.mthds").write_text(text, encoding="utf-8")
    (cli.root / "lone").mkdir()
    for name, text in (("only.mthds", TWO), ("notes.txt", "Buy milk\n"), ("code.py", "def f(): ...\n")):
        (cli.root / "lone" / name).write_text(text, encoding="utf-8")
    return cli


@pytest.mark.matrix(fast=9)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.command)
def test_a_mistake_is_told_what_was_meant(place: Cli, mistake: Mistake) -> None:
    ended = place(*mistake.words)

    said = ended.out + ended.err
    assert ended.code == mistake.code, said
    assert [text for text in mistake.told if text not in said] == [], said
    assert "Traceback" not in said
    assert "Unexpected error" not in said
    assert not re.search(r"\bauto\b|Correct the (inputs|method|configuration)\.|retry yes\)\n.*refused again", said)


LINKS = [
    Mistake("validate links/loop.mthds", 2, ("is a symbolic link that leads to no file or directory",)),
    Mistake("graph links/loose.mthds", 2, ("is a symbolic link that leads to no file or directory",)),
    Mistake("run links", 2, ("'links/loop.mthds' cannot be read: Too many levels of symbolic links",)),
    Mistake("run greet.mthds -i links/loop.json", 1, ("'links/loop.json' cannot be read: Too many levels of",)),
    Mistake("run greet.mthds -i name=@links/loop.json", 1, ("'links/loop.json' cannot be read: Too many levels of",)),
    Mistake("run greet.mthds --durable -i links/loop.json", 1, ("cannot be read: Too many levels of",)),
    Mistake("run greet.mthds --inputs-csv links/loop.csv", 1, ("'links/loop.csv' cannot be read: Too many levels of",)),
]


@pytest.mark.matrix(fast=4)
@pytest.mark.parametrize("mistake", LINKS, ids=lambda mistake: mistake.command)
def test_a_link_that_leads_nowhere(place: Cli, mistake: Mistake) -> None:
    (place.root / "links").mkdir()
    for name in ("loop.mthds", "loop.json", "loop.csv"):
        (place.root / "links" / name).symlink_to(name)
    (place.root / "links" / "loose.mthds").symlink_to("nowhere.mthds")
    test_a_mistake_is_told_what_was_meant(place, mistake)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("9" * 5_000, "a number has too many digits"),
        ("-" + "9" * 5_000, "a number has too many digits"),
        ("[" * 100_000, "nested too deeply"),
        ("NaN", "NaN is not a JSON number"),
        ('"A", "name": "B"', "the member 'name' is given twice"),
    ],
    ids=["digits", "a negative number", "nesting", "NaN", "twice"],
)
@pytest.mark.parametrize("is_file", [False, True], ids=["typed", "a file"])
def test_json_that_no_program_should_write(place: Cli, value: str, why: str, is_file: bool) -> None:
    text = f'{{"name": {value}}}'
    (place.root / "typed.json").write_text(text, encoding="utf-8")
    ended = place("run", "greet.mthds", "-i", "typed.json" if is_file else text)
    assert (ended.code, ended.out) == (1, ""), ended.err
    assert why in ended.err
    assert "set_int_max" not in ended.err


def test_a_memory_that_no_run_wrote(place: Cli) -> None:
    for memory in ('{"root": {"name": "x"}}', '{"root": {"name": {"concept": "Text"}}}', '{"root": {"main_stuff": 3}}'):
        ended = place("run", "greet.mthds", "-i", "-", stdin=f'{{"working_memory": {memory}}}')
        assert (ended.code, "--json --with-memory" in ended.err) == (1, True), ended.err


def test_no_option_is_proposed_that_is_far_from_what_was_typed(place: Cli) -> None:
    assert "Possible options" not in place("run", "greet.mthds", "--timeout", "5").err
    assert "--save-csv" in place("run", "greet.mthds", "--csv", "5").err
    assert place("run", "greet.mthds", "-i", "name=--local", "--dry-run", "--durable", "--run-id", "--local").code == 1


WITH_JSON = [mistake for mistake in MISTAKES if mistake.code == 1 and mistake.words[0] in ("run", "runs")]


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize("mistake", WITH_JSON, ids=lambda mistake: mistake.command)
def test_a_mistake_is_a_problem_for_programs(place: Cli, mistake: Mistake) -> None:
    ended = place(*mistake.words, "--json")

    problem = json.loads(ended.err)
    assert ended.code == mistake.code
    assert problem["next_step"]["detail"]
    assert problem["code"] in ended.err
