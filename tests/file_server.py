"""A web server with one file, which can be told to misbehave."""

import random
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

CONTENT = random.Random(0).randbytes(1_000_000)


class FileServer:
    """Serves `content` at `url`; keeps the headers of every request in `requests`."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges = True  # False: answers every request with the whole file
        self.shift = 0  # ranges begin so many bytes too late
        self.break_off: list[int] = []  # one entry a request to come: so many bytes and then no more
        self.delay = 0.0  # seconds before the file is sent
        self.statuses: list[int] = []  # one entry a request to come: this status instead of the file
        self.requests: list[dict[str, str]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"http://127.0.0.1:{self._http.server_port}/weights.pth"

    def close(self) -> None:
        """Stop listening; connections to `url` are refused from now on."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _handler_for(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(dict(self.headers))
            if server.statuses:
                self.send_error(server.statuses.pop(0))
                return
            size = len(server.content)
            start = self._start()
            if start is not None:
                start += server.shift
            if start is not None and start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200 if start is None else 206)
            if start is not None:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            body = server.content[start or 0 :]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            time.sleep(server.delay)
            self.wfile.write(body[: server.break_off.pop(0)] if server.break_off else body)

        def _start(self) -> int | None:
            """The first byte asked for; None where the whole file is to be sent (RFC 9110, 13.1.5, 14.2)."""
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            return int(asked[1]) if asked and server.ranges else None

        def log_message(self, *_: Any) -> None:
            """Keep the tests' output clean."""

    return Handler
