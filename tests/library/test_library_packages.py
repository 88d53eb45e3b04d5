"""Files, packages, visibility, the method tree and its digest."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from pipelex.errors import PipelexError
from pipelex.library import MethodTree, load_library, load_library_files, load_paths, walk_tree
from pipelex.library._trees.ignore import ignore_rules, is_ignored
from pipelex.library.packages import read_lock, read_manifest, satisfies

LEAF = '[pipe.{code}]\ntype = "PipeLLM"\ndescription = "x"\noutput = "{output}"\nprompt = "x"\n'
CALLER = (
    '[pipe.{code}]\ntype = "PipeSequence"\ndescription = "x"\noutput = "{output}"\nsteps = [{{ pipe = "{pipe}" }}]\n'
)
MANIFEST = '[package]\naddress = "{address}"\nversion = "1.0.0"\ndescription = "x"\n'


def bundle(domain: str, *parts: str) -> str:
    return f'domain = "{domain}"\n' + "".join(parts)


def leaf(code: str, output: str = "Text") -> str:
    return LEAF.format(code=code, output=output)


def caller(code: str, pipe: str, output: str = "Text") -> str:
    return CALLER.format(code=code, pipe=pipe, output=output)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


QUAYS = {
    "METHODS.toml": MANIFEST.format(address="github.com/acme/quays") + '[exports.docks]\npipes = ["load"]\n',
    "docks.mthds": bundle("docks", '[concept]\nCrate = "A crate"\n', leaf("load", "Crate"), leaf("secret")),
}


def codes(files: dict[str, str]) -> list[tuple[str, str | None]]:
    return [(fault.code, fault.location.file) for fault in load_library_files(files).verdict.errors]


# --- domains ----------------------------------------------------------------------------------------------------------


def test_bundles_of_a_domain_share_their_names() -> None:
    loaded = load_library_files(
        {
            "a.mthds": bundle("d", caller("main", "other", "Note")),
            "b.mthds": bundle("d", '[concept]\nNote = "x"\n', leaf("other", "Note")),
        }
    )
    assert loaded.verdict.is_valid
    assert loaded.library is not None
    assert loaded.library.callees("d.main") == ["d.other"]


def test_a_bare_name_never_reaches_another_domain() -> None:
    files = {"a.mthds": bundle("d", caller("main", "other")), "b.mthds": bundle("e", leaf("other"))}
    (fault,) = load_library_files(files).verdict.errors
    assert (fault.code, fault.suggestions) == ("method.pipe_unresolved", ("e.other",))


def test_a_qualified_name_reaches_another_domain() -> None:
    assert codes({"a.mthds": bundle("d", caller("main", "e.f.other")), "b.mthds": bundle("e.f", leaf("other"))}) == []


def test_a_declaration_in_two_bundles_of_a_domain_conflicts() -> None:
    found = load_library_files({"a.mthds": bundle("d", leaf("x")), "b.mthds": bundle("d", leaf("x"))}).verdict.errors
    assert [(fault.code, fault.location.file, fault.location.line) for fault in found] == [
        ("method.name_conflict", "b.mthds", 2)
    ]
    assert found[0].params == {"name": "x", "conflict": "duplicate_declaration"}
    assert "a.mthds" in found[0].detail


SIGNED = """
[concept.Berth]
description = "A berth"
structure = { code = "Code" }
[pipe.main]
description = "All of it"
inputs = { note = "Text" }
output = "Berth"
[pipe.pick]
description = "A part"
inputs = { note = "Text" }
output = "Text"
"""
MAIN = """
[pipe.main]
type = "PipeSequence"
description = "All of it"
inputs = { note = "Text" }
output = "Berth"
steps = [{ pipe = "pick", result = "found" }, { pipe = "read" }]
[pipe.read]
type = "PipeLLM"
description = "Another part"
inputs = { found = "Text" }
output = "Berth"
prompt = "$found"
"""


def defined(inputs: str = 'note = "Text"', output: str = "Text") -> str:
    return (
        f'[pipe.pick]\ntype = "PipeLLM"\ndescription = "A part"\ninputs = {{ {inputs} }}\noutput = "{output}"\n'
        'prompt = "Pick $note"\n'
    )


def test_definitions_take_the_place_of_signatures_in_other_bundles() -> None:
    root = bundle("d", SIGNED).replace("\n", '\nmain_pipe = "main"\n', 1)
    alone = load_library_files({"root.mthds": root})
    assert (alone.verdict.is_valid, alone.verdict.pending_signatures) == (True, ("d.main", "d.pick"))
    partly = load_library_files({"root.mthds": root, "a.mthds": bundle("d", MAIN)})
    assert (partly.verdict.is_valid, partly.verdict.pending_signatures) == (True, ("d.pick",))
    for names in (("root", "a", "b"), ("b", "root", "a"), ("b", "a", "root")):  # whatever is read first
        texts = {"root": root, "a": bundle("d", MAIN), "b": bundle("d", defined())}
        whole = load_library_files({f"{number}.mthds": texts[name] for number, name in enumerate(names)})
        assert (whole.verdict.errors, whole.verdict.is_runnable, whole.entry) == ((), True, "d.main")
        assert whole.library is not None
        assert [pipe.type for pipe in whole.library.pipes.values() if pipe.code == "pick"] == ["PipeLLM"]


@pytest.mark.parametrize(
    ("definition", "field", "says"),
    [
        (defined(output="Html"), "output", "returns 'Html', not 'Text'"),
        (defined(output="Text[]"), "output", "returns 'Text[]', not 'Text'"),
        (defined(output="Text?"), "output", "returns 'Text?', not 'Text'"),
        (defined(output="Markdown"), "output", "returns 'Markdown', not 'Text'"),
        (defined(inputs='note = "Number"'), "inputs.note", "takes 'note' as 'Number', not 'Text'"),
        (defined(inputs='note = "Text", n = "Text"').replace("$note", "$note $n"), "inputs", "also takes 'n' ('Text')"),
        (defined(inputs='n = "Text"').replace("$note", "$n"), "inputs.note", "takes no input 'note'"),
    ],
)
def test_a_definition_keeps_what_its_signature_promises(definition: str, field: str, says: str) -> None:
    files = {"root.mthds": bundle("d", SIGNED), "a.mthds": bundle("d", MAIN), "b.mthds": bundle("d", definition)}
    faults = load_library_files(files).verdict.errors
    assert {(fault.code, fault.category, fault.location.file) for fault in faults} == {
        ("method.signature_mismatch", "signature_mismatch", "root.mthds")
    }
    assert [fault.location.field for fault in faults if says in fault.detail] == [field]


def test_two_signatures_are_one_pipe_and_two_definitions_conflict() -> None:
    both = {"a.mthds": bundle("d", SIGNED), "b.mthds": bundle("d", SIGNED[SIGNED.index("[pipe.main]") :])}
    assert load_library_files(both).verdict.pending_signatures == ("d.main", "d.pick")
    assert codes({**both, "c.mthds": bundle("d", defined()), "d.mthds": bundle("d", defined())}) == [
        ("method.name_conflict", "d.mthds")
    ]


def test_the_same_code_in_two_domains_is_told_apart() -> None:
    loaded = load_library_files({"a.mthds": bundle("d", leaf("x", "Image")), "b.mthds": bundle("e", leaf("x"))})
    (fault,) = loaded.verdict.errors
    assert fault.location.pipe == "d.x"
    with pytest.raises(PipelexError) as caught:
        loaded.pipe_ref("x")
    assert caught.value.code == "request.pipe_ambiguous"
    assert loaded.pipe_ref("e.x") == "e.x"


# --- packages ---------------------------------------------------------------------------------------------------------


def with_quays(*parts: str) -> dict[str, str]:
    return {"main.mthds": bundle("d", *parts), **{f"deps/quays/{name}": text for name, text in QUAYS.items()}}


def test_a_package_is_called_by_its_address() -> None:
    loaded = load_library_files(
        with_quays(caller("main", "github.com/acme/quays->docks.load", "github.com/acme/quays->docks.Crate"))
    )
    assert loaded.verdict.errors == ()
    assert loaded.library is not None
    assert set(loaded.library.closure("d.main").pipes) == {"d.main", "github.com/acme/quays->docks.load"}
    assert loaded.library.resolve("github.com/acme/quays::docks.Crate") == "github.com/acme/quays->docks.Crate"


def test_a_package_that_nobody_calls_is_not_read() -> None:
    files = {**with_quays(leaf("main")), "deps/quays/bad.mthds": "not toml"}
    assert codes(files) == []


def test_a_private_pipe_of_a_package_is_refused() -> None:
    (fault,) = load_library_files(with_quays(caller("main", "github.com/acme/quays->docks.secret"))).verdict.errors
    assert (fault.code, fault.category) == ("method.pipe_not_exported", "unexported_pipe_dependency")
    assert fault.params == {"pipe": "docks.secret", "package": "github.com/acme/quays"}


def test_an_unknown_name_of_a_package() -> None:
    (fault,) = load_library_files(with_quays(caller("main", "github.com/acme/quays->docks.laod"))).verdict.errors
    assert fault.code == "method.pipe_unresolved"
    assert fault.suggestions == ("github.com/acme/quays->docks.load",)


def test_an_alias_stands_for_an_address() -> None:
    manifest = MANIFEST.format(address="github.com/acme/main")
    files = with_quays(caller("main", "quay_lib->docks.load", "quay_lib->docks.Crate"))
    files["METHODS.toml"] = (
        manifest + '[dependencies]\nquay_lib = { address = "github.com/acme/quays", version = "^1" }\n'
    )
    loaded = load_library_files(files)
    assert loaded.verdict.errors == ()
    assert loaded.library is not None
    assert "github.com/acme/quays->docks.Crate" in loaded.library.concepts


def quays(version: str, *, needs: str = "") -> dict[str, str]:
    manifest = QUAYS["METHODS.toml"].replace('"1.0.0"', f'"{version}"') + needs
    return {**QUAYS, "METHODS.toml": manifest, "docks.mthds": QUAYS["docks.mthds"] + leaf(f"v{version[0]}")}


def method_that_needs(constraint: str, **shipped: dict[str, str]) -> dict[str, str]:
    needs = f'[dependencies]\nquay_lib = {{ address = "github.com/acme/quays", version = "{constraint}" }}\n'
    files = {
        "METHODS.toml": MANIFEST.format(address="github.com/acme/main") + needs,
        "main.mthds": bundle("d", caller("main", "quay_lib->docks.load", "quay_lib->docks.Crate")),
    }
    for folder, package in shipped.items():
        files |= {f"deps/{folder}/{name}": text for name, text in package.items()}
    return files


@pytest.mark.parametrize("reference", ["quay_lib", "github.com/acme/quays"])
def test_a_version_that_does_not_fit_is_missing(reference: str) -> None:
    files = method_that_needs("^1.0.0", quays=quays("0.2.0"))
    files["main.mthds"] = files["main.mthds"].replace("quay_lib", reference)
    found = load_library_files(files).verdict.errors
    assert {(fault.code, fault.category) for fault in found} == {
        ("method.dependency_missing", "unresolved_package_dependency")
    }
    assert found[0].params == {
        "kind": "package",
        "name": "github.com/acme/quays",
        "reason": "no_matching_version",
    }
    assert "but only 0.2.0 was found" in found[0].detail


@pytest.mark.parametrize(
    ("constraint", "taken"),
    [
        ("^1.0.0", "1.2.0"),
        (">=1.0.0", "1.2.0"),
        ("^2", "2.0.0"),
        (">=1.3", "1.10.0"),
        ("*", "0.2.0"),
        ("1.10.*", "1.10.0"),
    ],
)
def test_the_lowest_version_that_fits_is_taken(constraint: str, taken: str) -> None:
    shipped = {f"q{number}": quays(version) for number, version in enumerate(("2.0.0", "1.10.0", "0.2.0", "1.2.0"))}
    loaded = load_library_files(method_that_needs(constraint, **shipped))
    assert loaded.verdict.errors == ()
    (dependency,) = loaded.files.packages[1:]
    assert dependency.manifest is not None
    assert dependency.manifest.version == taken


def test_what_a_dependency_asks_for_counts_as_well() -> None:
    yard = {
        "METHODS.toml": MANIFEST.format(address="github.com/acme/yard")
        + '[exports.yard]\npipes = ["store"]\n[dependencies]\nq = { address = "github.com/acme/quays", version = ">=1.5" }\n',
        "yard.mthds": bundle("yard", caller("store", "q->docks.load", "q->docks.Crate")),
    }
    files = method_that_needs("^1", yard=yard, q1=quays("1.0.0"), q2=quays("1.6.0"), q3=quays("1.7.0"))
    files["main.mthds"] += caller("other", "github.com/acme/yard->yard.store", "quay_lib->docks.Crate")
    loaded = load_library_files(files)
    assert loaded.verdict.errors == ()
    versions = {package.address: package.manifest.version for package in loaded.files.packages[1:] if package.manifest}
    assert versions == {"github.com/acme/quays": "1.6.0", "github.com/acme/yard": "1.0.0"}


REPOSITORY = {
    "documents/METHODS.toml": MANIFEST.format(address="github.com/acme/methods").replace(
        "[package]", '[package]\nname = "documents"'
    )
    + '[exports.docs]\npipes = ["read"]\n',
    "documents/docs.mthds": bundle("docs", leaf("read")),
    "letters/METHODS.toml": MANIFEST.format(address="github.com/acme/methods").replace(
        "[package]", '[package]\nname = "letters"'
    ),
    "letters/letters.mthds": bundle("letters", caller("main", "github.com/acme/methods/documents->docs.read")),
}


@pytest.mark.parametrize("target", ["letters", "letters/letters.mthds"])
@pytest.mark.parametrize("has_repository", [True, False], ids=["a repository", "a folder of packages"])
def test_packages_of_a_repository_find_one_another(tmp_path: Path, target: str, has_repository: bool) -> None:
    write(tmp_path, {**REPOSITORY, **({".git/HEAD": ""} if has_repository else {})})
    assert load_library([tmp_path / target]).verdict.errors == ()


def test_packages_anywhere_in_a_repository_are_found_by_alias(tmp_path: Path) -> None:
    files = {f"deep/{name}" if name.startswith("documents") else name: text for name, text in REPOSITORY.items()}
    files["letters/METHODS.toml"] += (
        '[dependencies]\ndocs_lib = { address = "github.com/acme/methods/documents", version = "^1" }\n'
    )
    files["letters/letters.mthds"] = bundle("letters", caller("main", "docs_lib->docs.read"))
    write(tmp_path, {**files, ".git/HEAD": ""})
    assert load_library([tmp_path / "letters"]).verdict.errors == ()
    files["letters/METHODS.toml"] = files["letters/METHODS.toml"].replace("^1", "^2")
    write(tmp_path, files)
    (fault,) = load_library([tmp_path / "letters"]).verdict.errors
    assert fault.params["reason"] == "no_matching_version"


def test_packages_outside_of_the_repository_are_not_found(tmp_path: Path) -> None:
    files = {f"repo/{name}" if name.startswith("letters") else name: text for name, text in REPOSITORY.items()}
    write(tmp_path, {**files, "repo/.git/HEAD": ""})
    (fault,) = load_library([tmp_path / "repo" / "letters"]).verdict.errors
    assert fault.params["reason"] == "not_found"


def test_within_a_package_other_domains_see_exported_pipes_only() -> None:
    files = {
        "METHODS.toml": MANIFEST.format(address="github.com/acme/main") + '[exports.e]\npipes = ["open"]\n',
        "a.mthds": bundle("d", caller("one", "e.open"), caller("two", "e.shut"), caller("three", "e.start")),
        "b.mthds": 'main_pipe = "start"\n' + bundle("e", leaf("open"), leaf("shut"), leaf("start")),
    }
    (fault,) = load_library_files(files).verdict.errors
    assert (fault.code, fault.location.pipe) == ("method.pipe_not_exported", "two")


def test_a_library_directory_adds_names_and_packages(tmp_path: Path) -> None:
    write(tmp_path / "m", {"main.mthds": bundle("d", caller("main", "e.open"))})
    write(tmp_path / "lib", {"e.mthds": bundle("e", leaf("open"))})
    write(tmp_path / "pkg", QUAYS)
    address = "github.com/acme/quays"
    abroad = caller("main", f"{address}->docks.load", f"{address}->docks.Crate")
    write(tmp_path / "n", {"main.mthds": bundle("d", abroad)})
    assert load_library([tmp_path / "m"], library_dirs=[tmp_path / "lib"]).verdict.errors == ()
    assert not load_library([tmp_path / "m"]).verdict.is_valid
    assert load_library([tmp_path / "n"], library_dirs=[tmp_path / "pkg"]).verdict.errors == ()
    assert load_library([], library_dirs=[tmp_path / "pkg"]).verdict.errors == ()
    errors = load_library([tmp_path / "n"], library_dirs=[tmp_path / "lib"]).verdict.errors
    assert {fault.code for fault in errors} == {"method.dependency_missing"}


# --- targets ----------------------------------------------------------------------------------------------------------


def test_a_file_of_a_package_brings_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "METHODS.toml": MANIFEST.format(address="github.com/acme/main") + 'main_pipe = "other"\n',
            "deep/a.mthds": 'main_pipe = "main"\n' + bundle("d", caller("main", "other")),
            "b.mthds": bundle("d", leaf("other")),
        },
    )
    monkeypatch.chdir(tmp_path)
    loaded = load_library([Path("deep/a.mthds")])
    assert loaded.verdict.errors == ()
    assert loaded.entry == "d.main"
    assert [bundle.path for bundle in loaded.files.targets] == ["deep/a.mthds"]
    assert load_library([Path()]).entry == "d.other"
    assert load_library([Path("deep")]).entry == "d.main"
    assert set(loaded.tree.files) == {"METHODS.toml", "b.mthds", "deep/a.mthds"}


def test_a_lone_file_stands_alone(tmp_path: Path) -> None:
    call = '[pipe.f]\ntype = "PipeFunc"\ndescription = "x"\noutput = "Text"\nfunction_name = "tools.f"\n'
    write(tmp_path, {"a.mthds": bundle("d", caller("main", "other"), call), "b.mthds": bundle("d", leaf("other"))})
    write(tmp_path, {"tools.py": "def f(inputs): ...\n"})
    (fault,) = load_library([tmp_path / "a.mthds"]).verdict.errors
    assert fault.code == "method.pipe_unresolved"
    assert load_library([tmp_path]).verdict.is_valid


def test_the_walk_up_stops_at_a_repository(tmp_path: Path) -> None:
    write(tmp_path, {"METHODS.toml": MANIFEST.format(address="github.com/acme/main")})
    write(tmp_path / "repo", {".git/HEAD": "", "a.mthds": bundle("d", leaf("main"))})
    assert load_paths([tmp_path / "repo" / "a.mthds"]).manifest is None


@pytest.mark.parametrize("target", ["nowhere", "nowhere.mthds", "empty", "packages"])
def test_a_target_without_bundles_gives_no_verdict(tmp_path: Path, target: str) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "packages" / "quays", QUAYS)
    with pytest.raises(PipelexError) as caught:
        load_library([tmp_path / target])
    assert caught.value.code == "method.not_found"
    assert target in str(caught.value)


def test_without_a_main_pipe_one_must_be_named() -> None:
    loaded = load_library_files({"a.mthds": bundle("d", leaf("x"), leaf("y"))})
    assert loaded.entry is None
    with pytest.raises(PipelexError) as caught:
        loaded.pipe_ref()
    assert caught.value.code == "request.pipe_unspecified"
    assert caught.value.report.params == {"candidates": ["d.x", "d.y"]}
    with pytest.raises(PipelexError) as caught:
        loaded.pipe_ref("z")
    assert caught.value.code == "request.pipe_not_found"


# --- manifests, locks, versions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("[package\n", "not TOML", 1),
        ('[package]\naddress = "nowhere"\nversion = "1.0.0"\ndescription = "x"\n', "'address'", 2),
        ('[package]\naddress = "a.b/c"\nversion = "1.0"\ndescription = "x"\n', "'version'", 3),
        ('[package]\naddress = "a.b/c"\nversion = "1.0.0"\n', "'description' is missing", None),
        ('[package]\naddress = "a.b/c"\nversion = "1.0.0"\ndescription = "x"\nnmae = "x"\n', "did you mean 'name'", 5),
        ('[package]\naddress = "a.b/c"\nversion = "1.0.0"\ndescription = "x"\nmthds_version = "^9"\n', "8.0.0", 5),
        (MANIFEST.format(address="a.b/c") + '[exports.native]\npipes = ["x"]\n', "cannot be a domain", 5),
        (MANIFEST.format(address="a.b/c") + '[exports.d]\npipes = ["BadPipe"]\n', "BadPipe", 6),
        (MANIFEST.format(address="a.b/c") + '[exports.d]\npipe = ["x"]\n', "unknown key 'pipe'", 6),
        (
            MANIFEST.format(address="a.b/c") + '[exports.d]\npipes = ["x", "why"]\n',
            "no bundle declares the pipe 'why'",
            6,
        ),
        (MANIFEST.format(address="a.b/c") + 'main_pipe = "xx"\n', "did you mean 'x'", 5),
        (MANIFEST.format(address="a.b/c") + "exclude = 3\n", "'exclude' must be an array of strings", 5),
        (MANIFEST.format(address="a.b/c") + "[dependencies]\nquays = 3\n", "must be a snake_case name and a table", 6),
        (
            MANIFEST.format(address="a.b/c") + '[dependencies.quays]\nversion = "^1"\n',
            "[dependencies.quays]: 'address' is",
            None,
        ),
        (
            MANIFEST.format(address="a.b/c") + '[dependencies.quays]\naddress = "a.b/q"\nversion = "latest"\n',
            "[dependencies.quays]: 'version' must be",
            7,
        ),
        (
            MANIFEST.format(address="a.b/c") + '[exports.d]\npipes = ["x"]\n\n[exports.e.f]\npipes = ["why"]\n',
            "[exports.e.f]: no bundle declares the pipe 'why'",
            9,
        ),
        (
            MANIFEST.format(address="a.b/c") + '[exports.d]\npipes = ["x"]\n[exports.e]\npipes = ["Why"]\n',
            "[exports.e]: 'Why' is not a pipe code",
            8,
        ),
        ("exports = 3\n" + MANIFEST.format(address="a.b/c"), "'exports' must be a table", 1),
    ],
)
def test_faults_of_a_manifest(text: str, says: str, line: int | None) -> None:
    found = load_library_files({"METHODS.toml": text, "a.mthds": bundle("d", leaf("x"))}).verdict.errors
    assert [fault.code for fault in found] == ["method.package_invalid"]
    assert says in found[0].detail
    assert (found[0].location.file, found[0].location.line) == ("METHODS.toml", line)


def test_a_lock_of_an_older_standard_is_refused() -> None:
    lock = '["github.com/acme/quays"]\nversion = "1.2.0"\nhash = "sha256:0"\nsource = "https://github.com/acme/quays.git"\n'
    files = {"METHODS.toml": MANIFEST.format(address="a.b/c"), "methods.lock": lock, "a.mthds": bundle("d", leaf("x"))}
    (fault,) = load_library_files(files).verdict.errors
    assert fault.code == "method.package_invalid"
    assert "'hash'" in fault.detail
    assert (fault.location.file, fault.location.line) == ("methods.lock", 3)


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        (["# a comment", "", "/", "*.tmp  "], ["a.tmp", "in/b.tmp"], ["tmp", "a.tmp.md"]),
        (["a**b"], ["ab", "axyb"], ["a/b"]),
        (["a?c"], ["abc", "in/axc"], ["ac", "a/c"]),
        (["a\\*b"], ["a*b"], ["axb"]),
        (["[!x]y", "[ab]z"], ["ay", "az", "bz"], ["xy", "cz"]),
        (["[", "x\\"], ["[", "x\\"], ["x"]),
        (["/top", "docs/**", "**/deep/*"], ["top", "docs/a/b", "in/deep/x"], ["in/top", "docs"]),
        (["\\#1", "\\!2", "*.md", "!read.md"], ["#1", "!2", "a.md"], ["read.md"]),
        (["build/"], [], ["build"]),
    ],
)
def test_patterns_of_ignored_files(lines: list[str], ignored: list[str], kept: list[str]) -> None:
    rules = ignore_rules(lines)
    assert [path for path in (*ignored, *kept) if is_ignored(path, False, rules)] == ignored


def test_a_manifest_is_read_whole() -> None:
    text = MANIFEST.format(address="github.com/acme/lib") + (
        'name = "quays"\ndisplay_name = "Quays"\nauthors = ["A"]\nlicense = "MIT"\nmthds_version = "^8.0"\n'
        'main_pipe = "load"\nexclude = ["*.tmp"]\n[exports.docks.deep]\npipes = ["load"]\n'
    )
    manifest, faults = read_manifest(text, path="METHODS.toml")
    assert faults == ()
    assert manifest is not None
    assert manifest.exports == {"docks.deep": ("load",)}
    assert manifest.identities == ("github.com/acme/lib", "github.com/acme/lib/quays")


@pytest.mark.parametrize(
    ("version", "constraint", "expected"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.2.3", "==1.2.4", False),
        ("1.2.3", "!=1.2.4", True),
        ("1.2.3", "^1.2", True),
        ("2.0.0", "^1.2", False),
        ("0.3.0", "^0.2.1", False),
        ("0.2.9", "^0.2.1", True),
        ("1.3.0", "~1.2.1", False),
        ("1.2.9", "~1.2.1", True),
        ("1.9.0", "~1", True),
        ("1.2.3", ">=1.0, <2", True),
        ("2.0.0", ">=1.0, <2", False),
        ("1.9.9", ">1.8", True),
        ("1.8.5", ">1.8", False),
        ("1.8.5", "<=1.8", True),
        ("1.8.5", "1.*", True),
        ("2.0.0", "1.*", False),
        ("9.9.9", "*", True),
        ("1.0.0-rc.1", ">=1.0.0", False),
        ("2.0.0-rc.1", "<2.0.0", False),
        ("2.0.0-rc.1", ">=1, <2", False),
        ("2.0.0-rc.1", "<2.0.0-rc.2", True),
        ("1.0.0-rc.2", ">1.0.0-rc.1", True),
        ("1.0.0-rc.10", ">1.0.0-rc.9", True),
        ("2.0.0-alpha", "^1.0", False),
        ("1.2", "*", False),
        ("1.2.3", "latest", False),
        ("1.2.3", "1.2.3.4", False),
        ("1.2.3", "1.x", False),
        ("1.2.3", "01.2.3", False),
    ],
)
def test_version_constraints(version: str, constraint: str, expected: bool) -> None:
    assert satisfies(version, constraint) is expected


def test_a_lock_is_read() -> None:
    text = (
        f'["github.com/acme/quays"]\nversion = "1.0.0"\ndigest = "sha256:{"a" * 64}"\n'
        'source = "https://github.com/acme/quays.git"\n'
    )
    assert read_lock(text, path="methods.lock")["github.com/acme/quays"].digest == f"sha256:{'a' * 64}"
    with pytest.raises(PipelexError) as caught:
        read_lock(text.replace("digest", "hash"), path="methods.lock")
    assert caught.value.code == "method.dependency_invalid"


# --- the method tree --------------------------------------------------------------------------------------------------


def test_what_never_travels_is_left_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.mthds": "x",
            "inputs.json": "{}",
            "deep/inputs.toml": "",
            "deep/tools.py": "",
            ".env": "SECRET",
            ".github/x.yml": "",
            "__pycache__/x.pyc": "",
            "node_modules/x.js": "",
            "env/pyvenv.cfg": "",
            "env/lib.py": "",
            "clone/.git/HEAD": "",
            "clone/b.mthds": "",
            "pkg/METHODS.toml": "",
            "pkg/c.mthds": "",
            ".gitignore": "*.log\n!keep.log\n/build/\ndocs/**/draft?.md\n",
            "x.log": "",
            "keep.log": "",
            "build/out.txt": "",
            "deep/build/out.txt": "",
            "docs/a/b/draft1.md": "",
            "docs/final.md": "",
            "notes/x.tmp": "",
        },
    )
    tree = walk_tree(tmp_path, exclude=("notes",))
    assert list(tree.files) == ["a.mthds", "deep/build/out.txt", "deep/tools.py", "docs/final.md", "keep.log"]
    assert tree.nested == (tmp_path / "pkg",)


def test_the_digest_is_what_sha256sum_prints(tmp_path: Path) -> None:
    write(tmp_path, {"b.mthds": "b", "a/x.py": "a", "Z.txt": "z"})
    listing = subprocess.run(
        ["sha256sum", "Z.txt", "a/x.py", "b.mthds"], cwd=tmp_path, check=True, capture_output=True
    ).stdout
    expected = f"sha256:{hashlib.sha256(listing).hexdigest()}"
    assert walk_tree(tmp_path).digest == expected
    assert MethodTree(None, {"b.mthds": b"b", "a/x.py": b"a", "Z.txt": b"z"}).digest == expected


@pytest.mark.parametrize(
    "files",
    [
        {"../a.mthds": b""},
        {"a//b.mthds": b""},
        {"a:b.mthds": b""},
        {"a\\b.mthds": b""},
        {"a\nb.mthds": b""},
        {"Stra\u00dfe.mthds": b"", "STRASSE.mthds": b""},
        {"a": b"", "a/b.mthds": b""},
        {"e\u0301.mthds": b""},
        {"x" * 300: b""},
    ],
)
def test_paths_that_cannot_travel_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(PipelexError) as caught:
        MethodTree(None, files).check()
    assert caught.value.code == "method.package_invalid"


def test_a_symbolic_link_does_not_travel(tmp_path: Path) -> None:
    write(tmp_path, {"a.mthds": ""})
    (tmp_path / "link.py").symlink_to("/etc/hostname")
    with pytest.raises(PipelexError) as caught:
        walk_tree(tmp_path).check()
    assert "symbolic link" in str(caught.value)
