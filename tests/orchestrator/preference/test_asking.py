"""Who is asked, and how: the terminal, the page and programs."""

from __future__ import annotations

import http.client
import io
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from orchestrator.preference.judges import ByMetric, Mentions, ProgramAsker
from orchestrator.preference.page import PageAsker
from orchestrator.preference.questions import Answer, Question, Shown, UnansweredError
from orchestrator.preference.terminal import TerminalAsker
from search_spaces import ConfigurationError

NASTY = "<script>alert(1)</script> \x1b[2J\u202egnihtemos"
QUESTION = Question(
    0,
    3,
    Shown(0, {"rate": 0.1}, {"loss": 2.0}, NASTY),
    Shown(1, {"rate": 0.2}, {"loss": 1.0}),
)


def on_terminal(typed: str) -> tuple[TerminalAsker, list[str]]:
    said: list[str] = []
    return TerminalAsker(io.StringIO(typed), said.append, width=60), said


@pytest.mark.parametrize(("key", "answer"), [("1", "first"), ("2", "second"), ("0", "equal")])
def test_a_key_is_an_answer(key: str, answer: Answer) -> None:
    assert on_terminal(f"{key}\n")[0].ask(QUESTION) == answer


def test_the_terminal_asks_again_and_shows_no_control_characters() -> None:
    asker, said = on_terminal("no\x1b[2J\n 2 \n")
    assert asker.ask(QUESTION) == "second"
    text = "".join(said)
    assert "expected 1, 2 or 0, got 'no" in text and "\x1b" not in text and "\u202e" not in text
    # Where a result is a text, its configuration would give away what it was made with.
    assert "question 1 of 3" in text and "rate: 0.2" in text and "rate: 0.1" not in text


@pytest.mark.parametrize("lines", [None, io.StringIO("")])
def test_a_closed_terminal_says_what_to_do(lines: io.StringIO | None) -> None:
    with pytest.raises(UnansweredError, match=r"preference\.ask=page"):
        TerminalAsker(lines, lambda _: None, width=60).ask(QUESTION)


class Browser:
    """Sends requests to the page."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.path = str(parts.hostname), parts.path
        self.port = int(parts.port or 0)

    def __call__(self, method: str, path: str, body: str = "", host: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        connection.request(method, path, body, {"Host": host} if host else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        if method == "GET" and answer.status == 200:
            assert "default-src 'none'" in str(answer.headers["Content-Security-Policy"])
            assert answer.headers["Cache-Control"] == "no-store"
        connection.close()
        return answer.status, text


@pytest.fixture
def page() -> Iterator[tuple[PageAsker, Browser]]:
    said: list[str] = []
    asker = PageAsker("study", None, said.append)
    assert asker.address in said[0]
    yield asker, Browser(asker.address)
    asker._told_over.set()  # no browser looks at the end
    asker.close()


def asked(asker: PageAsker) -> tuple[threading.Thread, list[Answer]]:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(asker.ask(QUESTION)), daemon=True)
    thread.start()
    while asker._scene.question is None:
        thread.join(0.01)
    return thread, answers


def test_the_page_shows_a_question_and_takes_one_answer(page: tuple[PageAsker, Browser]) -> None:
    asker, browser = page
    assert "One moment" in browser("GET", browser.path)[1]
    thread, answers = asked(asker)
    status, text = browser("GET", browser.path)
    assert status == 200 and "Question 1 of 3" in text
    assert "<script>" not in text and "&lt;script&gt;" in text and "\x1b" not in text
    for wrong in ("question=0&answer=third", "question=x&answer=first", "answer=first", "x" * 100):
        assert browser("POST", f"{browser.path}answer", wrong)[0] == 400
    assert browser("POST", f"{browser.path}answer", "x" * 5000)[0] == 413
    assert browser("POST", f"{browser.path}answer", "question=2&answer=first")[0] == 303
    assert not answers
    for _ in range(2):  # a form that is sent twice
        assert browser("POST", f"{browser.path}answer", "question=0&answer=second")[0] == 303
    thread.join(10)
    assert answers == ["second"] and asker._answers.empty()


def test_only_who_knows_the_address_reaches_the_page(page: tuple[PageAsker, Browser]) -> None:
    _, browser = page
    assert browser.host == "127.0.0.1" and len(browser.path) > 30
    for path in ("/", "/answer", f"{browser.path}x", browser.path[:-2], "//evil.example/"):
        assert browser("GET", path)[0] == 404
    assert browser("POST", "/answer", "question=0&answer=first")[0] == 404
    assert browser("GET", browser.path, host="evil.example")[0] == 403
    assert browser("GET", browser.path, host=f"localhost:{browser.port}")[0] == 200


def test_a_taken_port_is_refused(page: tuple[PageAsker, Browser]) -> None:
    with pytest.raises(ConfigurationError, match=r"preference.port: expected a free port"):
        PageAsker("study", page[1].port, lambda _: None)


def test_a_metric_decides_and_may_err() -> None:
    assert ByMetric("loss").prefer(QUESTION) == "second"
    assert ByMetric("loss", "max").prefer(QUESTION) == "first"
    equal = Question(0, 1, QUESTION.first, QUESTION.first)
    assert ByMetric("loss").prefer(equal) == "equal"
    questions = [Question(n, 400, QUESTION.first, QUESTION.second) for n in range(400)]
    right = [ByMetric("loss", noise=1.0).prefer(one) for one in questions].count("second")
    assert abs(right / 400 - 1 / (1 + 2.718281828**-1)) < 0.07  # its standard deviation is .022


def test_words_come_before_length() -> None:
    judge = Mentions(["key", "Facts"])
    texts = ["The facts, briefly.", "Facts.", "Some factsheet."]
    one, short, none = (Shown(n, {}, {}, text) for n, text in enumerate(texts))
    assert judge.prefer(Question(0, 1, one, none)) == "first"
    assert judge.prefer(Question(0, 1, one, short)) == "second"
    assert judge.prefer(Question(0, 1, short, short)) == "equal"


def test_a_judge_that_breaks_ends_the_study_in_one_line() -> None:
    class Broken:
        def prefer(self, question: Question) -> Answer:
            return {}[question.number]

    class Vague(Broken):
        def prefer(self, question: Question) -> Answer:
            return "maybe"  # type: ignore[return-value]

    with pytest.raises(UnansweredError, match="the judge Broken failed at question 0: KeyError: 0"):
        ProgramAsker(Broken()).ask(QUESTION)
    with pytest.raises(UnansweredError, match="expected one of first, second, equal of the judge Vague"):
        ProgramAsker(Vague()).ask(QUESTION)
