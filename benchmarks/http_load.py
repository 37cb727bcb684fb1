"""A lean client: keep-alive sockets, requests made beforehand, each answer timed from the moment it was due.

`python -m benchmarks.http_load HOST PORT TOKEN RATE SECONDS CONNECTIONS PID` prints figures as JSON; RATE 0 asks as
fast as the answers come. PID is the server's: what it used of its core, and what others took of that core meanwhile,
is read from the operating system (Linux).
"""

import contextlib
import heapq
import json
import os
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path

TASKS = 16


def requests_of(token: str) -> list[bytes]:
    made = []
    for number in range(TASKS):
        body = json.dumps({"type": f"code.kind{number}", "repo": "acme/api", "session": f"s{number}"}).encode()
        head = (
            "POST /api/advise HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class Connection:
    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due, self._got = 0.0, b""

    def ask(self, request: bytes, due: float) -> None:
        self.due = due
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Whether the whole answer is here; anything but a 200 ends the measurement."""
        part = self.socket.recv(65536)
        assert part, "the server closed the connection"
        self._got += part
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return False
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return False
        assert head.startswith(b"HTTP/1.1 200"), self._got[:500]
        self._got = b""
        return True


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds(core: int) -> float:
    """How long a core worked, for whomever; what a hypervisor took for others counts as well."""
    (line,) = [one for one in Path("/proc/stat").read_text().splitlines() if one.startswith(f"cpu{core} ")]
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def go_first() -> None:
    """Before whatever else runs on this machine, where we may: as if it were quiet."""
    with contextlib.suppress(OSError):
        os.setsid()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
        # Linux may share a core out by sessions first, and only then by processes.
        Path("/proc/self/autogroup").write_text("-15")


def run(host: str, port: int, token: str, rate: float, seconds: float, connections: int) -> tuple[list[float], float]:
    """Seconds from due to answered, one a request, and how long all of it took."""
    made, now = requests_of(token), time.perf_counter
    poll, by_number, free = select.epoll(), {}, deque[Connection]()
    for _ in range(connections):
        connection = Connection(host, port)
        by_number[connection.socket.fileno()] = connection
        poll.register(connection.socket, select.EPOLLIN)
        free.append(connection)
    took: list[float] = []
    sent, begin = 0, now()
    total = int(rate * seconds) if rate else sys.maxsize
    while len(took) < total:
        moment = now() - begin
        if not rate and moment >= seconds:
            break
        while free and sent < total and (not rate or sent / rate <= moment):
            free.popleft().ask(made[sent % TASKS], begin + (sent / rate if rate else moment))
            sent += 1
        wait = 0.2 if not rate or sent >= total or not free else max(0.0, sent / rate - (now() - begin))
        # epoll counts in milliseconds, and who spins is stopped by the operating system now and then.
        if 0.0 < wait < 0.001:
            time.sleep(min(wait, 0.0002))
        for number, _ in poll.poll(wait if wait > 0.001 else 0):
            connection = by_number[number]
            if connection.answered():
                took.append(now() - connection.due)
                free.append(connection)
    return took, now() - begin


def figures(took: list[float], lasted: float) -> dict[str, float]:
    worst = heapq.nlargest(1, took)[0]
    took.sort()
    told = {"requests": len(took), "per_second": len(took) / lasted, "max_ms": worst * 1e3}
    return told | {name: took[min(len(took) - 1, int(share * len(took)))] * 1e3
                   for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999))}  # fmt: skip


def main(host: str, port: int, token: str, rate: float, seconds: float, connections: int, pid: int) -> dict[str, float]:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    go_first()
    run(host, port, token, rate, min(1.0, seconds), connections)
    core = min(os.sched_getaffinity(pid))
    cpu, busy = processor_seconds(pid), busy_seconds(core)
    told = figures(*run(host, port, token, rate, seconds, connections))
    cpu = processor_seconds(pid) - cpu
    told["server_cpu_us"] = cpu * 1e6 / told["requests"]
    told["others_share"] = max(0.0, busy_seconds(core) - busy - cpu) / seconds
    return told


if __name__ == "__main__":
    host, port, token, rate, seconds, connections, pid = sys.argv[1:]
    print(json.dumps(main(host, int(port), token, float(rate), float(seconds), int(connections), int(pid))))
