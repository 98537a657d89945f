"""HTTP to Grafana and Loki: timeouts, retries where they cannot harm, errors that say what to do."""

from __future__ import annotations

import base64
import errno
import json
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lokictl.errors import Error
from lokictl.secrets import Redactor, Secret

if TYPE_CHECKING:
    import requests
    import requests.adapters

IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE")
RETRIED = (429, 502, 503, 504)
LONGEST_PAUSE = 30.0
EXCERPT = 300
# The environment variables that name a file with the certificates to trust, the first that is set.
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """How one server is reached: URL, credentials, TLS files, proxy, and headers of its own."""

    url: str
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    ca_file: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False
    proxy: str | Secret = ""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)


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


class ReadOnlyError(AssertionError):
    """A bug of lokictl: a run that only looks was about to write."""


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
        changes_nothing: bool = False,
    ) -> Answer:
        """Sends a request; raises `HttpError` for everything but a 2xx answer.

        ``changes_nothing`` marks a POST or PUT that the server only checks, so that a read-only run may send it.
        ``idempotent`` says whether it may be sent again; by default as HTTP defines it, so that a POST is not.
        """
        if self.read_only and method not in ("GET", "HEAD") and not changes_nothing:
            raise ReadOnlyError(f"{method} {path} in a run that must not write")
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
        import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

        self.requests_sent[method] += 1
        started = time.monotonic()
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
                # Given with every request: what a session has is less than REQUESTS_CA_BUNDLE.
                verify=self._verify(),
            )
        except requests.exceptions.Timeout as error:
            connected = not isinstance(error, requests.exceptions.ConnectTimeout)
            message = f"no answer in {self.timeout:g} s"
            self._log(method, path, "no answer", started)
            raise _TryAgain(HttpError(method, path, 0, message, uncertain=connected)) from None
        except (requests.exceptions.RequestException, ValueError, OSError) as error:
            words, final = connection_words(error, self.access)
            self._log(method, path, "no connection", started)
            failure = HttpError(method, path, 0, self.redactor.text(words), uncertain=not final)
            raise failure if final else _TryAgain(failure) from None
        self._log(method, path, str(response.status_code), started)
        return self._checked(method, path, response, expect_json)

    def _log(self, method: str, path: str, result: str, started: float) -> None:
        LOGGER.info(
            "%s %s%s: %s in %.2f s", method, self.access.url, path, result, time.monotonic() - started
        )

    def _verify(self) -> str | bool:
        """What a server's certificate is checked with: the configuration comes first, then the environment."""
        if self.access.insecure:
            return False
        bundles = (self.access.ca_file, *(os.environ.get(name, "") for name in CA_BUNDLES))
        return next((bundle for bundle in bundles if bundle), True)

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
        import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

        session = requests.Session()
        if self.adapter is not None:
            session.mount("http://", self.adapter)
            session.mount("https://", self.adapter)
        access = self.access
        session.auth = _credentials(access)
        session.headers["User-Agent"] = "lokictl"
        session.headers.update({key: _plain(value) for key, value in access.headers.items()})
        if access.certificate:
            session.cert = (access.certificate, access.key) if access.key else access.certificate
        if access.proxy:
            session.proxies = {"http": _plain(access.proxy), "https": _plain(access.proxy)}
            session.trust_env = False
        return session


def connection_words(error: BaseException, access: Access) -> tuple[str, bool]:
    """Why there was no answer, in words, and whether trying again is of no use."""
    host = urlsplit(access.url).hostname or access.url
    proxy = f"the proxy of {host}" if not access.proxy else "the proxy"
    for cause in _causes(error):
        text = str(cause)
        if isinstance(cause, ssl.SSLError):
            return _tls_words(cause, text, host), True
        if "Tunnel connection failed" in text:
            found = re.search(r"Tunnel connection failed: (\d+ ?[\w ]*)", text)
            code = found[1].strip() if found else "?"
            hint = "; it wants credentials: set proxy in the target" if code.startswith("407") else ""
            return f"{proxy} refused to connect to {host}: {code}{hint}", True
    inside_proxy = any(type(cause).__name__ == "ProxyError" for cause in _causes(error))
    who = f"{proxy}: " if inside_proxy else ""
    for cause in _causes(error):
        text = str(cause)
        if isinstance(cause, socket.gaierror) or "Failed to resolve" in text:
            name = "its name" if inside_proxy else f"the host name {host}"
            return f"{who}{name} cannot be resolved", False
        if isinstance(cause, ConnectionRefusedError) or "Connection refused" in text:
            return f"{who}connection refused ({urlsplit(access.url).netloc.rpartition('@')[2]})", False
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return f"{who}no route to {host}", False
        if isinstance(cause, ConnectionResetError | BrokenPipeError) or "closed connection" in text:
            return f"{who}the connection to {host} was cut off", False
        if "SOCKS" in text and "Missing dependencies" in text:
            return "a SOCKS proxy needs the Python package PySocks", True
        if isinstance(cause, FileNotFoundError) or "Could not find a suitable TLS CA" in text:
            return f"cannot read the certificates for {host}: check tls.ca, tls.cert and tls.key", True
    if isinstance(error, UnicodeError | ValueError):
        return f"not a URL: {access.url}", True
    return f"{who}the connection to {host} broke off", False


def _tls_words(error: BaseException, text: str, host: str) -> str:
    reason = str(getattr(error, "verify_message", "") or "")
    if "CERTIFICATE_VERIFY_FAILED" in text or reason:
        if "expired" in text:
            return f"the certificate of {host} has expired"
        if "ostname mismatch" in text or "doesn't match" in text or "IP address mismatch" in text:
            return f"the certificate of {host} is for another name"
        return f"the certificate of {host} is not trusted; set tls.ca to the CA that signed it"
    if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text or "UNKNOWN_PROTOCOL" in text:
        return f"{host} does not speak TLS on this port; is the URL http:// instead of https://?"
    if "CERTIFICATE_REQUIRED" in text or "HANDSHAKE_FAILURE" in text:
        return f"{host} asks for a client certificate; set tls.cert and tls.key"
    if "KEY_VALUES_MISMATCH" in text:
        return "tls.key is not the key of tls.cert"
    return f"the TLS connection to {host} failed"


def _causes(error: BaseException) -> list[BaseException]:
    """The error with everything that it was made from, also where libraries keep that in arguments."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        item = waiting.pop(0)
        if not isinstance(item, BaseException) or item in found:
            continue
        found.append(item)
        waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return found


class _TryAgain(Exception):  # noqa: N818 - not an error, but a wish
    def __init__(self, error: HttpError, pause: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.pause = error, pause


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _credentials(access: Access) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Sets our credentials.  Always given to `requests`, which would else take them from ``~/.netrc``."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if access.token is not None:
            request.headers["Authorization"] = f"Bearer {access.token.reveal()}"
        elif access.password is not None:
            pair = f"{access.user}:{access.password.reveal()}".encode()
            request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
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
