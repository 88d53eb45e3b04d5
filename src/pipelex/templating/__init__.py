"""Templates: Jinja2 with sigils, over typed values, inside a sandbox with a budget.

Source: MTHDS 8.0.0, section 9 of the language reference.
"""

from pipelex.templating._budget import Attachments, Budget, Limits, Style, TagStyle, TextFormat
from pipelex.templating._render import Rendered, render
from pipelex.templating._shapes import ShapeTable
from pipelex.templating._values import ShapeView

__all__ = [
    "Attachments",
    "Budget",
    "Limits",
    "Rendered",
    "ShapeTable",
    "ShapeView",
    "Style",
    "TagStyle",
    "TextFormat",
    "render",
]
