"""Another distribution adds a provider of any family by an entry point, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.inference import Inference, ModelDeck, performers, providers
from pipelex.inference.families import FAMILIES
from pipelex.language.blueprints import ModelFamily
from pipelex.pipes.effects.jobs import DocumentJob, ExtractJob, ImageJob, JudgeJob, LLMTextJob, SearchJob
from pipelex.pipes.effects.requests import (
    DocumentRequest,
    ExtractRequest,
    ImageRequest,
    JudgeQuestionRequest,
    JudgeRequest,
    LLMPrompt,
    SearchRequest,
)
from pipelex.pipes.models import ModelChoice, ResolvedModel
from tests.support.inference_files import write

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-pipelex"
version = "1.0"

[project.entry-points."pipelex.providers"]
"llm.acme" = "acme_pipelex.chat:AcmeChat"
"search.acme" = "acme_pipelex.rest:AcmeSearch"
"img_gen.acme" = "acme_pipelex.rest:AcmeImages"
"extract.acme" = "acme_pipelex.rest:AcmeReader"
"doc_gen.acme" = "acme_pipelex.rest:AcmePrinter"
"judgment.acme" = "acme_pipelex.rest:AcmeJudge"
"search.linkup" = "acme_pipelex.rest:AcmeSearch"
"nothing.acme" = "acme_pipelex.rest:AcmeSearch"

[tool.hatch.build.targets.wheel]
packages = ["acme_pipelex"]
"""

CHAT = """
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from pipelex.inference.chat.library import LibraryProvider


class AcmeChat(LibraryProvider):
    def library_model(self, call):
        return FunctionModel(lambda messages, info: ModelResponse(parts=[TextPart(f"{call.entry.model_id} speaks")]))
"""

REST = """
from base64 import b64decode

from pipelex.inference.extract import ExtractedPage
from pipelex.inference.images import DrawnImages
from pipelex.inference.search import SourcedAnswer
from pipelex.pipes.effects.jobs import ContentListResult
from pipelex.pipes.models import ModelUsage

PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Acme:
    def __init__(self, call):
        self.call = call

    def usage(self):
        return ModelUsage(handle=self.call.entry.handle, backend=self.call.backend.id, cost_usd=0.25)


class AcmeSearch(Acme):
    async def search(self, wanted):
        return SourcedAnswer(f"{wanted.request.query}: found by {self.call.entry.model_id}")


class AcmeImages(Acme):
    async def draw(self, wanted, fetch):
        return DrawnImages([(PIXEL, "image/png")] * wanted.count, self.usage())


class AcmeReader(Acme):
    reads_by_address = False

    async def extract(self, source, wanted, keeper):
        return [ExtractedPage(f"read: {source.data.decode()}")]


class AcmePrinter(Acme):
    async def print(self, ask, pictures):
        return f"printed {ask.request.html}".encode()


class AcmeJudge(Acme):
    async def judge(self, request):
        return ContentListResult(contents=tuple({"yes_no": True} for _ in request.questions), usage=self.usage())
"""

MODELS = """
[defaults]
sdk = "acme"
[acme-chat]
[acme-search]
model_type = "search"
outputs = ["sourced-answers"]
[acme-draw]
model_type = "img_gen"
outputs = ["image"]
[acme-read]
model_type = "text_extractor"
inputs = ["txt"]
outputs = ["pages"]
[acme-print]
model_type = "doc_gen"
inputs = ["html"]
outputs = ["pdf"]
[acme-judge]
model_type = "judgment"
outputs = ["judgments"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder the distribution is installed to, as a user's package manager does it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "acme_pipelex").mkdir()
    (source / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    for name, text in {"__init__": "", "chat": CHAT, "rest": REST}.items():
        (source / "acme_pipelex" / f"{name}.py").write_text(dedent(text), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, timeout=100)
    return target


@pytest.fixture
def acme(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [str(installed), *sys.path])
    providers.forget_added()
    yield
    providers.forget_added()
    for name in [name for name in sys.modules if name.startswith("acme_pipelex")]:
        del sys.modules[name]


@pytest.fixture
def inference(acme: None, tmp_path: Path) -> Inference:
    folder = write(
        tmp_path / "inference",
        backends='[acme]\napi_key = "k"\n',
        backends__acme=MODELS,
        routing_profiles='active = "a"\n[profiles.a]\ndescription = "a"\ndefault = "acme"\n',
    )
    return Inference(ModelDeck.load([folder], {}))


def model(name: str) -> ResolvedModel:
    return ResolvedModel(handle=name, backend="acme")


JOBS: dict[str, tuple[str, Any, str]] = {
    "llm": (
        "act_llm_gen_text",
        LLMTextJob(model=model("acme-chat"), prompt=LLMPrompt(user="?")),
        "acme-chat speaks",
    ),
    "search": (
        "act_search_gen_sourced_answer",
        SearchJob(model=model("acme-search"), request=SearchRequest(query="boats")),
        "boats: found by acme-search",
    ),
    "img_gen": (
        "act_img_gen_images",
        ImageJob(model=model("acme-draw"), request=ImageRequest(prompt="a boat", count=2)),
        "image-2.png",
    ),
    "extract": (
        "act_extract_gen_extract_pages",
        ExtractJob(
            model=model("acme-read"),
            request=ExtractRequest(source={"url": "data:text/plain,a%20boat"}, source_kind="document"),
        ),
        "read: a boat",
    ),
    "doc_gen": (
        "act_doc_gen",
        DocumentJob(
            model=model("acme-print"),
            request=DocumentRequest(format="pdf", filename="boat", source="html", html="<p>boat</p>"),
        ),
        "boat.pdf",
    ),
    "judgment": (
        "act_judge_gen",
        JudgeJob(
            model=model("acme-judge"),
            request=JudgeRequest(
                evidence=LLMPrompt(user="a boat"), questions=(JudgeQuestionRequest(question="Does it float?"),)
            ),
        ),
        "'yes_no': True",
    ),
}


def test_every_family_can_be_added_to():
    assert set(JOBS) == set(FAMILIES)


@pytest.mark.parametrize("family", JOBS)
async def test_an_added_provider_performs(inference: Inference, family: str):
    activity, job, told = JOBS[family]
    result = await performers(inference)[activity](job)
    assert told in str(result)
    await inference.aclose()


@pytest.mark.usefixtures("acme")
def test_the_deck_knows_an_added_provider_without_importing_it(inference: Inference):
    names: dict[ModelFamily, str] = {"llm": "acme-chat", "search": "acme-search", "judgment": "acme-judge"}
    for family, name in names.items():
        choice = ModelChoice(family=family, choice=name)
        assert inference.deck.check(choice) == []
        assert inference.resolve(choice).handle == name
    assert not [name for name in sys.modules if name.startswith("acme_pipelex")]


@pytest.mark.usefixtures("acme")
def test_a_provider_of_this_package_is_not_replaced():
    found = providers.find("search", "linkup")
    assert found is not None
    assert found.factory.startswith("pipelex.")
    assert "acme" in providers.sdks("search")


async def test_without_the_distribution_its_sdk_is_unknown(tmp_path: Path):
    folder = write(tmp_path / "inference", backends='[acme]\napi_key = "k"\n', backends__acme=MODELS)
    inference = Inference(ModelDeck.load([folder], {}))
    for activity, job, _ in JOBS.values():
        with pytest.raises(PipelexError) as caught:
            await performers(inference)[activity](job)
        assert caught.value.code in ("runtime.unsupported", "model.unavailable")
