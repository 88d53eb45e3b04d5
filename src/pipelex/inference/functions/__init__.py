"""Calls a method's Python functions, each call in its own process.

A function of the method tree is named by its import path, `module.path.function`, and takes either

- one parameter called `inputs`: a mapping of input name → plain content; or
- parameters named after the pipe's inputs. Each receives that input's plain content, converted to the parameter's type
  when it has one; `**kwargs` receives all other inputs.

A plain content is the JSON of section 3 of the language reference, for example `{"text": "..."}` for a Text; a list is
a JSON list of contents. A declared input without a value is None, or the parameter's own default. The function may be
`async`. It returns a content as plain JSON, a pydantic model or a dataclass, or a list of these.

Only a function that the named file defines with a top-level `def` is called, and its module is built from the source
whose digest the run names. So a run that was started by hand cannot reach any other callable, and a module that is
already loaded cannot replace the method's own.

The process has the method's folder at the head of `sys.path`, an empty working directory of its own, and none of the
runtime's keys in its environment. It is killed at the time limit. It is not a sandbox: run only methods you trust, or
switch functions off.
"""

from pipelex.inference.functions.service import FunctionOptions, Functions, call_function

__all__ = ["FunctionOptions", "Functions", "call_function"]
