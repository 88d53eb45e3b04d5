"""Build the site: `python -m docsite [--version NAME] [--output DIR]`.

With a version, the site is built into a folder of that name. `versions.json` beside it lists all versions, newest
first, for the version selector of the theme, and `index.html` redirects to the newest.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from docsite.errors import write_addresses
from docsite.pages import ROOT, BrokenLink, write_pages

BUILD: Final = ROOT / "build"
_LEADS: Final = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={0}/"><a href="{0}/">{0}</a>\n'
)


def main() -> int:
    """Build the site, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docsite", description="Build the documentation's site.")
    parser.add_argument("--output", type=Path, default=BUILD / "site", help="the folder to write (build/site)")
    parser.add_argument("--version", help="build into a folder of this name, beside other versions")
    wanted = parser.parse_args()
    try:
        write_pages(BUILD / "pages")
    except BrokenLink as broken:
        sys.stderr.write(f"{broken}\n")
        return 1
    folder: Path = wanted.output if wanted.version is None else wanted.output / wanted.version
    code = _build(folder.absolute())
    if code == 0:
        write_addresses(folder)
    if code == 0 and wanted.version is not None:
        _list_versions(wanted.output)
    return code


def _build(folder: Path) -> int:
    """Build the site into a folder, which is replaced; Zensical itself only writes beside its configuration."""
    config, built = BUILD / "zensical.toml", BUILD / "built"
    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    config.write_text(text.replace('site_dir = "site"', f'site_dir = "{built.name}"'), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", str(config)]
    code = subprocess.run(command, check=False, cwd=BUILD).returncode
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(built, folder)
    return code


def _list_versions(folder: Path) -> None:
    names = [each.name for each in folder.iterdir() if (each / "index.html").exists()]
    names.sort(key=lambda name: [int(part) for part in re.findall(r"\d+", name)], reverse=True)
    found = [{"version": name, "title": name, "aliases": ["latest"] if name == names[0] else []} for name in names]
    (folder / "versions.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(_LEADS.format(names[0]), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
