import base64
import re
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from pipelex.errors import PipelexError
from pipelex.runner import Pipelex, RunResult
from tests.inference.http_stub import Answer, Asked, HTTPStub
from tests.support.pictures import flipped, noise, saved, turned
from tests.support.project import Project
from tests.support.untyped import untyped

METHOD = """
domain = "quay"
main_pipe = "draw"

[pipe.draw]
type = "PipeImgGen"
description = "Draw"
inputs = { subject = "Text", photo = "Image?" }
output = "OUTPUT"
prompt = "Draw $subject{% if photo %} {{ photo }}{% endif %}"
"""


def picture(kind: str = "PNG", color: str = "red") -> str:
    buffer = BytesIO()
    Image.new("RGB", (64, 32), color).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


async def draw(project: Project, keys: str, output: str = "Image", **inputs: Any) -> tuple[RunResult, Pipelex]:
    app = project.app("direct")
    method = app.load(project.method(METHOD.replace("OUTPUT", output) + keys))
    return await method.run({"subject": "a quay", **inputs}), app


def openai(*pictures: str) -> Answer:
    details = {"text_tokens": 10, "image_tokens": 0}
    usage = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110, "input_tokens_details": details}
    return Answer({"created": 1, "data": [{"b64_json": one} for one in pictures], "usage": usage})


@pytest.mark.slow
async def test_an_image_of_openai_is_stored_and_referenced(served: Project, service: HTTPStub):
    service.on("/images/generations", openai(picture()))
    keys = 'model = "free-painter"\nnegative_prompt = "no ships"\naspect_ratio = "landscape_16_9"\nsize = "2k"\n'
    result, app = await draw(served, keys + 'background = "transparent"\n')
    content = untyped(result.content)
    assert content["url"].startswith("pipelex-storage://")
    assert (content["width"], content["height"], content["mime_type"]) == (64, 32, "image/png")
    assert (content["source_prompt"], content["source_negative_prompt"]) == ("Draw a quay", "no ships")
    assert await app.inference.storage.get(content["url"]) == base64.b64decode(picture())
    (asked,) = service.asked
    assert asked.headers["authorization"].startswith("Bearer sk-")
    assert asked.body["model"] == "gpt-image-2"
    assert asked.body["prompt"].endswith("The image must not show: no ships")
    width, _, height = asked.body["size"].partition("x")
    assert 1.7 < int(width) / int(height) < 1.85
    assert int(width) > 2000
    assert (asked.body["quality"], asked.body["background"], asked.body["output_format"]) == (
        "low",
        "transparent",
        "png",
    )
    assert result.usage[0].cost_usd == pytest.approx((10 * 1 + 100 * 10) / 1e6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "size"),
    [
        ('aspect_ratio = "landscape_16_9"\n', "1536x1024"),
        ('aspect_ratio = "portrait_3_4"\n', "1024x1536"),
        ("", "1024x1024"),
        ('size = "1536x1024"\n', "1536x1024"),
        ("size = { width = 640, height = 480 }\n", "640x480"),
    ],
)
async def test_an_older_model_draws_the_nearest_of_its_shapes(served: Project, service: HTTPStub, keys: str, size: str):
    service.on("/images/generations", openai(picture()))
    await draw(served, f'model = "painter"\n{keys}')
    assert service.asked[0].body["size"] == size


async def test_several_images_come_in_one_request(served: Project, service: HTTPStub):
    service.on("/images/generations", openai(picture(), picture(color="blue")))
    result, _ = await draw(served, 'model = "painter"\n', "Image[2]")
    assert len({image["url"] for image in untyped(result.main_stuff.items)}) == 2
    assert service.asked[0].body["n"] == 2


@pytest.mark.slow
async def test_a_reference_image_goes_along(served: Project, service: HTTPStub):
    service.on("/images/edits", openai(picture()))
    photo = {"url": f"data:image/png;base64,{picture()}"}
    await draw(served, 'model = "painter"\n', photo=photo)
    (asked,) = service.asked
    assert base64.b64decode(picture()) in asked.raw
    assert b"[Image 1]" in asked.raw


DRAWS = {
    "painter": ("/images/edits", openai(picture())),
    "grok-imagine-image": ("/images/edits", Answer({"data": [{"b64_json": picture()}]})),
    "gemini-3.1-flash-image": (
        "/v1beta/models/gemini-3.1-flash-image:generateContent",
        Answer(
            {
                "candidates": [
                    {
                        "content": {
                            "role": "model",
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": picture()}}],
                        }
                    }
                ],
                "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 50, "totalTokenCount": 55},
            }
        ),
    ),
    "flux-editor": ("/flux-editor", Answer({"images": [{"url": f"data:image/png;base64,{picture()}"}]})),
}
"""Model that takes reference images → the path of its requests and its answer."""
FAL_EDITOR = """
[flux-editor]
inputs = ["text", "images"]
rules = { input_images = "many" }
model_type = "img_gen"
sdk = "fal"
outputs = ["image"]
"""


async def draw_from(served: Project, service: HTTPStub, model: str, photo: bytes, mime_type: str = "") -> RunResult:
    """Draw with a reference image."""
    (served.root / ".pipelex/inference/backends/fal.toml").write_text(FAL_EDITOR, encoding="utf-8")
    service.on(*DRAWS[model])
    url = f"data:{mime_type};base64,{base64.b64encode(photo).decode()}"
    return (await draw(served, f'model = "{model}"\n', photo={"url": url}))[0]


def images_sent(asked: Asked) -> list[bytes]:
    """The images in a request, which has them in its JSON or as parts of a form."""
    if asked.raw.startswith(b"--"):
        heads = [part.partition(b"\r\n\r\n") for part in asked.raw.split(asked.raw.partition(b"\r\n")[0])]
        return [body.removesuffix(b"\r\n") for head, _, body in heads if b"filename=" in head]
    urls = re.findall(r'(?:base64,|"data": ?")([A-Za-z0-9+/_-]{60,}=*)', asked.raw.decode())
    return [base64.b64decode(one.translate(str.maketrans("-_", "+/"))) for one in urls]


@pytest.mark.parametrize("model", DRAWS)
@pytest.mark.parametrize(
    ("photo", "code"),
    [
        (saved(noise(), "PNG")[:-40], "input.file_unreadable"),
        (flipped(saved(noise(), "PNG")), "input.file_unreadable"),
        (saved(noise(), "JPEG")[:-900], "input.file_unreadable"),
        (saved(noise(), "WEBP")[:-900], "input.file_unreadable"),
        (saved(noise(), "TIFF")[:900], "input.file_unreadable"),
        (b"no image at all", "input.file_type_unsupported"),
        (b"%PDF-1.7 no image", "input.file_type_unsupported"),
    ],
    ids=["cut-png", "damaged-png", "cut-jpeg", "cut-webp", "cut-tiff", "text", "pdf"],
)
async def test_a_broken_reference_image_is_never_paid_for(
    served: Project, service: HTTPStub, model: str, photo: bytes, code: str
):
    with pytest.raises(PipelexError) as caught:
        await draw_from(served, service, model, photo)
    assert caught.value.code == code
    assert service.asked == []


@pytest.mark.parametrize("model", DRAWS)
@pytest.mark.parametrize(
    ("photo", "mime_type"),
    [
        (saved(noise(), "TIFF"), "image/tiff"),
        (saved(noise(), "BMP"), "image/bmp"),
        (saved(noise().convert("CMYK"), "JPEG"), "image/jpeg"),
        (turned(), "image/jpeg"),
    ],
    ids=["tiff", "bmp", "print-colours", "turned"],
)
async def test_a_reference_image_is_sent_in_a_form_that_every_model_takes(
    served: Project, service: HTTPStub, model: str, photo: bytes, mime_type: str
):
    await draw_from(served, service, model, photo, mime_type)
    (sent,) = images_sent(service.asked[0])
    with Image.open(BytesIO(sent)) as image:
        assert (image.format, image.mode, image.getexif().get(0x0112, 1)) == ("PNG", "RGB", 1)
        assert image.width > image.height


async def test_a_plain_reference_image_is_sent_unchanged(served: Project, service: HTTPStub):
    photo = saved(noise(), "JPEG")
    await draw_from(served, service, "flux-editor", photo)
    assert images_sent(service.asked[0]) == [photo]


async def test_a_tiff_of_several_pages_is_one_reference_image(
    served: Project, service: HTTPStub, caplog: pytest.LogCaptureFixture
):
    pages = saved(noise(), "TIFF", save_all=True, append_images=[Image.new("RGB", (64, 32))])
    await draw_from(served, service, "grok-imagine-image", pages)
    assert len(images_sent(service.asked[0])) == 1
    assert "has 2 pages; only the first is sent" in caplog.text


async def test_a_model_without_reference_images_refuses_them(served: Project):
    with pytest.raises(PipelexError) as caught:
        await draw(served, 'model = "blind-painter"\n', photo={"url": f"data:image/png;base64,{picture()}"})
    assert caught.value.code == "model.capability_unsupported"


@pytest.mark.slow
async def test_fal_gets_its_arguments(served: Project, service: HTTPStub):
    image = {"url": f"data:image/jpeg;base64,{picture('JPEG')}", "width": 64, "height": 32}
    service.on("/fal-ai/flux/dev", Answer({"images": [image, image], "has_nsfw_concepts": [False, False]}))
    keys = 'model = { model = "flux-dev", quality = "high", guidance_scale = 4.0, is_moderated = false }\n'
    result, _ = await draw(
        served, keys + 'seed = 7\naspect_ratio = "portrait_9_16"\noutput_format = "png"\n', "Image[2]"
    )
    assert [one["mime_type"] for one in untyped(result.main_stuff.items)] == ["image/jpeg", "image/jpeg"]
    (asked,) = service.asked
    assert asked.headers["authorization"].startswith("Key sk-")
    body = asked.body
    size = body.pop("image_size")
    assert size["width"] < size["height"]
    assert body["prompt"].strip() == "Draw a quay"
    del body["prompt"]
    assert body == {
        "sync_mode": True,
        "num_images": 2,
        "seed": 7,
        "output_format": "png",
        "num_inference_steps": 56,
        "guidance_scale": 4.0,
        "enable_safety_checker": False,
    }


@pytest.mark.slow
async def test_rules_of_the_backend_file_change_what_is_sent(served: Project, service: HTTPStub):
    image = {"url": f"data:image/jpeg;base64,{picture('JPEG')}"}
    service.on("/fal-ai/flux-pro/v1.1", Answer({"images": [image]}))
    await draw(served, 'model = { model = "flux-pro", safety_tolerance = 2 }\n')
    body = service.asked[0].body
    assert body["safety_tolerance"] == "2"
    assert not {"num_inference_steps", "guidance_scale", "enable_safety_checker"} & set(body)


async def asked_with(served: Project, service: HTTPStub, model: str, **defaults: Any) -> dict[str, Any]:
    """What a model is asked with other defaults for images."""
    image = {"url": f"data:image/jpeg;base64,{picture('JPEG')}"}
    service.on("/images/generations", openai(picture()))
    for path in ("/fal-ai/flux/dev", "/fal-ai/flux-pro/v1.1", "/fal-ai/raw"):
        service.on(path, Answer({"images": [image]}))
    overrides = {"inference.img_gen.img_gen_param_defaults": defaults}
    async with served.app("direct", overrides=overrides) as app:
        method = app.load(served.method(METHOD.replace("OUTPUT", "Image") + f'model = "{model}"\n'))
        await method.run({"subject": "a quay"})
    return service.asked[-1].body


FAL = """
[defaults]
model_type = "img_gen"
sdk        = "fal"
outputs    = ["image"]
[raw-painter]
model_id = "fal-ai/raw"
rules = { specific = "raw" }
[flux-dev]
model_id = "fal-ai/flux/dev"
[flux-pro]
model_id = "fal-ai/flux-pro/v1.1"
rules = { inference = "none", safety_checker = "tolerance" }
"""


@pytest.mark.matrix(fast=10)
@pytest.mark.parametrize(
    ("key", "value", "model", "argument", "sent"),
    [
        ("aspect_ratio", "landscape_2_1", "free-painter", "size", "1456x720"),
        ("background", "transparent", "free-painter", "background", "transparent"),
        ("output_format", "webp", "free-painter", "output_format", "webp"),
        ("is_moderated", False, "free-painter", "moderation", "low"),
        ("quality", "high", "flux-dev", "num_inference_steps", 56),
        ("nb_steps", 9, "raw-painter", "num_inference_steps", 9),
        ("guidance_scale", 4.5, "flux-dev", "guidance_scale", 4.5),
        ("seed", 12, "flux-dev", "seed", 12),
        ("safety_tolerance", 2, "flux-pro", "safety_tolerance", "2"),
        ("is_raw", True, "raw-painter", "raw", True),
    ],
)
async def test_defaults_of_images_are_settings(
    served: Project, service: HTTPStub, key: str, value: Any, model: str, argument: str, sent: Any
):
    (served.root / ".pipelex" / "inference" / "backends" / "fal.toml").write_text(FAL, encoding="utf-8")
    usual = await asked_with(served, service, model)
    changed = await asked_with(served, service, model, **{key: value})
    assert usual.get(argument) != sent
    assert changed[argument] == sent


@pytest.mark.slow
async def test_steps_of_qualities_are_settings(served: Project, service: HTTPStub):
    image = {"url": f"data:image/jpeg;base64,{picture('JPEG')}"}
    service.on("/fal-ai/flux/dev", Answer({"images": [image]}))
    overrides = {"inference.img_gen.quality_to_steps_maps.flux.low": 3}
    async with served.app("direct", overrides=overrides) as app:
        await app.load(served.method(METHOD.replace("OUTPUT", "Image") + 'model = "flux-dev"\n')).run(
            {"subject": "a quay"}
        )
    assert service.asked[-1].body["num_inference_steps"] == 3


@pytest.mark.slow
async def test_a_blanked_image_is_a_refusal(served: Project, service: HTTPStub):
    image = {"url": f"data:image/jpeg;base64,{picture('JPEG', 'black')}"}
    service.on("/fal-ai/flux/dev", Answer({"images": [image], "has_nsfw_concepts": [True]}))
    with pytest.raises(PipelexError) as caught:
        await draw(served, 'model = "flux-dev"\n')
    assert caught.value.code == "model.content_refused"


@pytest.mark.slow
async def test_xai_gets_a_ratio(served: Project, service: HTTPStub):
    service.on("/images/generations", Answer({"data": [{"b64_json": picture("JPEG")}]}))
    result, _ = await draw(served, 'model = "grok-imagine-image"\naspect_ratio = "landscape_21_9"\nsize = "2k"\n')
    body = service.asked[0].body
    assert (body["aspect_ratio"], body["resolution"], body["n"]) == ("2:1", "2k", 1)
    assert untyped(result.content)["mime_type"] == "image/jpeg"


@pytest.mark.slow
async def test_google_draws_one_at_a_time(served: Project, service: HTTPStub):
    part = {"inlineData": {"mimeType": "image/png", "data": picture()}}
    answer = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 50, "totalTokenCount": 55},
    }
    service.on("/v1beta/models/gemini-3.1-flash-image:generateContent", Answer(answer))
    result, _ = await draw(served, 'model = "gemini-3.1-flash-image"\naspect_ratio = "landscape_4_3"\n', "Image[2]")
    assert len(result.main_stuff.items) == len(service.asked) == 2
    assert service.asked[0].body["generationConfig"]["imageConfig"]["aspectRatio"] == "4:3"
    assert (result.usage[0].calls, result.usage[0].output_tokens) == (2, 100)


@pytest.mark.matrix(fast=12)
@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("painter", "/images/generations"),
        ("grok-imagine-image", "/images/generations"),
        ("flux-dev", "/fal-ai/flux/dev"),
        ("gemini-3.1-flash-image", "/v1beta/models/gemini-3.1-flash-image:generateContent"),
    ],
)
@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [(401, "provider.credential_refused", 1), (429, "provider.rate_limited", 2), (500, "provider.failed", 2)],
)
async def test_failures_are_classified_and_counted(
    served: Project, service: HTTPStub, model: str, path: str, status: int, code: str, requests: int
):
    service.on(path, Answer({"error": {"message": "no sk-very-secret-0123456789"}}, status, {"retry-after": "0"}))
    with pytest.raises(PipelexError) as caught:
        await draw(served, f'model = "{model}"\n')
    assert caught.value.code == code
    assert len(service.asked) == requests
    assert "very-secret" not in str(caught.value.report)


async def test_each_request_of_an_image_call_has_a_key_of_its_own(served: Project, service: HTTPStub):
    service.on("/images/generations", openai(*[picture()] * 10), openai(picture()))
    await draw(served, 'model = "free-painter"\n', output="Image[11]")
    first, second = (asked.headers.get("idempotency-key") for asked in service.asked)
    assert first is not None
    assert second is not None
    assert first != second
