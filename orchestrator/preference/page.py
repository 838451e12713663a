"""Asks a person in a browser, on a page that only this machine and only who knows its address can reach."""

from __future__ import annotations

import hmac
import queue
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, Template

from orchestrator.preference.questions import ANSWERS, Answer, Question, Shown, facts, harmless
from search_spaces import ConfigurationError

HOST = "127.0.0.1"
_LONGEST = 4096
"""Bytes of an answer; a form of ours has a few dozen."""
_FAREWELL = 3.0
"""Seconds for which the page can still say that the study is over."""
_POLL = 0.05
"""Seconds between two looks whether the server is to end."""
_OVER = "That was the last question for now. The terminal says what came out; this page can be closed."


@dataclass(frozen=True)
class _Scene:
    """What the page shows; replaced as a whole, so that every request sees one of them."""

    question: Question | None = None
    waiting: str = "the study begins"
    over: str = ""


class PageAsker:
    """See :class:`orchestrator.preference.questions.Asker`.

    The server listens on the loopback interface alone. Its address holds a token, other paths are not found;
    requests for another host, as after DNS rebinding, are refused, and nothing is ever loaded from elsewhere.

    Args:
        study: its name.
        port: of the server; None: any free one.
        say: shows a line, with the address.

    Raises:
        ConfigurationError: the port is taken.
    """

    name = "page"

    def __init__(self, study: str, port: int | None, say: Callable[[str], None]) -> None:
        self._study = study
        self._scene = _Scene()
        self._answers: queue.Queue[tuple[int, Answer]] = queue.Queue()
        self._told_over = threading.Event()
        token = secrets.token_urlsafe(24)
        try:
            self._server = _Server((HOST, port or 0), _Handler)
        except OSError as error:
            expected = f"a free port of {HOST}, or null for any"
            raise ConfigurationError("preference.port", expected, port, error.strerror or "") from error
        self._server.asker, self._server.token = self, token
        self.address = f"http://{HOST}:{self._server.server_port}/{token}/"
        serve = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="questions", daemon=True
        )
        serve.start()
        say(f"questions are asked at {self.address} (on this machine alone)")

    def ask(self, question: Question) -> Answer:
        self._scene = _Scene(question)
        while True:
            answered, answer = self._answers.get()
            # A form that was sent twice answers one question.
            if answered == question.number:
                self._scene = _Scene(waiting="the answer is kept")
                return answer

    def wait(self, what: str) -> None:
        self._scene = _Scene(waiting=what)

    def close(self) -> None:
        """Say on the page that the study is over, as long as it takes a browser to look; then end."""
        looks = self._scene.waiting != _Scene.waiting or self._scene.question is not None
        self._scene = _Scene(over=_OVER)
        if looks:
            self._told_over.wait(_FAREWELL)
        self._server.shutdown()
        self._server.server_close()

    def html(self, nonce: str) -> str:
        """The page as it is now."""
        scene = self._scene
        sides: list[dict[str, Any]] = []
        if scene.question is not None:
            pair = (("A", "first", scene.question.first), ("B", "second", scene.question.second))
            sides = [{"heading": name, "answer": answer, **_side(shown)} for name, answer, shown in pair]
        if scene.over:
            self._told_over.set()
        rest = {"question": scene.question, "waiting": scene.waiting, "over": scene.over}
        return str(_template().render(study=self._study, nonce=nonce, sides=sides, **rest))

    def take(self, form: bytes) -> bool:
        """Take in a form that was sent; returns whether it holds an answer."""
        fields = parse_qs(form.decode("ascii", errors="replace"))
        question, given = fields.get("question", [""])[0], fields.get("answer", [""])[0]
        answer = next((one for one in ANSWERS if one == given), None)
        if not question.isdecimal() or answer is None:
            return False
        asked = self._scene.question
        if asked is not None and int(question) == asked.number:
            self._scene = _Scene(waiting="the answer is kept")
            self._answers.put((asked.number, answer))
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    asker: PageAsker
    token: str


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    server_version, sys_version = "orchestrator", ""

    def do_GET(self) -> None:
        if self._refused("/"):
            return
        nonce = secrets.token_urlsafe(12)
        body = self.server.asker.html(nonce).encode()
        self.send_response(HTTPStatus.OK)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'"
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self._finish(body)

    def do_POST(self) -> None:
        if self._refused("/answer"):
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST:
            self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif not self.server.asker.take(self.rfile.read(int(length))):
            self._reply(HTTPStatus.BAD_REQUEST)
        else:
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", f"/{self.server.token}/")
            self._finish(b"")

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal is the study's."""

    def _refused(self, path: str) -> bool:
        """Whether the request was refused: another host's, or for another path."""
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self._reply(HTTPStatus.FORBIDDEN)
            return True
        wanted, found = f"/{self.server.token}{path}", self.path
        if not hmac.compare_digest(found.encode(), wanted.encode()):
            self._reply(HTTPStatus.NOT_FOUND)
            return True
        return False

    def _reply(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self._finish(b"")

    def _finish(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _side(shown: Shown) -> dict[str, Any]:
    """One result for the template, which escapes it."""
    told = [(harmless(name), harmless(value)) for name, value in facts(shown).items()]
    return {"text": harmless(shown.text), "facts": told}


@cache
def _template() -> Template:
    text = (files("orchestrator.preference") / "templates" / "question.html.j2").read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(text)
