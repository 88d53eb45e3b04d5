"""The language server: offers what `pipelex.tooling.editor` knows over the Language Server Protocol."""
