"""A model hub on 127.0.0.1 that knows what a push and a download ask of the real one.

Written from the requests of huggingface_hub 2.4; whether the real hub answers alike is not tested.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN = "hf_test"  # noqa: S105  # of this server alone


@dataclass
class Hub:
    """What the server holds: by repository whether it is private, and its commits, newest last."""

    url: str = ""
    private: dict[str, bool] = field(default_factory=dict)
    commits: dict[str, list[tuple[str, dict[str, bytes]]]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    full: bool = False

    def at(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        commits = self.commits.get(repository, [])
        named = [c for c in commits if c[0] == revision]
        return commits[-1] if revision == "main" and commits else next(iter(named), None)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, content: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, value: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(value).encode(), Content_Type="application/json")

    def _missing(self, what: str) -> None:
        self._answer(404, X_Error_Code=f"{what}NotFound")

    @property
    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append(f"{self.command} {path}")
        about = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(?:revision|tree)/([^/]+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        match = about or file
        name, revision = (match[1], match[2] or "main") if match else ("", "")
        if name not in self.hub.private or (self.hub.private[name] and not self._known):
            return self._missing("Repo")
        found = self.hub.at(name, revision)
        if about and found is None and about[2] is None:
            return self._json({"id": name, "private": self.hub.private[name], "siblings": []})
        if found is None:
            return self._missing("Revision")
        commit, files = found
        if "/tree/" in path:
            sizes = {part: len(content) for part, content in files.items()}
            tree = [{"type": "file", "path": p, "size": n, "oid": p} for p, n in sizes.items()]
            return self._json(tree)
        if about:
            siblings = [{"rfilename": part} for part in files]
            told = {"id": name, "sha": commit, "private": self.hub.private[name]}
            return self._json(told | {"siblings": siblings})
        assert file is not None
        if file[3] not in files:
            return self._missing("Entry")
        content = files[file[3]]
        digest = hashlib.sha256(content).hexdigest()
        return self._answer(200, content, ETag=f'"{digest}"', X_Repo_Commit=commit)

    def do_PUT(self) -> None:
        content = self._content()
        if self.hub.full:
            return self._answer(403)
        self.hub.objects[hashlib.sha256(content).hexdigest()] = content
        return self._answer(200)

    def _content(self) -> bytes:
        """What a request brings, whole or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_POST(self) -> None:
        body = self._content()
        path = self.path.partition("?")[0]
        self.hub.asked.append(f"POST {path}")
        if not self._known:
            return self._answer(401)
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            actions = {"upload": {"href": f"{self.hub.url}/upload"}}
            objects = json.loads(body)["objects"]
            return self._json({"objects": [part | {"actions": actions} for part in objects]})
        if "/preupload/" in path:
            names = [part["path"] for part in json.loads(body)["files"]]
            modes = {n: "lfs" if n.endswith(".safetensors") else "regular" for n in names}
            told = [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in modes.items()]
            return self._json({"files": told})
        return self._commit(path.split("/")[3:5], body)

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] == "others":
            return self._answer(403)
        if name in self.hub.private:
            return self._json({"url": f"{self.hub.url}/{name}"}, 409)
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.hub.private[name] = private
        return self._json({"url": f"{self.hub.url}/{name}"})

    def _commit(self, name: list[str], body: bytes) -> None:
        files = {}
        for line in map(json.loads, body.splitlines()):
            part = line["value"]
            if line["key"] == "file":
                files[part["path"]] = base64.b64decode(part["content"])
            elif line["key"] == "lfsFile":
                files[part["path"]] = self.hub.objects[part["oid"]]
        repository = "/".join(name)
        commits = self.hub.commits.setdefault(repository, [])
        before = commits[-1][1] if commits else {}
        commit = hashlib.sha1(body, usedforsecurity=False).hexdigest()
        commits.append((commit, before | files))
        url = f"{self.hub.url}/{repository}/commit/{commit}"
        self._json({"commitUrl": url, "commitOid": commit})


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Serve a hub without repositories."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
