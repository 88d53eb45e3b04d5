"""The language server: what `pipelex.tooling.editor` knows, in an editor's protocol."""
