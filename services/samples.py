"""Sample logs of the four services: healthy, and with the incidents that their alerts are for.

Every request that enters the stack is a trace: Ryot answers it, and on the way secrets are read, tasks are run and
units are compiled, each service writing lines with the trace's id.  Shares of requests that go wrong in healthy
logs are right for rates between 0.5 and 20 requests per second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from random import Random

from lokictl.durations import MILLISECOND
from lokictl.model import Service
from lokictl.sample import Incident, SampleEntry, SampleRequest, SampleSource, Trace
from lokictl.sample.common import ERRORS, GARBAGE, SILENCE, line_time, with_common_incidents
from services import agents, ryot, sigmalang, sigmavault
from stack.collection import JOBS

Value = str | int | float

METRICS = {job.app: job.metrics for job in JOBS}
"""What the collectors make of the lines, by service."""


def entry(
    service: Service,
    timestamp: int,
    level: str,
    msg: str,
    fields: Mapping[str, Value] | None = None,
    *,
    trace: Trace | None = None,
    trace_as_metadata: bool = False,
    pod: int = 0,
) -> SampleEntry:
    """One JSON line of ``service``; ``pod`` is the number of the pod that writes it."""
    record: dict[str, Value] = {**line_time(service, timestamp), "level": level, "msg": msg}
    metadata: dict[str, str] = {}
    if trace is not None:
        ids = {"trace_id": trace.trace_id, "span_id": span_id(service, trace)}
        (metadata if trace_as_metadata else record).update(ids)
    labels = service.stream(
        level=level, pod=f"{service.name}-7d9f8b6c5d-{('abc12', 'k4x7p', 'zq9w3')[pod % 3]}"
    )
    return SampleEntry(
        labels, timestamp, json.dumps({**record, **(fields or {})}, ensure_ascii=False), metadata
    )


def span_id(service: Service, trace: Trace) -> str:
    """The id of the span in which a service takes part in a trace."""
    return f"{(int(trace.trace_id[:16], 16) ^ hash_of(service.name)) & (2**64 - 1):016x}"


def hash_of(text: str) -> int:
    """A number for a text, the same in every run."""
    return int.from_bytes(text.encode().ljust(8, b"\x9b")[:8], "big")


def milliseconds(chance: Random, typical: float) -> float:
    """A duration about as long as ``typical`` ms: mostly less, sometimes a few times more."""
    return round(min(typical * chance.lognormvariate(0, 0.4), typical * 4), 1)


def after(start: int, duration_ms: float) -> int:
    """The time ``duration_ms`` after ``start``, in ns."""
    return start + round(duration_ms * MILLISECOND)


# --- Ryot ---------------------------------------------------------------------------------------------------

PATHS = ("/api/v1/media", "/api/v1/media/7312", "/api/v1/progress", "/api/v1/collections", "/graphql")
SLOW, DATABASE_DOWN = "slow-requests", "database-timeouts"


def write_ryot(request: SampleRequest) -> Iterator[SampleEntry]:
    """Requests answered by the API, a look at the cache or the token before some, now and then an error."""
    for trace in request.traces():
        chance = request.random("ryot", trace.number)
        slow = request.during(SLOW, trace.start) and chance.random() < 0.2
        duration = round(chance.uniform(6_000, 9_000), 1) if slow else milliseconds(chance, 80)
        end, pod, path = after(trace.start, duration), trace.number, chance.choice(PATHS)
        if trace.number % 4 == 0:
            yield ryot_line(trace.start, "debug", f"cache hit for {path}", "cache", trace, pod=pod)
        if trace.number % 5 == 0:
            yield ryot_line(trace.start, "info", "token accepted", "auth", trace, pod=pod, duration_ms=1.2)
        if trace.number % 150 == 0:
            message = f"GET {path} 502: provider did not answer"
            yield ryot_line(end, "error", message, "importer", trace, pod=pod, duration_ms=duration)
        elif trace.number % 40 == 0:
            message = "slow query on table media"
            yield ryot_line(end, "warn", message, ryot.DATABASE, trace, pod=pod, duration_ms=duration)
        else:
            yield ryot_line(end, "info", f"GET {path} 200", "api", trace, pod=pod, duration_ms=duration)
    for timestamp, number in request.every(600):
        yield database_timeout(request, timestamp, number, 3_012.4)
    if request.incident == DATABASE_DOWN:
        for timestamp, number in request.every(5, since=request.incident_start):
            yield database_timeout(request, timestamp + 1, number, 5_234.0)


def ryot_line(
    timestamp: int, level: str, msg: str, module: str, trace: Trace, *, pod: int, **fields: Value
) -> SampleEntry:
    """One line of Ryot."""
    return entry(ryot.SERVICE, timestamp, level, msg, {"module": module, **fields}, trace=trace, pod=pod)


def database_timeout(request: SampleRequest, timestamp: int, number: int, duration: float) -> SampleEntry:
    """The line that the architecture document shows."""
    trace = Trace(number, f"{request.random('timeout', number).getrandbits(128):032x}", timestamp)
    message = "Database connection timeout"
    return ryot_line(timestamp, "error", message, ryot.DATABASE, trace, pod=number, duration_ms=duration)


# --- ΣLANG --------------------------------------------------------------------------------------------------

TYPICAL_MS = {"lex": 8.0, "parse": 30.0, "resolve": 55.0, "typecheck": 240.0, "codegen": 310.0, "link": 95.0}
UNITS = ("core/collections.sig", "core/text.sig", "net/http.sig", "app/main.sig", "app/report.sig")
BROKEN_LIBRARY, PANIC, SLOW_COMPILER = "broken-library", "compiler-panic", "slow-compilation"

DIAGNOSTICS = {
    "E0101": "unexpected token `)`",
    "E0204": "the pattern does not cover `None`",
    "E0308": "mismatched types: expected `Text`, found `Option<Text>`",
    "E0425": "cannot find `fold_left` in this scope",
    "E0599": "no method `sorted` for `Set<Int>`",
    "W0012": "unused variable `index`",
    "W0031": "this loop never runs",
}


def write_sigmalang(request: SampleRequest) -> Iterator[SampleEntry]:
    """Units that pass through the phases, with diagnostics of several lines."""
    for trace in request.traces():
        if trace.number % 3 == 0:
            yield from compilation(request, trace)
    if request.incident == BROKEN_LIBRARY:
        for timestamp, number in request.every(10, since=request.incident_start):
            trace = Trace(number, f"{request.random('library', number).getrandbits(128):032x}", timestamp)
            yield diagnostic(trace, timestamp, "E0425", UNITS[number % len(UNITS)])
    if request.incident == PANIC:
        for timestamp, number in request.every(120, since=request.incident_start):
            labels = sigmalang.SERVICE.stream(level="error")
            yield SampleEntry(labels, timestamp, panic("codegen", UNITS[number % len(UNITS)]))


def compilation(request: SampleRequest, trace: Trace) -> Iterator[SampleEntry]:
    """One unit: a line for each phase, and perhaps a diagnostic, which ends it when it is an error."""
    chance = request.random("sigmalang", trace.number)
    unit, time = chance.choice(UNITS), after(trace.start, 12)
    fault = {0: ("E0101", "E0204", "E0308", "E0599"), 1: ("W0012", "W0031")}.get(trace.number // 3 % 40)
    for phase, typical in TYPICAL_MS.items():
        slow = phase == "typecheck" and request.during(SLOW_COMPILER, trace.start) and chance.random() < 0.3
        duration = round(chance.uniform(35_000, 60_000), 1) if slow else milliseconds(chance, typical)
        time = after(time, duration)
        level = "debug" if phase == "lex" else "info"
        yield entry(
            sigmalang.SERVICE,
            time,
            level,
            "phase finished",
            {"code": "", "phase": phase, "unit": unit, "duration_ms": duration},
            trace=trace,
            pod=trace.number,
        )
        if fault and phase == "typecheck":
            code = chance.choice(fault)
            yield diagnostic(trace, time + 1, code, unit)
            if code.startswith("E"):
                return


def diagnostic(trace: Trace, timestamp: int, code: str, unit: str) -> SampleEntry:
    """What the compiler has to say about a unit: one JSON line whose message has several."""
    line = trace.number % 90 + 10
    text = f"{DIAGNOSTICS[code]}\n  --> {unit}:{line}:9\n   |\n{line} | let total = items\n   |         ^^^^^"
    level = "error" if code.startswith("E") else "warn"
    fields: dict[str, Value] = {"code": code, "phase": "typecheck", "unit": unit}
    return entry(sigmalang.SERVICE, timestamp, level, text, fields, trace=trace, pod=trace.number)


def panic(phase: str, unit: str) -> str:
    """A crash of the compiler: text of several lines, kept together by the collectors."""
    return (
        f"{sigmalang.PANIC} in {phase}: index out of bounds: the length is 4 but the index is 4\n"
        f"  at sigma::{phase}::registers::allocate (registers.sig:218)\n"
        f"  at sigma::{phase}::unit (unit.sig:77)\n"
        f"  at sigma::driver::compile ({unit})\n"
        "note: this is a fault of the compiler"
    )


# --- ΣVAULT -------------------------------------------------------------------------------------------------

READERS = ("svc-ryot", "svc-agents", "svc-sigmalang")
DENIED, BRUTE_FORCE, AUDIT_LOST, INTRUDER = "denied-accesses", "brute-force", "audit-loss", "intruder"


def write_sigmavault(request: SampleRequest) -> Iterator[SampleEntry]:
    """The audit trail of reads and logins, and the vault's own few words."""
    for found in (*audit_trail(request), *vault_incidents(request)):
        if not request.during(AUDIT_LOST, found.timestamp):
            yield found
    for timestamp, number in request.every(20):
        yield entry(sigmavault.SERVICE, timestamp, "info", "seal status: unsealed", pod=number)
    for timestamp, number in request.every(45):
        yield entry(sigmavault.SERVICE, timestamp, "debug", "lease renewed", pod=number)
    for timestamp, number in request.every(900):
        yield entry(sigmavault.SERVICE, timestamp, "error", "storage backend: retry 1 of 3", pod=number)


def audit_trail(request: SampleRequest) -> Iterator[SampleEntry]:
    """What happens in a healthy vault."""
    for trace in request.traces():
        if trace.number % 2 == 0:
            chance = request.random("sigmavault", trace.number)
            actor = READERS[trace.number // 2 % len(READERS)]
            resource = f"secret/{actor.removeprefix('svc-')}/{chance.choice(('database', 'signing', 'smtp'))}"
            yield audit(
                after(trace.start, 4), "access", actor, "read_secret", resource, address(chance), trace=trace
            )
    for timestamp, number in request.every(30):
        yield audit(
            timestamp, "login", READERS[number % 3], "login", "auth/token", f"10.42.3.{number % 9 + 10}"
        )
    for timestamp, _ in request.every(120):
        yield audit(
            timestamp + 1, "access", "svc-reports", "read_secret", "secret/ryot/smtp", "10.42.7.4", "deny"
        )
    for timestamp, number in request.every(180):
        yield audit(
            timestamp + 2, "login", "m.okafor", "login", "auth/password", f"10.8.0.{number % 5 + 20}", "deny"
        )
    for timestamp, number in request.every(900):
        actor = sigmavault.ADMINISTRATORS[number % len(sigmavault.ADMINISTRATORS)]
        action = sigmavault.PRIVILEGED_ACTIONS[number % len(sigmavault.PRIVILEGED_ACTIONS)]
        yield audit(timestamp + 3, "admin", actor, action, "transit/signing", "10.8.0.2")


def vault_incidents(request: SampleRequest) -> Iterator[SampleEntry]:
    """What an attacker, or a wrong policy, leaves in the audit trail."""
    since = request.incident_start
    if request.incident == DENIED:
        for timestamp, _ in request.every(10, since=since):
            yield audit(
                timestamp, "access", "svc-reports", "list_secrets", "secret/ryot/", "10.42.7.4", "deny"
            )
    if request.incident == BRUTE_FORCE:
        for timestamp, number in request.every(4, since=since):
            actor = ("root", "admin", "vault-operator", "backup")[number % 4]
            yield audit(timestamp, "login", actor, "login", "auth/password", "203.0.113.66", "deny")
    if request.incident == INTRUDER:
        for timestamp, _ in request.every(120, since=since):
            yield audit(
                timestamp, "admin", "m.okafor", "delete_secret", "secret/ryot/signing", "198.51.100.23"
            )


def address(chance: Random) -> str:
    """An address inside the cluster."""
    return f"10.42.{chance.randrange(1, 6)}.{chance.randrange(2, 250)}"


def audit(
    timestamp: int,
    event: str,
    actor: str,
    action: str,
    resource: str,
    source_ip: str,
    outcome: str = "allow",
    *,
    trace: Trace | None = None,
) -> SampleEntry:
    """One line of the audit trail."""
    level = "info" if outcome == "allow" else "warn"
    fields: dict[str, Value] = {
        "event": event,
        "actor": actor,
        "action": action,
        "resource": resource,
        "outcome": outcome,
        "source_ip": source_ip,
    }
    if trace is not None:
        fields["duration_ms"] = 1.5 + trace.number % 40 / 10
    return entry(sigmavault.SERVICE, timestamp, level, f"{action} {outcome}", fields, trace=trace)


# --- Agents -------------------------------------------------------------------------------------------------

AGENTS = tuple(f"agent-{number:02d}" for number in range(1, 7))
TASKS = agents.SERVICE.field("task").values
FAILING, LOST_AGENT, BACKLOG, POISON = "failing-tasks", "lost-agent", "backlog", "poison-task"


def write_agents(request: SampleRequest) -> Iterator[SampleEntry]:
    """Heartbeats of six agents, and tasks that start and end."""
    for timestamp, number in request.every(30):
        for position, agent in enumerate(AGENTS):
            if agent == AGENTS[2] and request.during(LOST_AGENT, timestamp):
                continue
            depth = 3 + (number + position) % 8 + (170 if request.during(BACKLOG, timestamp) else 0)
            yield agent_line(
                timestamp + position,
                "info",
                agents.HEARTBEAT,
                agent,
                status="busy" if (number + position) % 3 else "idle",
                queue_depth=depth,
            )
    for trace in request.traces():
        if trace.number % 3 == 1:
            yield from task_run(request, trace)
    if request.incident == POISON:
        for timestamp, number in request.every(120, since=request.incident_start):
            yield failed_task(timestamp, "send-report", number, agents.MAX_ATTEMPTS, 812.0)


def task_run(request: SampleRequest, trace: Trace) -> Iterator[SampleEntry]:
    """One run of a task.  Its trace id travels as structured metadata."""
    chance = request.random("agents", trace.number)
    task, agent = chance.choice(TASKS), chance.choice(AGENTS)
    duration = milliseconds(chance, 1_400)
    end, task_id = after(trace.start, 20 + duration), f"t-{trace.trace_id[:6]}"
    yield agent_line(
        after(trace.start, 20),
        "debug",
        "task started",
        agent,
        trace,
        task_id=task_id,
        task=task,
        status="running",
        attempt=1,
    )
    if request.during(FAILING, trace.start) and task == "sync-metadata":
        yield failed_task(end, task, trace.number, 2, duration, trace)
    elif trace.number // 3 % 250 == 0:
        yield failed_task(end, task, trace.number, 1, duration, trace)
    else:
        yield agent_line(
            end,
            "info",
            "task finished",
            agent,
            trace,
            task_id=task_id,
            task=task,
            status="succeeded",
            attempt=1,
            duration_ms=duration,
        )


def failed_task(
    timestamp: int, task: str, number: int, attempt: int, duration: float, trace: Trace | None = None
) -> SampleEntry:
    """A task that failed; below the last attempt it will be tried again."""
    given_up = attempt >= agents.MAX_ATTEMPTS
    return agent_line(
        timestamp,
        "error",
        "task failed and was given up" if given_up else "task failed and will be tried again",
        AGENTS[number % len(AGENTS)],
        trace,
        task_id=f"t-{number % 2**24:06x}",
        task=task,
        status="failed",
        attempt=attempt,
        duration_ms=duration,
    )


def agent_line(
    timestamp: int, level: str, msg: str, agent: str, trace: Trace | None = None, **fields: Value
) -> SampleEntry:
    """One line of an agent."""
    record: dict[str, Value] = {"agent_id": agent, **fields}
    return entry(
        agents.SERVICE,
        timestamp,
        level,
        msg,
        record,
        trace=trace,
        trace_as_metadata=True,
        pod=int(agent.rpartition("-")[2]),
    )


# --- the sources --------------------------------------------------------------------------------------------

Writer = Callable[[SampleRequest], Iterator[SampleEntry]]


def source(
    service: Service,
    write: Writer,
    *own: Incident,
    silent: tuple[str, ...] = (),
    errors: tuple[str, ...] = (),
) -> SampleSource:
    """The sample logs of a service, with the incidents that any service can have.

    ``silent`` and ``errors`` are the service's own alerts that silence and a flood of errors trip, too.
    """
    name = service.name.capitalize()
    incidents = (
        Incident(ERRORS, "floods of errors", (f"{name}ErrorRatioHigh", f"{name}ErrorBurst", *errors)),
        Incident(SILENCE, "the service writes nothing any more", (f"{name}NoLogs", *silent)),
        Incident(GARBAGE, "lines that are cut off in the middle", (f"{name}UnparsedLines",)),
        *own,
    )

    def write_all(request: SampleRequest) -> Iterator[SampleEntry]:
        return with_common_incidents(service, request, write(request))

    return SampleSource(service, write_all, incidents, METRICS[service.name])


SOURCES = (
    source(
        ryot.SERVICE,
        write_ryot,
        Incident(SLOW, "every fifth request takes 6 to 9 seconds", ("RyotSlowRequests",)),
        Incident(
            DATABASE_DOWN,
            "the database does not answer",
            ("RyotDatabaseTimeouts", "RyotErrorRatioHigh", "RyotSlowRequests"),
        ),
    ),
    source(
        sigmalang.SERVICE,
        write_sigmalang,
        Incident(
            BROKEN_LIBRARY,
            "a library lost a function that others use",
            ("SigmalangCompileFailures", "SigmalangErrorRatioHigh"),
        ),
        Incident(PANIC, "the compiler crashes every two minutes", ("SigmalangInternalCompilerError",)),
        Incident(SLOW_COMPILER, "type checking takes most of a minute", ("SigmalangSlowCompilation",)),
        errors=("SigmalangCompileFailures",),
    ),
    source(
        sigmavault.SERVICE,
        write_sigmavault,
        Incident(DENIED, "a service asks for what is not its own", ("SigmavaultDeniedAccesses",)),
        Incident(BRUTE_FORCE, "one address tries passwords", ("SigmavaultBruteForce",)),
        Incident(
            AUDIT_LOST, "the audit trail stops, everything else continues", ("SigmavaultAuditTrailSilent",)
        ),
        Incident(INTRUDER, "a person deletes secrets", ("SigmavaultPrivilegedActionByUnlistedActor",)),
        silent=("SigmavaultAuditTrailSilent",),
    ),
    source(
        agents.SERVICE,
        write_agents,
        Incident(
            FAILING, "one kind of task always fails", ("AgentsTaskFailureRatioHigh", "AgentsErrorRatioHigh")
        ),
        Incident(LOST_AGENT, "agent-03 sends no heartbeats any more", ("AgentsHeartbeatMissing",)),
        Incident(BACKLOG, "far more tasks wait than usual", ("AgentsQueueBacklog",)),
        Incident(
            POISON,
            "a report fails until it is given up",
            ("AgentsRetriesExhausted", "AgentsTaskFailureRatioHigh"),
        ),
        silent=("AgentsHeartbeatMissing",),
    ),
)
