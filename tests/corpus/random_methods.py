"""Random methods that are valid by construction, and the TOML they are written in.

Every value goes by a name made from its slot (`c2` for one C2, `c2_list` for several), so that any pipe finds what it
takes in any controller that declares it.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, cast

NATIVES = ("Text", "Number", "YesNo", "Date", "Image", "Document", "Html", "JSON", "SearchResult", "Page")
Table = dict[str, Any]


@dataclass
class RandomMethod:
    """A bundle as the tables of its TOML document."""

    document: Table
    contracts: dict[str, tuple[dict[str, str], str]] = field(default_factory=dict[str, tuple[dict[str, str], str]])
    """Pipe code → its inputs and output."""

    @property
    def text(self) -> str:
        return to_toml(self.document)


def random_method(seed: int, *, pipes: int = 14) -> RandomMethod:
    """The method of a seed."""
    return _Author(random.Random(seed)).write(pipes)


def name_of(slot: str) -> str:
    """The name under which a value of a slot always goes."""
    code = slot.removesuffix("[]").lower()
    return f"{code}_list" if slot.endswith("[]") else code


class _Author:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.concepts: dict[str, Any] = {}
        self.plain: list[str] = []
        """Structured concepts without any image or document."""
        self.method = RandomMethod({"domain": "made.up", "concept": self.concepts, "pipe": {}})

    @property
    def contracts(self) -> dict[str, tuple[dict[str, str], str]]:
        return self.method.contracts

    def write(self, pipes: int) -> RandomMethod:
        for index in range(self.chance.randint(2, 5)):
            self.concept(f"C{index}")
        operators = [
            self.llm,
            self.llm,
            self.compose,
            self.construct,
            self.search,
            self.image,
            self.extract,
            self.judge,
        ]
        controllers = [self.sequence, self.sequence, self.parallel, self.condition, self.batch]
        for index in range(pipes):
            makers = operators if index < 5 else [*operators, *controllers, *controllers]
            made = self.chance.choice(makers)()
            if made is not None:
                code = f"pipe_{index}"
                table, inputs, output = made
                slots: Table = {"description": f"Step {index}", "inputs": inputs, "output": output}
                self.method.document["pipe"][code] = {"type": table.pop("type"), **slots, **table}
                self.contracts[code] = (inputs, output)
        self.method.document["main_pipe"] = list(self.contracts)[-1]
        return self.method

    # --- concepts

    def concept(self, code: str) -> None:
        kind = self.chance.randrange(6)
        if kind == 0:
            self.concepts[code] = "A text of some kind"
        elif kind == 1 and self.plain:
            self.concepts[code] = {"description": "A special one", "refines": self.chance.choice(self.plain)}
            self.plain.append(code)
        else:
            names = self.chance.sample(["title", "note", "size", "kind", "when", "parts", "extra", "flag"], 4)
            self.concepts[code] = {"description": "A thing", "structure": {name: self.field() for name in names}}
            self.plain.append(code)

    def field(self) -> Any:
        about: Table = {"description": "A field"}
        if self.chance.random() < 0.3:
            about["required"] = True
        has_default = "required" not in about and self.chance.random() < 0.3
        options: list[tuple[Table, Any]] = [
            ({"type": "text"}, "some"),
            ({"type": "integer"}, 3),
            ({"type": "number"}, 2.5),
            ({"type": "boolean"}, True),
            ({"type": "date"}, date(2026, 1, 31)),
            ({"type": "datetime"}, datetime(2026, 1, 31, 10, 30)),
            ({"type": "time"}, time(7, 15)),
            ({"choices": ["one", "two"]}, "two"),
            ({"type": "list", "item_type": "number"}, [1.5, 2.5]),
            ({"type": "dict", "key_type": "text", "value_type": "Any"}, {"a": 1}),
        ]
        if self.plain:
            concept = self.chance.choice([*self.plain, "YesNo", "native.Text"])
            options += [
                ({"type": "concept", "concept_ref": concept}, None),
                ({"type": "list", "item_type": "concept", "item_concept_ref": concept}, None),
            ]
        kind, default = self.chance.choice(options)
        if has_default and default is not None:
            about["default_value"] = default
        return "A required text" if self.chance.random() < 0.1 else {**about, **kind}

    def slot(self) -> str:
        concept = self.chance.choice([*self.concepts, *NATIVES])
        return concept + self.chance.choice(["", "", "[]"])

    def inputs(self, most: int = 3) -> dict[str, str]:
        slots = [self.slot() for _ in range(self.chance.randint(0, most))]
        if self.chance.random() < 0.2:
            slots.append("Text?")
        return {name_of(slot.rstrip("?")): slot for slot in slots}

    def reads(self, inputs: Mapping[str, str]) -> str:
        """A template that reads every input, each in some way."""
        parts = ["Costs $5 or 3 @ 2.0, write to a@b.org.", "{# a remark #}"]
        for name, slot in inputs.items():
            ways = [f"@?{name}", f"{{% if {name} %}}{{{{ {name} }}}}{{% endif %}}"]
            if not slot.endswith("?"):
                ways += [f"@{name}", f"About ${name}.", f"{{{{ {name} }}}}", f"{{{{ {name}|tag }}}}"]
            if slot.endswith("[]"):
                ways += [
                    f"{{% for item in {name} %}}{{{{ loop.index }}}} {{{{ item }}}}{{% else %}}none{{% endfor %}}",
                    f"{{{{ {name}|length }}}} {{{{ {name}|first }}}} ${name}",
                ]
            parts.append(self.chance.choice(ways))
        self.chance.shuffle(parts)
        return "\n".join(parts)

    # --- operators

    def llm(self) -> tuple[Table, dict[str, str], str]:
        inputs = self.inputs()
        output = self.chance.choice([*self.concepts, "Text", "Number", "YesNo", "Date", "JSON"])
        table: Table = {"type": "PipeLLM", "prompt": self.reads(inputs)}
        if self.chance.random() < 0.3:
            table["system_prompt"] = "Be brief."
        if self.chance.random() < 0.3:
            table["model"] = self.chance.choice(["$retrieval", {"model": "@default-general", "temperature": 0.5}])
        return table, inputs, output + self.chance.choice(["", "", "[]"])

    def compose(self) -> tuple[Table, dict[str, str], str]:
        inputs = self.inputs()
        category = self.chance.choice(["basic", "html", "markdown"])
        template = {"template": self.reads(inputs), "category": category}
        return {"type": "PipeCompose", "template": template}, inputs, "Html" if category == "html" else "Text"

    def construct(self) -> tuple[Table, dict[str, str], str] | None:
        found = [code for code in self.plain if "structure" in self.concepts[code]]
        if not found:
            return None
        code = self.chance.choice(found)
        name = code.lower()
        entries = {field: {"from": f"{name}.{field}"} for field in self.concepts[code]["structure"]}
        return {"type": "PipeCompose", "construct": entries}, {name: code}, code

    def search(self) -> tuple[Table, dict[str, str], str]:
        inputs = self.inputs(1)
        return {"type": "PipeSearch", "prompt": self.reads(inputs), "max_results": 3}, inputs, "SearchResult"

    def image(self) -> tuple[Table, dict[str, str], str]:
        inputs = self.inputs(2)
        return {"type": "PipeImgGen", "prompt": self.reads(inputs)}, inputs, self.chance.choice(["Image", "Image[]"])

    def extract(self) -> tuple[Table, dict[str, str], str]:
        slot = self.chance.choice(["Image", "Document"])
        return {"type": "PipeExtract", "page_views": True}, {name_of(slot): slot}, "Page[]"

    def judge(self) -> tuple[Table, dict[str, str], str]:
        inputs = self.inputs(2)
        table = {"type": "PipeJudge", "model": "@default-judgment", "prompt": self.reads(inputs), "question": "Is it?"}
        return table, inputs, "YesNo"

    # --- controllers

    def callee(self) -> tuple[str, dict[str, str], str]:
        code = self.chance.choice(list(self.contracts))
        return code, *self.contracts[code]

    def sequence(self) -> tuple[Table, dict[str, str], str] | None:
        if not self.contracts:
            return None
        inputs: dict[str, str] = {}
        known: set[str] = set()
        steps: list[Table] = []
        output = ""
        for _ in range(self.chance.randint(1, 4)):
            code, needs, output = self.callee()
            if not output.endswith("?"):
                inputs |= {name: slot for name, slot in needs.items() if name not in known and not slot.endswith("?")}
                steps.append({"pipe": code, "result": name_of(output)})
                known |= {name_of(output)}
        known_inputs = [name for name in inputs if inputs[name] in self.concepts]
        if known_inputs and self.chance.random() < 0.4:
            steps.insert(0, {"from": self.chance.choice(known_inputs), "result": "a_copy"})
        return {"type": "PipeSequence", "steps": steps}, inputs, output

    def parallel(self) -> tuple[Table, dict[str, str], str] | None:
        if not self.contracts:
            return None
        inputs: dict[str, str] = {}
        branches: list[Table] = []
        for index in range(self.chance.randint(1, 3)):
            code, needs, _ = self.callee()
            inputs |= {name: slot for name, slot in needs.items() if not slot.endswith("?")}
            branches.append({"pipe": code, "result": f"branch_{index}"})
        table = {"type": "PipeParallel", "branches": branches, "add_each_output": self.chance.random() < 0.5}
        return table, inputs, "Composite"

    def condition(self) -> tuple[Table, dict[str, str], str] | None:
        if not self.contracts:
            return None
        _, _, output = self.callee()
        alike = [code for code, (_, gives) in self.contracts.items() if gives == output]
        chosen = [self.chance.choice(alike) for _ in range(2)]
        inputs = {"text": "Text"}
        for code in chosen:
            inputs |= {name: slot for name, slot in self.contracts[code][0].items() if not slot.endswith("?")}
        table = {
            "type": "PipeCondition",
            "expression": "text.text|length > 3",
            "outcomes": {"True": chosen[0], "False": "fail"},
            "default_outcome": chosen[1],
        }
        return table, inputs, output

    def batch(self) -> tuple[Table, dict[str, str], str] | None:
        found = [
            (code, name)
            for code, (needs, gives) in self.contracts.items()
            for name, slot in needs.items()
            if not slot.endswith(("[]", "?")) and not gives.endswith("[]")
        ]
        if not found:
            return None
        code, item = self.chance.choice(found)
        needs, gives = self.contracts[code]
        listed = f"{needs[item]}[]"
        inputs = {name: slot for name, slot in needs.items() if name != item and not slot.endswith("?")}
        inputs[name_of(listed)] = listed
        table = {
            "type": "PipeBatch",
            "branch_pipe_code": code,
            "input_list_name": name_of(listed),
            "input_item_name": item,
        }
        return table, inputs, f"{gives}[]"


# --- TOML


def to_toml(document: Mapping[str, Any]) -> str:
    """A document with a header for each concept and pipe, and everything below inline."""
    head = "".join(
        f"{_key(name)} = {_value(value)}\n" for name, value in document.items() if not isinstance(value, dict)
    )
    tables = ""
    for name, value in document.items():
        if not isinstance(value, dict):
            continue
        entries = cast("Table", value)
        tables += f"\n[{_key(name)}]\n"
        tables += "".join(f"{_key(key)} = {_value(entry)}\n" for key, entry in entries.items() if not _is_table(entry))
        for key, entry in entries.items():
            if _is_table(entry):
                tables += f"\n[{_key(name)}.{_key(key)}]\n"
                tables += "".join(f"{_key(inner)} = {_value(below)}\n" for inner, below in entry.items())
    return head + tables


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _key(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else json.dumps(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value)
        case dict():
            table = cast("Table", value)
            return "{ " + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in table.items()) + " }"
        case list():
            return "[" + ", ".join(_value(entry) for entry in cast("list[Any]", value)) + "]"
        case date() | time():
            return value.isoformat()
        case _:
            return repr(value)
