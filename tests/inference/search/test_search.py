from typing import Any

import pytest

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.runner import RunResult
from tests.inference.http_stub import Answer, HTTPStub
from tests.support.project import Project

METHOD = """
domain = "quay"
main_pipe = "find"

[pipe.find]
type = "PipeSearch"
description = "Find"
inputs = { topic = "Text" }
output = "SearchResult"
prompt = "Berths of $topic"
"""

LINKUP = {
    "answer": "There are nine.",
    "sources": [
        {"name": "Harbour", "url": "https://a.test/x", "snippet": "nine berths", "favicon": "https://a.test/i"},
        {"name": "Odd", "url": "javascript:alert(1)", "snippet": ""},
    ],
}
TAVILY = {
    "query": "q",
    "answer": "There are ten.",
    "results": [{"title": "Port", "url": "https://b.test/y", "content": "ten berths", "score": 0.9}],
    "images": [{"url": "https://b.test/p.png", "description": "a quay"}, "https://b.test/q.png"],
}


async def find(project: Project, keys: str = "") -> RunResult:
    method = project.app("direct").load(project.method(METHOD + keys))
    return await method.run({"topic": "Ostend"})


@pytest.mark.slow
async def test_linkup_answers_with_sources(served: Project, service: HTTPStub):
    service.on("/search", Answer(LINKUP))
    keys = 'model = "linkup-deep"\nmax_results = 4\nfrom_date = "2026-01-02"\ninclude_domains = ["a.test"]\n'
    result = await find(served, keys)
    assert result.content == {
        "answer": "There are nine.",
        "sources": [{"url": "https://a.test/x", "title": "Harbour", "snippet": "nine berths"}],
    }
    (asked,) = service.asked
    assert asked.headers["authorization"].startswith("Bearer sk-")
    assert asked.body == {
        "q": "Berths of Ostend",
        "depth": "deep",
        "outputType": "sourcedAnswer",
        "includeImages": False,
        "includeInlineCitations": True,
        "maxResults": 4,
        "fromDate": "2026-01-02",
        "includeDomains": ["a.test"],
    }
    (usage,) = result.usage
    assert (usage.handle, usage.calls, usage.cost_usd) == ("linkup-deep", 1, 0.055)


async def test_tavily_answers_with_sources_and_images(served: Project, service: HTTPStub):
    service.on("/search", Answer(TAVILY))
    keys = 'model = "tavily-advanced"\ninclude_images = true\nmax_results = 99\nto_date = "2026-02-03"\n'
    keys += 'exclude_domains = ["x.test"]\n'
    result = await find(served, keys)
    assert result.content == {
        "answer": "There are ten.",
        "sources": [
            {"url": "https://b.test/y", "title": "Port", "snippet": "ten berths"},
            {"url": "https://b.test/p.png", "title": "a quay"},
            {"url": "https://b.test/q.png"},
        ],
    }
    assert service.asked[0].body == {
        "query": "Berths of Ostend",
        "search_depth": "advanced",
        "include_answer": "advanced",
        "include_images": True,
        "include_image_descriptions": True,
        "max_results": 20,
        "end_date": "2026-02-03",
        "exclude_domains": ["x.test"],
    }


async def test_settings_of_a_preset_are_used(served: Project, service: HTTPStub):
    service.on("/search", Answer(LINKUP))
    await find(served, 'model = { model = "linkup-standard", max_results = 2, include_inline_citations = false }\n')
    assert service.asked[0].body["maxResults"] == 2
    assert service.asked[0].body["includeInlineCitations"] is False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "code", "category", "requests"),
    [
        (Answer({"error": {"message": "no"}}, 401), "provider.credential_refused", ErrorCategory.CONFIGURATION, 1),
        (Answer({}, 429, {"retry-after": "0"}), "provider.rate_limited", ErrorCategory.TRANSIENT, 2),
        (Answer({}, 500), "provider.failed", ErrorCategory.TRANSIENT, 2),
        (Answer(b"<html>"), "provider.response_invalid", ErrorCategory.TRANSIENT, 2),
        (Answer({"sources": []}), "provider.response_invalid", ErrorCategory.TRANSIENT, 2),
        (Answer({"answer": " ", "sources": []}), "model.no_result", ErrorCategory.CONTENT, 1),
    ],
)
async def test_failures_are_classified_and_keep_the_key(
    served: Project, service: HTTPStub, answer: Answer, code: str, category: Any, requests: int
):
    service.on("/search", answer)
    with pytest.raises(PipelexError) as caught:
        await find(served, 'model = "linkup-standard"\n')
    assert (caught.value.code, caught.value.report.category) == (code, category)
    assert len(service.asked) == requests
    assert "very-secret" not in str(caught.value.report)


async def test_a_provider_without_its_key_is_named(project: Project):
    inference = project.root / ".pipelex" / "inference"
    with (inference / "backends.toml").open("a", encoding="utf-8") as backends:
        backends.write('[linkup]\napi_key = "${LINKUP_API_KEY}"\n')
    (inference / "routing_profiles.toml").write_text(
        'active = "a"\n[profiles.a]\ndescription = "a"\ndefault = "linkup"\n', encoding="utf-8"
    )
    with pytest.raises(PipelexError) as caught:
        await find(project, 'model = "linkup-deep"\n')
    assert caught.value.code == "model.unavailable"
    assert caught.value.report.params["reason"] == "credentials_missing"
    assert "LINKUP_API_KEY" in caught.value.report.detail
