"""Judgments: closed questions about evidence, answered by a language model."""

from pipelex.inference.judge.service import judge

__all__ = ["judge"]
