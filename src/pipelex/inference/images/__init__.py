"""Images from prompts: OpenAI and Google through pydantic-ai, xAI and fal over HTTP. Every image is stored at once.

Source: section 6.4 of the language reference. An option that a provider has no argument for is left out with a warning
in the log. A shape is not left out: a model that draws only a few shapes is asked for the nearest. The `rules` of a
backend file change which arguments are sent; see `ImageArguments`.
"""

from pipelex.inference.images.ask import ImageAsk
from pipelex.inference.images.options import ImageArguments, ImageOptions
from pipelex.inference.images.provider import DrawnImages, ImageProvider
from pipelex.inference.images.service import Images

__all__ = ["DrawnImages", "ImageArguments", "ImageAsk", "ImageOptions", "ImageProvider", "Images"]
