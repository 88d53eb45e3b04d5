import random
import time

import pytest

from pipelex.language import ParsedBundle, parse_bundle

VALID = '''domain = "harbour.berths"
description = "Assign ships — é"
main_pipe = "plan"

[concept]
Notice = "A notice"

[concept.Berth]
description = "A place"
[concept.Berth.structure]
code = { type = "text", description = "Code", required = true }
kind = { choices = ["a", "b"], description = "Kind", default_value = "a" }

[pipe.pick]
type = "PipeLLM"
description = "Pick"
inputs = { notice = "Notice", berths = "Berth[]" }
output = "Berth"
prompt = """
Choose for $notice.
@berths
{% for b in berths %}{{ b.code }}{% endfor %}
"""

[pipe.plan]
type = "PipeSequence"
description = "Plan"
inputs = { notice = "Notice", berths = "Berth[]" }
output = "Text"
steps = [
  { pipe = "pick", result = "berth" },
  { from = "berth.code", result = "code" },
  { pipe = "card" },
]

[pipe.card]
type = "PipeCompose"
description = "Card"
inputs = { code = "Text" }
output = "Text"
[pipe.card.construct]
text = { from = "code" }
'''


def check_sane(bundle: ParsedBundle) -> None:
    """What holds for every result, whatever was read."""
    lines = bundle.text.split("\n")
    assert bundle.blueprint is not None or bundle.has_errors
    for fault in bundle.faults:
        assert fault.code.startswith(("method.", "security."))
        assert fault.detail
        assert fault.location.line is not None
        assert fault.location.column is not None
        assert 1 <= fault.location.line <= len(lines)
        assert 1 <= fault.location.column <= len(lines[fault.location.line - 1]) + 1
    places = [(fault.location.line, fault.location.column) for fault in bundle.faults]
    assert places == sorted(places)


def test_the_valid_file_has_no_faults() -> None:
    bundle = parse_bundle(VALID.encode(), path="x.mthds")
    assert bundle.faults == ()
    assert bundle.blueprint is not None
    assert list(bundle.blueprint.pipes) == ["pick", "plan", "card"]
    assert list(bundle.blueprint.concepts) == ["Notice", "Berth"]
    assert bundle.broken_pipes == bundle.broken_concepts == frozenset()


def test_crlf_changes_nothing() -> None:
    bundle = parse_bundle(VALID.replace("\n", "\r\n").encode())
    assert bundle.faults == ()
    assert bundle.blueprint == parse_bundle(VALID).blueprint


@pytest.mark.parametrize("seed", range(20))
def test_mutations_of_a_valid_file_never_raise(seed: int) -> None:
    randomness = random.Random(seed)
    source = VALID.encode()
    for _ in range(15):
        mutated = bytearray(source)
        for _ in range(randomness.randint(1, 4)):
            position = randomness.randrange(len(mutated))
            match randomness.randrange(4):
                case 0:
                    mutated[position] = randomness.randrange(256)
                case 1:
                    del mutated[position : position + randomness.randint(1, 20)]
                case 2:
                    mutated[position:position] = randomness.choice(
                        [b'"', b"\n", b"[", b"{", b"=", b"\0", b"$", b"@", b"]"]
                    )
                case _:
                    start = randomness.randrange(len(mutated))
                    mutated[position:position] = mutated[start : start + 30]
        check_sane(parse_bundle(bytes(mutated)))


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_never_raise(seed: int) -> None:
    randomness = random.Random(seed)
    check_sane(parse_bundle(randomness.randbytes(300)))
    check_sane(parse_bundle(bytes(randomness.choice(b"[]{}=\"'.,#\n\\ab1") for _ in range(300))))


def test_every_truncation_is_handled() -> None:
    source = VALID.encode()
    for end in range(0, len(source), 7):
        check_sane(parse_bundle(source[:end]))


def test_wrong_kinds_of_values_everywhere_never_raise() -> None:
    for value in ["3", "true", "1.5", "nan", "[]", "{}", '""', "1979-05-27", "[[1]]", '{ a = { b = [ "c" ] } }']:
        for pipe_type in [
            "PipeLLM",
            "PipeSequence",
            "PipeParallel",
            "PipeBatch",
            "PipeCompose",
            "PipeJudge",
            "PipeImgGen",
        ]:
            keys = [
                "prompt",
                "output",
                "inputs",
                "model",
                "steps",
                "branches",
                "construct",
                "template",
                "questions",
                "question",
                "levels",
                "options",
            ]
            keys += [
                "size",
                "seed",
                "description",
                "criteria",
                "threshold",
                "branch_pipe_code",
                "input_list_name",
                "input_item_name",
            ]
            body = "\n".join(f"{key} = {value}" for key in keys)
            check_sane(parse_bundle(f'domain = "x"\n[pipe.p]\ntype = "{pipe_type}"\n{body}\n'))
        check_sane(parse_bundle(f"domain = {value}\nconcept = {value}\npipe = {value}\nmain_pipe = {value}"))
        check_sane(parse_bundle(f'domain = "x"\nconcept.A = {value}\nconcept.B.structure = {value}\npipe.a = {value}'))
        field = f"description = {value}, type = {value}, choices = {value}, hints = {value}, default_value = {value}"
        check_sane(
            parse_bundle(f'domain = "x"\nconcept.A = {{ description = "d", structure = {{ f = {{ {field} }} }} }}')
        )


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        (b'domain = "x"\nx = "\xff"', 2, "not UTF-8"),
        ('domain = "x"\n\ud800', 2, "surrogate"),
        ("\ufeffdomain = 'x'", 1, "byte-order mark"),
        ('domain = "x"\n\0', 2, "expected here"),
        ('domain = "\0"', 1, "not allowed"),
        ('domain = "x', 1, "not closed"),
        ('domain = "x"\na = """\n\n', 4, "not closed"),
        ('domain = "x"\ndomain = "y"', 2, "already has a value"),
        ('domain = "x"\n[pipe.a]\n[pipe.a]', 3, "[pipe.a] is declared twice"),
        ('domain = "x"\na = { b = 1, b = 2 }', 2, "appears twice"),
        ('domain = "x"\na = { b = 1 }\n[a.c]', 3, "[a.c] is declared twice"),
        ("domain = x", 1, "a text needs quotes"),
        ("domain", 1, "'=' is expected"),
        ('domain = "x" y', 1, "should end"),
        ('domain = "\\x"', 1, "unknown escape"),
        ("x = [1, 2", 1, "not closed"),
        ("[pipe.a\n", 1, "not closed with ']'"),
        ("x = " + "[" * 5000, 1, "nested too deeply"),
        ("x = " + "{a=" * 5000, 1, "nested too deeply"),
        ("x = " + "[" * 45 + "]" * 45, 1, "more than 40 deep"),
        ("x" + ".a" * 20 + " = 1", 1, "parts"),
        ("x" + ".a" * 100_000 + " = 1", 1, "parts"),
        ("x = " + "1" * 5000, 1, "too many digits"),
        ("#" * 10_000_000, 1, "10,000,000 bytes"),
        ("x = 2024-02-30", 1, "no such date"),
    ],
    ids=range(25),
)
def test_what_is_no_toml_is_one_fault_with_its_line(source: bytes | str, line: int, said: str) -> None:
    bundle = parse_bundle(source, path="x.mthds")
    (fault,) = bundle.faults
    assert fault.code == "method.syntax"
    assert said in fault.detail
    assert str(fault.params["finding"]) in fault.detail
    assert (fault.location.file, fault.location.line) == ("x.mthds", line)
    assert bundle.blueprint is None
    assert bundle.locate(("pipe", "x")).line == 1


def test_a_text_that_looks_like_a_long_key_is_a_text() -> None:
    assert parse_bundle('domain = "x"\ndescription = """\n' + "a." * 50 + 'b\n"""').faults == ()


@pytest.mark.slow
def test_many_pipes_in_bounded_time() -> None:
    pipe = VALID[VALID.index("[pipe.pick]") : VALID.index("[pipe.plan]")]
    good = "".join(pipe.replace("pick", f"pick_{index}") for index in range(10_000))
    start = time.perf_counter()
    bundle = parse_bundle('domain = "x"\n' + good)
    assert bundle.faults == ()
    assert bundle.blueprint is not None
    assert len(bundle.blueprint.pipes) == 10_000
    assert time.perf_counter() - start < 60


@pytest.mark.slow
def test_many_faults_in_linear_time() -> None:
    def seconds(count: int) -> float:
        pipes = "".join(
            f'[pipe.p{index}]\ntype = "PipeLLM"\ndescrition = "é"\noutput = "Text"\n' for index in range(count)
        )
        start = time.perf_counter()
        bundle = parse_bundle('domain = "x"\n' + pipes)
        assert len(bundle.broken_pipes) == count
        assert len(bundle.faults) == 2 * count
        return time.perf_counter() - start

    seconds(10)
    assert seconds(2000) < 12 * seconds(500) + 1
