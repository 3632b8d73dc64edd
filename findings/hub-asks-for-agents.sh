#!/usr/bin/env bash
# huggingface_hub 1.33.0 (2026-12-01).
#
# A guess: HfApi().model_info(NAME) sends one request, for that model. Seen: the first call of a process asks the hub for
# /api/agent-harnesses first, a list by which the User-Agent header names a coding agent that runs the process. An answer
# is kept in HF_HOME for a day; after a refusal the next process asks again. HF_HUB_DISABLE_TELEMETRY=1 stops it. A proxy or
# a mirror that knows the paths of models alone sees a request that nobody typed.
#
# Output seen:
#   as it is: /api/agent-harnesses /api/models/owner/name /api/models/owner/name
#   with HF_HUB_DISABLE_TELEMETRY=1: /api/models/owner/name /api/models/owner/name
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet huggingface_hub==1.33.0
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

asked = []


class Hub(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        there = self.path.startswith("/api/models/")
        body = json.dumps({"id": "owner/name", "sha": "0" * 40, "siblings": [], "tags": []} if there else {}).encode()
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
twice = "from huggingface_hub import HfApi\nfor _ in range(2): HfApi().model_info('owner/name')"
seen = {}
for words, more in (("as it is", {}), ("with HF_HUB_DISABLE_TELEMETRY=1", {"HF_HUB_DISABLE_TELEMETRY": "1"})):
    asked.clear()
    bare = {"PATH": os.environ["PATH"], "HOME": os.getcwd(), "HF_HOME": os.getcwd(), "HF_ENDPOINT": address, **more}
    subprocess.run([sys.executable, "-c", twice], env=bare, check=True)
    seen[words] = list(asked)
    print(f"{words}: {' '.join(asked)}")
model = ["/api/models/owner/name"] * 2
assert list(seen.values()) == [["/api/agent-harnesses", *model], model], seen
PYTHON
