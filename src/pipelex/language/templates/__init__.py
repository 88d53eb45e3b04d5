"""Templates: expands the sigils of prompts, and finds what a template reads without rendering it.

Source: MTHDS 8.0.0, sections 9.1 to 9.4 of the language reference.
"""

from pipelex.language.templates._analysis import analyse_template
from pipelex.language.templates._facts import ITEM, TemplateAnalysis, TemplateFault, TemplateRead
from pipelex.language.templates._filters import (
    FILTERS_BY_CATEGORY,
    GLOBALS,
    REFUSED_FILTERS,
    REFUSED_GLOBALS,
    TESTS,
)
from pipelex.language.templates._sigils import code_size, expand_sigils
from pipelex.language.templates._sites import TemplateSite
from pipelex.language.templates._texts import Texts, possible_texts

__all__ = [
    "FILTERS_BY_CATEGORY",
    "GLOBALS",
    "ITEM",
    "REFUSED_FILTERS",
    "REFUSED_GLOBALS",
    "TESTS",
    "TemplateAnalysis",
    "TemplateFault",
    "TemplateRead",
    "TemplateSite",
    "Texts",
    "analyse_template",
    "code_size",
    "expand_sigils",
    "possible_texts",
]
