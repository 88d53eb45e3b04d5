"""Judgments: closed questions about evidence, answered by a judgment model or, without one, by a language model."""

from pipelex.inference.judge.provider import JudgmentProvider
from pipelex.inference.judge.service import Judge

__all__ = ["Judge", "JudgmentProvider"]
