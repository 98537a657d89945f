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
from dataclasses import KW_ONLY, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack
from urllib.parse import unquote, urlsplit, urlunsplit

import orjson

from lokictl.diagnostics import LokictlError, Problem
from lokictl.errors import Error
from lokictl.records import dataclass
from lokictl.secrets import Redactor, Secret, without_password

if TYPE_CHECKING:
    import requests
    import requests.adapters

IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE")
RETRIED = (429, 502, 503, 504)
# A 429 of Loki that waiting does not change.
LASTING_LIMITS = ("active stream limit", "max entries limit")
CONNECT_TIMEOUT, READ_TIMEOUT, NO_CONNECTION = "connect-timeout", "timeout", "no-connection"
LONGEST_PAUSE = 30.0
EXCERPT = 300
# The environment variables that name a file with the certificates to trust, the first that is set.
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """How one server is reached: URL, credentials, TLS files, proxy, and headers of its own."""

    url: str
    _: KW_ONLY
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    ca_file: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False
    proxy: str | Secret = ""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)


def access_of(url: str, *, headers: Mapping[str, str | Secret] | None = None) -> tuple[Access, Redactor]:
    """How to reach a server whose URL may contain a user and a password, and what hides the password.

    Raises `LokictlError` when this is not an http:// or https:// URL.
    """
    redactor = Redactor()
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https"):
        message = f"not a URL: {without_password(url)}"
        raise LokictlError(Problem("http/url", message, hint="write it as http://localhost:3100"))
    place = f"[{host}]" if ":" in host else host
    if port is not None:
        place = f"{place}:{port}"
    plain = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
    password = None
    if parts.username or parts.password:
        password = redactor.add(Secret("url", unquote(parts.password or "")))
    return Access(
        plain, user=unquote(parts.username or ""), password=password, headers=headers or {}
    ), redactor


class HttpError(Error):
    """A request that failed.

    ``status`` is 0 without an answer.  ``code`` is the server's machine-readable word ("version-mismatch"), or without
    an answer one of `CONNECT_TIMEOUT`, `READ_TIMEOUT` and `NO_CONNECTION`.  ``uncertain``: the server may have done
    what it was asked.  ``answer`` is the server's answer with a status of 400 or more.
    """

    def __init__(
        self,
        method: str,
        path: str,
        status: int,
        message: str,
        *,
        code: str = "",
        uncertain: bool = False,
        answer: Answer | None = None,
    ) -> None:
        self.method, self.path, self.status = method, path, status
        self.message, self.code, self.uncertain, self.answer = message, code, uncertain, answer
        words = f"{status}: {message}" if status else message
        super().__init__(f"{method} {path}: {words}")


class ReadOnlyError(AssertionError):
    """A bug of lokictl: a run that only looks was about to write."""


@dataclass(frozen=True)
class Answer:
    """What a server answered; ``reason`` is HTTP's phrase for the status."""

    status: int
    body: bytes
    content_type: str = ""
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked."""
        return self.status < 400

    def json(self) -> Any:
        """The body as JSON, decoded once; raises ValueError."""
        return self._json

    @cached_property
    def _json(self) -> Any:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            # What some servers write all the same: NaN, a byte order mark, half of a surrogate pair.
            return json.loads(self.body)

    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class RequestOptions(TypedDict, total=False):
    """What `HttpClient.request` takes by name."""

    query: Mapping[str, Any] | None
    body: Any
    content_type: str
    headers: Mapping[str, str] | None
    idempotent: bool | None
    changes_nothing: bool
    attempts: int | None


@dataclass
class HttpClient:
    """A connection to one server, for any number of threads.

    ``timeout`` is in seconds, for connecting and for each wait; ``attempts`` counts the first one; ``pause`` is
    the first pause between two attempts, doubled each time, unless the server says ``Retry-After``.  With
    ``fail_fast`` a server that is out of reach or does not answer in time is not asked again.
    ``adapter`` replaces the sockets of `requests`.
    """

    access: Access
    redactor: Redactor
    timeout: float = 30.0
    attempts: int = 4
    pause: float = 0.5
    sleep: Callable[[float], None] = field(default_factory=lambda: time.sleep)
    read_only: bool = False
    fail_fast: bool = False
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
        attempts: int | None = None,
    ) -> Answer:
        """Sends a request; raises `HttpError` for everything but a 2xx answer.

        A ``body`` that is a string or bytes is sent as it is, anything else as JSON.
        ``changes_nothing`` marks a POST or PUT that the server only checks, so that a read-only run may send it.
        ``idempotent`` says whether it may be sent again; by default as HTTP defines it, so that a POST is not.
        """
        if self.read_only and method not in ("GET", "HEAD") and not changes_nothing:
            raise ReadOnlyError(f"{method} {path} in a run that must not write")
        repeatable = method in IDEMPOTENT if idempotent is None else idempotent
        data = _encoded(body)
        attempts = self.attempts if attempts is None else attempts
        attempt = 0
        uncertain = False
        while True:
            attempt += 1
            try:
                return self._once(method, path, query, data, content_type, headers, expect_json)
            except _TryAgain as stop:
                uncertain = uncertain or stop.error.uncertain
                if not repeatable or attempt >= attempts:
                    stop.error.uncertain = uncertain
                    raise stop.error from None
                self.sleep(stop.pause if stop.pause is not None else self.pause * 2 ** (attempt - 1))
            except HttpError as error:
                error.uncertain = error.uncertain or uncertain
                raise

    def exchange(self, method: str, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """As `request` for an answer of any status: raises `HttpError` only without one, or for a redirect."""
        try:
            return self.request(method, path, expect_json=False, **options)
        except HttpError as error:
            if error.answer is None:
                raise
            return error.answer

    def close(self) -> None:
        """Closes the connections of this thread; the next request opens new ones."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is not None:
            session.close()
            self._local.session = None

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
            code = READ_TIMEOUT if connected else CONNECT_TIMEOUT
            failure = HttpError(method, path, 0, message, code=code, uncertain=connected)
            raise failure if self.fail_fast else _TryAgain(failure) from None
        except (requests.exceptions.RequestException, ValueError, OSError) as error:
            found = connection_failure(error, self.access)
            self._log(method, path, "no connection", started)
            words = self.redactor.text(found.words)
            failure = HttpError(method, path, 0, words, code=NO_CONNECTION, uncertain=not found.final)
            final = found.final or (self.fail_fast and not found.cut_off)
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
            answer = _answer(response)
            error = HttpError(method, path, status, self.redactor.text(message), code=code, answer=answer)
            locked = status == 500 and "database is locked" in message
            lasting = any(words in message for words in LASTING_LIMITS)
            if (status in RETRIED and not lasting) or locked:
                # A gateway that gives up may have passed the request on.
                error.uncertain = status in (502, 504)
                raise _TryAgain(error, _retry_after(response.headers.get("Retry-After")))
            raise error
        answer = _answer(response)
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


class ConnectionFailure(NamedTuple):
    """Why there was no answer; ``final``: another attempt is useless; ``cut_off``: there was a connection."""

    words: str
    final: bool = False
    cut_off: bool = False


def connection_failure(error: BaseException, access: Access) -> ConnectionFailure:
    """Why a request got no answer, from what `requests` raised."""
    host = urlsplit(access.url).hostname or access.url
    proxy = f"the proxy of {host}" if not access.proxy else "the proxy"
    for cause in _causes(error):
        text = str(cause)
        if isinstance(cause, ssl.SSLError):
            return ConnectionFailure(_tls_words(cause, text, host), final=True)
        if "Tunnel connection failed" in text:
            found = re.search(r"Tunnel connection failed: (\d+ ?[\w ]*)", text)
            code = found[1].strip() if found else "?"
            hint = "; it wants credentials: set proxy in the target" if code.startswith("407") else ""
            return ConnectionFailure(f"{proxy} refused to connect to {host}: {code}{hint}", final=True)
    inside_proxy = any(type(cause).__name__ == "ProxyError" for cause in _causes(error))
    who = f"{proxy}: " if inside_proxy else ""
    for cause in _causes(error):
        text = str(cause)
        if isinstance(cause, socket.gaierror) or "Failed to resolve" in text:
            name = "its name" if inside_proxy else f"the host name {host}"
            return ConnectionFailure(f"{who}{name} cannot be resolved")
        if isinstance(cause, ConnectionRefusedError) or "Connection refused" in text:
            return ConnectionFailure(
                f"{who}connection refused ({urlsplit(access.url).netloc.rpartition('@')[2]})"
            )
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return ConnectionFailure(f"{who}no route to {host}")
        if isinstance(cause, ConnectionResetError | BrokenPipeError) or "closed connection" in text:
            return ConnectionFailure(f"{who}the connection to {host} was cut off", cut_off=True)
        if "SOCKS" in text and "Missing dependencies" in text:
            return ConnectionFailure("a SOCKS proxy needs the Python package PySocks", final=True)
        if isinstance(cause, FileNotFoundError) or "Could not find a suitable TLS CA" in text:
            return ConnectionFailure(
                f"cannot read the certificates for {host}: check tls.ca, tls.cert and tls.key", final=True
            )
    if isinstance(error, UnicodeError | ValueError):
        return ConnectionFailure(f"not a URL: {access.url}", final=True)
    return ConnectionFailure(f"{who}the connection to {host} broke off", cut_off=True)


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


def _encoded(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()


def _answer(response: requests.Response) -> Answer:
    content_type = response.headers.get("Content-Type", "")
    return Answer(response.status_code, response.content, content_type, str(response.reason or ""))


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
