"""A method's Python functions, each call in a process of its own.

A function of the method tree is named by its import path, `module.path.function`, and takes either

- one parameter called `inputs`: a mapping of input name → plain content; or
- parameters named like the pipe's inputs, each given that input's plain content; with `**kwargs`, all others too.

A content is the JSON of section 3 of the language reference, for example `{"text": "..."}` for a Text, and a list of
contents for a list. A declared input without a value is None, or the parameter's own default. The function may be
`async`, and returns a content as plain JSON, a pydantic model or a dataclass, or a list of these for a list.

Only a function that the named file defines by a `def` at its top level is called, and its module is made from the very
source whose digest the run names: a run that was started by hand cannot reach any other callable, and no module that is
already loaded can stand in for the method's own.

The process has the method's folder at the head of `sys.path`, an empty working directory of its own, none of the
runtime's keys in its environment, and is killed at the time limit. It is not a sandbox: run only methods you trust, or
switch functions off.
"""

from pipelex.inference.functions.service import FunctionOptions, Functions, call_function

__all__ = ["FunctionOptions", "Functions", "call_function"]
