from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelex.config import Settings, load_settings


class Loader:
    """Writes settings files below a home and a project of its own, and loads the settings from there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(
        self,
        project: str | None = None,
        *,
        files: Mapping[str, str] | None = None,
        cwd: str = "work",
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
        trust_project: bool = True,
    ) -> Settings:
        texts = dict(files or {})
        if project is not None:
            texts["work/.pipelex/pipelex.toml"] = project
        (self.root / "home").mkdir(exist_ok=True)
        (self.root / cwd).mkdir(exist_ok=True, parents=True)
        for name, text in texts.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            if file.name == "secrets.toml":
                file.chmod(0o600)
        known = {"HOME": str(self.root / "home"), **(environ or {})}
        return load_settings(cwd=self.root / cwd, environ=known, overrides=overrides, trust_project=trust_project)
