import json
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]


def test_the_test_server_as_a_process(tmp_path: Path):
    rules = {"rules": [{"matches": r"item (\d+)", "replies": [{"text": r"got \1", "expand": True}]}]}
    (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    command = [sys.executable, "-m", "tests.support.openai_server"]
    command += ["--rules", str(tmp_path / "rules.json"), "--port-file", str(tmp_path / "port")]
    command += ["--log", str(tmp_path / "log.jsonl")]
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            while not (tmp_path / "port").exists():
                assert server.poll() is None
                time.sleep(0.02)
            url = f"http://127.0.0.1:{(tmp_path / 'port').read_text(encoding='utf-8')}/v1"
            body = {"model": "m", "messages": [{"role": "user", "content": "item 17"}]}
            answer = httpx.post(f"{url}/chat/completions", json=body).json()
            models = httpx.get(f"{url}/models").json()
        finally:
            server.kill()
    assert answer["choices"][0]["message"]["content"] == "got 17"
    assert models["data"][0]["id"] == "stub"
    (logged,) = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(logged)["body"] == body
