"""The limits of the files in a prompt, once for each family of providers."""

from dataclasses import dataclass
from typing import Final

MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Takes:
    """The files that a provider takes in a prompt. PDFs go to models whose entry says so; other documents go as text."""

    image_types: tuple[str, ...] = ("image/png", "image/jpeg")
    """The types of images that are sent unchanged; others become PNG, or JPEG where that is much smaller."""
    image_side: int = 4096
    """The longest side of an image, in pixels; larger ones are scaled."""
    image_bytes: int = 15 * MB
    """The maximum size of an image, in bytes."""
    pdf_bytes: int = 20 * 1024 * 1024
    """The maximum size of a PDF, in bytes."""


COMMON: Final = Takes()
"""What any client takes: PNG and JPEG."""

OPENAI: Final = Takes(image_types=("image/png", "image/jpeg", "image/webp", "image/gif"))
"""OpenAI, Azure OpenAI, OpenRouter: https://platform.openai.com/docs/guides/images-vision."""

ANTHROPIC: Final = Takes(OPENAI.image_types, image_side=2000, image_bytes=3_700_000)
"""Claude: 5 MB in base64, and 2000 pixels where a prompt has more than 20 images. Beyond 1568 it scales them itself."""

GOOGLE: Final = Takes(("image/png", "image/jpeg", "image/webp"), image_bytes=10 * MB)
"""Gemini: 20 MB for a request with everything in it."""

MISTRAL: Final = Takes(OPENAI.image_types, image_bytes=7 * MB)
"""Mistral: 10 MB in base64."""

GROQ: Final = Takes(image_bytes=2_900_000)
"""Groq: 4 MB in base64, and 33 megapixels."""

BEDROCK: Final = Takes(OPENAI.image_types, image_side=2000, image_bytes=3_700_000, pdf_bytes=4_500_000)
"""Bedrock's Converse: 3.75 MB and 8000 pixels, and Claude's own limits."""
