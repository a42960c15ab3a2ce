"""Idle connections: how many are held, and what each costs the server in memory."""

import resource
import socket
import ssl
import time

from . import DOMAIN, Invalid
from .bench import Bench
from .servers import HOST, Ringway

# As many as wait to be accepted at a time.
BATCH = 256

# Memory is looked at when everything has settled.
SETTLE_SECONDS = 5


def measure(bench: Bench, transport: str, count: int) -> tuple[float, int]:
    """Opens so many connections, says OPTIONS on each, and holds them. Bytes each costs, and how many still answer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < count + 100:
        raise Invalid(f"{most} open files are allowed, and {count + 100} needed; raise the limit (ulimit -n)")
    with bench.ringway(0, False, tls=transport == "tls") as server:
        # What the first connections make the server set up once is not theirs.
        warm = [connect(server, transport) for _ in range(100)]
        ask_all(warm)
        time.sleep(SETTLE_SECONDS)
        before = server.memory()
        held = []
        while len(held) < count:
            batch = [connect(server, transport) for _ in range(min(BATCH, count - len(held)))]
            ask_all(batch)
            held += batch
        time.sleep(SETTLE_SECONDS)
        bytes_each = (server.memory() - before) / count
        answering = ask_all(held)
        for connection in warm + held:
            connection.close()
    return bytes_each, answering


def connect(server: Ringway, transport: str) -> socket.socket:
    plain = socket.create_connection((HOST, server.tls_port if transport == "tls" else server.port), timeout=30)
    if transport != "tls":
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def ask_all(connections: list[socket.socket]) -> int:
    """Asks on every connection; how many are answered."""
    for number, connection in enumerate(connections):
        connection.sendall(options(number, connection))
    return sum(connection.recv(4096).startswith(b"SIP/2.0 200") for connection in connections)


def options(number: int, connection: socket.socket) -> bytes:
    own = f"{HOST}:{connection.getsockname()[1]}"
    kind = "TLS" if isinstance(connection, ssl.SSLSocket) else "TCP"
    return (
        f"OPTIONS sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/{kind} {own};branch=z9hG4bKidle{number}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:idle@{DOMAIN}>;tag=1\r\nTo: <sip:{DOMAIN}>\r\nCall-ID: idle-{number}\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()
