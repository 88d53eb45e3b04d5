"""Which model a pipe means: backends and their models, presets, aliases, waterfalls, routing."""
