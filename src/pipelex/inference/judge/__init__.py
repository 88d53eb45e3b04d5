"""Judgments: closed questions about evidence, answered by a judgment model, or by a language model in its place."""

from pipelex.inference.judge.provider import JudgmentProvider
from pipelex.inference.judge.service import Judge

__all__ = ["Judge", "JudgmentProvider"]
