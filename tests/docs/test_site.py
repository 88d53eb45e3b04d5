"""The site: links lead somewhere, and the pages that are made from the code say what the code does."""

import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from docsite.backends import backends_page
from docsite.commands import commands_page
from docsite.errors import errors_page, write_addresses
from docsite.pages import DOCS, MADE, ROOT, TAKEN, BrokenLink, with_site_links, write_pages
from docsite.providers.examples import EXAMPLES
from docsite.providers.facts import BackendFacts, backends
from docsite.providers.notes import KEY_AT, NOTES, TRIED, VALUES
from docsite.providers.pages import FOLDER, LEFT_OUT, provider_page, provider_pages
from docsite.settings import settings_page
from pipelex.cli.main import PipelexGroup, app
from pipelex.errors import CORE_CODES, ErrorReport
from pipelex.exits import exit_codes_table, exit_codes_text


def linked(text: str, page: str = "how-to/index.md") -> str:
    return with_site_links(text, DOCS / page, page)


def test_every_page_is_written(tmp_path: Path) -> None:
    write_pages(tmp_path / "pages")
    written = {file.relative_to(tmp_path / "pages").as_posix() for file in (tmp_path / "pages").rglob("*.md")}
    assert written == {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")} | {*MADE, *TAKEN.values()}


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    pages = {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")} | {*MADE, *TAKEN.values()}
    assert {page for page in pages if f'"{page}"' not in contents} == set()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("[errors](../reference/errors.md#input.missing)", "[errors](../reference/errors.md#input.missing)"),
        ("[changes](../../CHANGELOG.md)", "[changes](../project/changelog.md)"),
        ("[the port](../../src/pipelex/pipes/runtime.py)", "the port"),
        ("[Temporal](https://temporal.io)", "[Temporal](https://temporal.io)"),
        ("[below](#below)", "[below](#below)"),
        ("```text\n[a](nowhere.md)\n```", "```text\n[a](nowhere.md)\n```"),
    ],
)
def test_links(said: str, shown: str) -> None:
    assert linked(said) == shown


@pytest.mark.parametrize("target", ["nowhere.md", "../../src/nowhere.py", "../reference/nowhere.md"])
def test_broken_links(target: str) -> None:
    with pytest.raises(BrokenLink, match="leads nowhere"):
        linked(f"[a]({target})")


def anchors_of(page: str) -> set[str]:
    """The anchors that a page's headings make."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", without_fences(page), re.MULTILINE):
        if named := re.search(r"\{ #([\w.-]+) \}", heading):
            found.add(named[1])
            continue
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower()))
    return found


def without_fences(page: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1", "", page, flags=re.MULTILINE | re.DOTALL)


def test_anchors_exist(tmp_path: Path) -> None:
    write_pages(tmp_path)
    pages = {file.relative_to(tmp_path).as_posix(): file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.md")}
    dead: list[str] = []
    for place, text in pages.items():
        for target in re.findall(r"(?<!!)\[[^\[\]]*\]\(([^()\s]*#[^()\s]+)\)", without_fences(text)):
            address, _, anchor = target.partition("#")
            there = posixpath.normpath(posixpath.join(posixpath.dirname(place), address)) if address else place
            if "://" not in target and anchor not in anchors_of(pages[there]):
                dead.append(f"{place}: {target}")
    assert dead == []


def test_commands() -> None:
    page = commands_page()
    assert {name for name in PipelexGroup.table if f"### `pipelex {name}`" not in page} == set()
    assert "### `pipelex runs show`" in page
    assert "`--failure" not in page
    assert "pipelex run auto" not in page
    assert "$ pipelex validate" in page


def test_exit_codes_are_told_alike_everywhere() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for text in ((ROOT / "README.md").read_text(encoding="utf-8"), shown):
        assert exit_codes_text() in " ".join(text.split())
    assert exit_codes_table() in commands_page()
    assert "**Exit code:** 2." in errors_page()


def test_settings_are_all_described() -> None:
    page = settings_page()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert "| `default_task_queue` | string | `temporal_task_queue` |" in page
    assert {row for row in rows if row.rstrip(" |").endswith("`") and row.count("|") < 6} == set()


def test_errors() -> None:
    page = errors_page()
    assert {code for code in CORE_CODES if f"### {code} {{ #{code} }}" not in page} == set()


def test_backends() -> None:
    page = backends_page()
    assert "| [Anthropic (`anthropic`)](#anthropic) | `ANTHROPIC_API_KEY` |" in page
    assert "`anthropic`, extra `anthropic`" in page


def test_every_backend_has_a_page() -> None:
    packaged = set(backends())
    assert {f"{FOLDER}/{name}.md" for name in packaged - set(LEFT_OUT)} <= set(provider_pages())
    assert set(LEFT_OUT) <= packaged


def test_every_provider_is_linked() -> None:
    overview = (DOCS / "how-to/providers.md").read_text(encoding="utf-8")
    assert [page for page in provider_pages() if f"(providers/{Path(page).name})" not in overview] == []


def test_every_family_has_an_example() -> None:
    """Models that print files are asked by nobody: they are software in this process."""
    assert {family for each in backends().values() for family in each.families} - set(EXAMPLES) == {"doc_gen"}


@pytest.mark.parametrize("backend", [each for name, each in backends().items() if name not in LEFT_OUT])
def test_a_page_says_what_the_backend_declares(backend: BackendFacts) -> None:
    page = provider_page(backend)
    named = [*(each.name for each in backend.variables), *backend.address_variables, *backend.extras]
    named += [each.name for each in backend.models if not each.is_stand_in]
    assert [name for name in named if name not in page] == []
    assert ("enabled = true" in page) is not backend.is_enabled


def test_notes_are_of_backends_that_exist() -> None:
    assert {*NOTES, *KEY_AT, *TRIED} <= set(backends())
    assert set(VALUES) <= {variable.name for each in backends().values() for variable in each.variables}


def test_the_address_of_an_error_leads_to_its_section(tmp_path: Path) -> None:
    write_addresses(tmp_path)
    page = errors_page()
    for code in CORE_CODES:
        assert f"{{ #{code} }}" in page
        address = ErrorReport(code, "it failed").to_problem()["type"]
        path = urlsplit(str(address)).path.removeprefix("/")
        assert f'reference/errors/#{code}"' in (tmp_path / path / "index.html").read_text(encoding="utf-8")
