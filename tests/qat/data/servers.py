"""A local HTTP server that behaves, or misbehaves as servers on the internet do."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lutloom.qat.data.published import RemoteFile


@dataclass
class Server:
    """What is served by path, and what was asked for.

    ``cut_off`` is the number of bytes after which an answer breaks off, ``ranges`` whether the rest
    of a file can be had.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    cut_off: int | None = None
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def put(self, content: bytes, name: str = "x.gz") -> RemoteFile:
        """Serve a file, and return what would be known of it."""
        self.files[f"/{name}"] = content
        return self.known(content, name)

    def known(self, content: bytes, name: str, *more: str) -> RemoteFile:
        urls = (*more, f"http://127.0.0.1:{self.port}/{name}")
        return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest(), urls)


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append((self.path, wanted))
            content = server.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            begin = 0
            if wanted and server.ranges:
                found = re.fullmatch(r"bytes=(\d+)-", wanted)
                assert found
                begin = int(found[1])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/*")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            self.wfile.write(content[begin : server.cut_off])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
