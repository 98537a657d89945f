"""HTTP as the synchronisation needs it: time-outs, retries where they cannot harm, errors that say what to do."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from lokictl.errors import Error
from lokictl.sync.configuration import Access
from lokictl.sync.secrets import Redactor, Secret

if TYPE_CHECKING:
    import requests
    import requests.adapters

IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE")
RETRIED = (429, 502, 503, 504)
LONGEST_PAUSE = 30.0
EXCERPT = 300


class HttpError(Error):
    """A request that failed.

    ``status`` is 0 without an answer; ``code`` is the server's machine word ("version-mismatch"); ``uncertain``:
    the server may have done what it was asked.
    """

    def __init__(
        self, method: str, path: str, status: int, message: str, *, code: str = "", uncertain: bool = False
    ) -> None:
        self.method, self.path, self.status = method, path, status
        self.message, self.code, self.uncertain = message, code, uncertain
        answer = f"{status}: {message}" if status else message
        super().__init__(f"{method} {path}: {answer}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    status: int
    body: bytes
    content_type: str = ""

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.body)

    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


@dataclass
class HttpClient:
    """A connection to one server, for any number of threads.

    ``timeout`` is in seconds, for connecting and for each wait; ``attempts`` counts the first one; ``pause`` is
    the first pause between two attempts, doubled each time, unless the server says ``Retry-After``.
    ``adapter`` replaces the sockets of `requests`.
    """

    access: Access
    redactor: Redactor
    timeout: float = 30.0
    attempts: int = 4
    pause: float = 0.5
    sleep: Callable[[float], None] = time.sleep
    read_only: bool = False
    adapter: requests.adapters.BaseAdapter | None = None
    requests_sent: Counter[str] = field(default_factory=Counter)
    _local: threading.local = field(default_factory=threading.local, repr=False)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        expect_json: bool = True,
    ) -> Answer:
        """Sends a request; raises `HttpError` for everything but a 2xx answer.

        ``idempotent`` says whether it may be sent again; by default as HTTP defines it, so that a POST is not.
        """
        if self.read_only and method not in ("GET", "HEAD"):
            raise AssertionError(f"{method} {path} in a run that must not write")
        repeatable = method in IDEMPOTENT if idempotent is None else idempotent
        data = json.dumps(body, ensure_ascii=False).encode() if expect_json and body is not None else body
        if isinstance(data, str):
            data = data.encode()
        attempt = 0
        uncertain = False
        while True:
            attempt += 1
            try:
                return self._once(method, path, query, data, content_type, headers, expect_json)
            except _TryAgain as stop:
                uncertain = uncertain or stop.error.uncertain
                if not repeatable or attempt >= self.attempts:
                    stop.error.uncertain = uncertain
                    raise stop.error from None
                self.sleep(stop.pause if stop.pause is not None else self.pause * 2 ** (attempt - 1))
            except HttpError as error:
                error.uncertain = error.uncertain or uncertain
                raise

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        data: bytes | None,
        content_type: str,
        headers: Mapping[str, str] | None,
        expect_json: bool,
    ) -> Answer:
        import requests

        self.requests_sent[method] += 1
        sent = {"Accept": "application/json" if expect_json else "*/*", **(headers or {})}
        if data is not None:
            sent["Content-Type"] = content_type
        try:
            response = self._session().request(
                method,
                self.access.url + path,
                params=query,
                data=data,
                headers=sent,
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise HttpError(method, path, 0, f"TLS failed: {self._words(error)}") from None
        except requests.exceptions.ProxyError as error:
            raise HttpError(method, path, 0, f"the proxy refused: {self._words(error)}") from None
        except requests.exceptions.Timeout as error:
            connected = not isinstance(error, requests.exceptions.ConnectTimeout)
            message = f"no answer in {self.timeout:g} s"
            raise _TryAgain(HttpError(method, path, 0, message, uncertain=connected)) from None
        except requests.exceptions.RequestException as error:
            raise _TryAgain(HttpError(method, path, 0, self._connection(error), uncertain=True)) from None
        return self._checked(method, path, response, expect_json)

    def _checked(self, method: str, path: str, response: requests.Response, expect_json: bool) -> Answer:
        status = response.status_code
        if 300 <= status < 400:
            place = self.redactor.text(response.headers.get("Location", "?"))
            message = f"redirected to {place}; is the configured URL right?"
            raise HttpError(method, path, status, message)
        if status >= 400:
            message, code = _error_words(response)
            error = HttpError(method, path, status, self.redactor.text(message), code=code)
            locked = status == 500 and "database is locked" in message
            if status in RETRIED or locked:
                # A gateway that gives up may have passed the request on.
                error.uncertain = status in (502, 504)
                raise _TryAgain(error, _retry_after(response.headers.get("Retry-After")))
            raise error
        answer = Answer(status, response.content, response.headers.get("Content-Type", ""))
        if expect_json and answer.body:
            try:
                answer.json()
            except ValueError:
                if "html" in answer.content_type:
                    message = "answered with a web page instead of JSON; is the configured URL right?"
                    raise HttpError(method, path, status, message) from None
                message = "the answer is not JSON (cut off?)"
                raise _TryAgain(HttpError(method, path, 0, message, uncertain=True)) from None
        return answer

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._new_session()
        return session

    def _new_session(self) -> requests.Session:
        import requests

        session = requests.Session()
        if self.adapter is not None:
            session.mount("http://", self.adapter)
            session.mount("https://", self.adapter)
        access = self.access
        session.auth = _credentials(access)
        session.headers["User-Agent"] = "lokictl"
        session.headers.update({key: _plain(value) for key, value in access.headers.items()})
        if access.ca_file:
            session.verify = access.ca_file
        if access.insecure:
            session.verify = False
        if access.certificate:
            session.cert = (access.certificate, access.key) if access.key else access.certificate
        if access.proxy:
            session.proxies = {"http": _plain(access.proxy), "https": _plain(access.proxy)}
            session.trust_env = False
        return session

    def _words(self, error: Exception) -> str:
        return self.redactor.text(str(error))[:EXCERPT]

    def _connection(self, error: Exception) -> str:
        text = str(error)
        for mark, words in (
            ("Connection refused", "connection refused"),
            ("Name or service not known", "the host name is not known"),
            ("Temporary failure in name resolution", "the host name cannot be resolved"),
            ("Failed to resolve", "the host name cannot be resolved"),
        ):
            if mark in text:
                return f"{words} ({self.redactor.text(self.access.url)})"
        return f"the connection broke: {self._words(error)}"


class _TryAgain(Exception):  # noqa: N818 - not an error, but a wish
    def __init__(self, error: HttpError, pause: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.pause = error, pause


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _credentials(access: Access) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Sets our credentials.  Always given to `requests`, which would else take them from ``~/.netrc``."""
    from requests.auth import _basic_auth_str

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if access.token is not None:
            request.headers["Authorization"] = f"Bearer {access.token.reveal()}"
        elif access.password is not None:
            request.headers["Authorization"] = _basic_auth_str(access.user, access.password.reveal())
        return request

    return sign


def _error_words(response: requests.Response) -> tuple[str, str]:
    """Message and machine word of an error answer, in any of the shapes that Grafana and Loki use."""
    text = response.text.strip()
    try:
        body = response.json()
    except ValueError:
        if "<html" in text[:200].lower() or "<!doctype" in text[:200].lower():
            return f"{response.reason} (a web page, perhaps of a proxy)", ""
        return text[:EXCERPT] or str(response.reason), ""
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0]
    if not isinstance(body, dict):
        return text[:EXCERPT], ""
    code = body.get("reason") if body.get("kind") == "Status" else body.get("status") or body.get("messageId")
    message = body.get("message") or body.get("error") or body.get("title") or text[:EXCERPT]
    return str(message), str(code or "")


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from either form of the header."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)
