"""PipeExtract, PipeImgGen, PipeSearch and PipeDocGen: documents, images and searches (sections 6.3 to 6.5 and 6.9)."""

from pipelex.content.structure import shape_to_json
from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.errors.json import Json, as_object
from pipelex.language.blueprints import (
    ImageSize,
    PipeDocGenBlueprint,
    PipeExtractBlueprint,
    PipeImgGenBlueprint,
    PipeSearchBlueprint,
)
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.effects.kinds import DOCUMENT, IMAGES, PAGE_VIEWS, PAGES, SEARCH
from pipelex.pipes.effects.layout import laid_out
from pipelex.pipes.effects.requests import DocumentRequest, ExtractRequest, ImageRequest, SearchRequest, ViewsRequest
from pipelex.pipes.semantics._fields import checked_output
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.semantics._templates import Attachments, render_text
from pipelex.templating import Style


async def run_extract(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeExtractBlueprint)
    source = run.single_input()
    options = blueprint.model_dump(
        include={
            "max_page_images",
            "page_image_captions",
            "render_js",
            "include_raw_html",
        },
        exclude_none=True,
    )
    request = ExtractRequest(
        source=dict(as_object(source.content)),
        source_kind="image" if run.library.native_base(source.concept) == "Image" else "document",
        **options,
    )
    # Views are made separately from the text, so that another worker can make them. They are made first, because they
    # cost nothing and a document that cannot be rendered is refused before a provider charges for reading it.
    views: tuple[Json, ...] = ()
    if blueprint.page_views:
        asked = ViewsRequest.sparse(source=as_object(source.content), dpi=blueprint.page_views_dpi)
        views = (await run.ask(PAGE_VIEWS, asked)).contents
    pages = (await run.ask(PAGES, request, blueprint.model)).contents
    shown: list[Json] = [{**as_object(page), "page_view": view} for page, view in zip(pages, views, strict=False)]
    concept = run.output.concept
    value = Stuff.of_list(concept, [checked_output(run, concept, page) for page in (*shown, *pages[len(shown) :])])
    return PipeOutcome.of(value), run.memory.with_result(None, value)


async def run_img_gen(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeImgGenBlueprint)
    attachments = Attachments()
    prompt = await render_text(run, blueprint.prompt, category="img_gen_prompt", attachments=attachments)
    if not prompt.text.strip():
        raise run.failure(
            "pipe.prompt_empty", f"the prompt of pipe '{run.pipe.code}' came out empty", part="image_prompt"
        )
    negative: str | None = None
    if blueprint.negative_prompt is not None:
        negative = (
            await render_text(run, blueprint.negative_prompt, category="img_gen_prompt", attachments=attachments)
        ).text
    options: dict[str, Json] = blueprint.model_dump(
        include={"aspect_ratio", "is_raw", "seed", "background", "output_format"}, exclude_none=True
    )
    if blueprint.size is not None:
        size = blueprint.size
        options["size"] = f"{size.width}x{size.height}" if isinstance(size, ImageSize) else size
    slot = run.output
    request = ImageRequest.sparse(
        prompt=prompt.text,
        count=slot.count,
        options=options,
        negative_prompt=negative or None,
        reference_images=prompt.images,
    )
    images = (await run.ask(IMAGES, request, blueprint.model)).contents
    contents = [checked_output(run, slot.concept, image) for image in images]
    if not contents:
        raise run.failure("model.no_result", f"pipe '{run.pipe.code}': the model gave no image", model="")
    value = Stuff.of_list(slot.concept, contents) if slot.is_list else Stuff(slot.concept, contents[0])
    return PipeOutcome.of(value), run.memory.with_result(None, value)


async def run_search(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeSearchBlueprint)
    query = (await render_text(run, blueprint.prompt, category="basic")).text.strip()
    if not query:
        raise run.failure("pipe.prompt_empty", f"the query of pipe '{run.pipe.code}' came out empty", part="user_text")
    options = blueprint.model_dump(
        include={"include_images", "max_results", "from_date", "to_date", "include_domains", "exclude_domains"},
        exclude_none=True,
    )
    found = await run.ask(SEARCH, SearchRequest(query=query, **options), blueprint.model)
    concept = run.output.concept
    value = Stuff(concept, checked_output(run, concept, found.content))
    return PipeOutcome.of(value), run.memory.with_result(None, value)


async def run_doc_gen(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeDocGenBlueprint)
    filename = run.pipe.code
    if blueprint.filename is not None:
        filename = (
            await render_text(run, blueprint.filename, category="basic", style=Style())
        ).text.strip() or filename
    inputs = {name: value for name in run.pipe.inputs if (value := run.memory.get(name)) is not None}
    if blueprint.template is not None:
        html = (await render_text(run, blueprint.template, category="html", is_strict=True)).text
        request = DocumentRequest(format=blueprint.format, filename=filename, source="html", html=html)
    elif blueprint.template_file is not None:
        concepts = dict.fromkeys(value.concept for value in inputs.values())
        request = DocumentRequest.sparse(
            format=blueprint.format,
            filename=filename,
            source="template_file",
            file=run.file,
            inputs=inputs,
            shapes={concept: shape_to_json(run.library.shape(concept)) for concept in concepts},
        )
    else:
        blocks = [block for name, value in inputs.items() for block in laid_out(run.library, name, value)]
        request = DocumentRequest(format=blueprint.format, filename=filename, source="layout", blocks=tuple(blocks))
    document = await run.ask(DOCUMENT, request, blueprint.model, document=f"{request.format}.{request.source}")
    concept = run.output.concept
    value = Stuff(concept, checked_output(run, concept, document.content))
    return PipeOutcome.of(value), run.memory.with_result(None, value)
