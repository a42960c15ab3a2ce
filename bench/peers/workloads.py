"""The workloads, and the bars that Ringway is to meet."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    name: str
    # What the table calls it.
    title: str
    # The scenario of ringway-load.
    scenario: str
    # Whether the servers challenge. Where they don't, Ringway's tenant trusts the generator's network.
    authentication: bool
    # Ringway's CPU time an operation to Kamailio's, at most; none where only the difference to another row is of interest.
    bar: float | None
    # Which of Kamailio's configurations is the peer.
    kamailio: str = "kamailio.cfg"
    # Why Ringway has no figure in this row; empty when it has one.
    ringway_lacks: str = ""
    # Addresses that the phones share; callees have as many of their own.
    addresses: int = 16
    # What carries the messages: udp, tcp or tls.
    transport: str = "udp"

    @property
    def is_stream(self) -> bool:
        return self.transport != "udp"


# So many that two datagrams of a batch seldom go to the same one: each is sent by itself.
SCATTERED = 1_000

# Connections of the phones, and of the callees: a few hundred users share one, as behind an outbound proxy.
CONNECTIONS = 256

WORKLOADS = [
    Workload("options", "OPTIONS answered", "options", False, 0.60),
    Workload("register", "REGISTER, no authentication", "register", False, 0.50),
    Workload(
        "register-scattered", "the same, phones at 1,000 addresses", "register", False, None, addresses=SCATTERED
    ),
    Workload("refresh", "REGISTER refresh, nonce known", "refresh", True, 0.50),
    Workload("register-challenge", "REGISTER with digest challenge", "register", True, 0.50),
    Workload("call", "proxied call", "call", False, 0.45),
    Workload("call-scattered", "the same, phones at 1,000 addresses a side", "call", False, None, addresses=SCATTERED),
    Workload("call-auth", "proxied call with 407", "call-auth", True, 0.45),
    Workload("register-tcp", "REGISTER, no authentication, TCP", "register", False, 0.60, addresses=CONNECTIONS, transport="tcp"),
    Workload("call-tcp", "proxied call, TCP", "call", False, 0.60, addresses=CONNECTIONS, transport="tcp"),
    Workload("register-tls", "REGISTER, no authentication, TLS", "register", False, 0.60, addresses=CONNECTIONS, transport="tls"),
    Workload("call-tls", "proxied call, TLS", "call", False, 0.60, addresses=CONNECTIONS, transport="tls"),
    Workload(
        "call-lua",
        "proxied call, Kamailio's routing in Lua",
        "call",
        False,
        0.50,
        kamailio="kamailio-lua.cfg",
        ringway_lacks="Ringway's Lua hooks are not built yet",
    ),
]

BYTES_A_BINDING = 400
BYTES_A_BINDING_AT = 500_000


def by_names(names: str) -> list[Workload]:
    """The workloads of a list with commas; all when it is empty.

    >>> [workload.name for workload in by_names("call,options")]
    ['options', 'call']
    >>> by_names("cal")
    Traceback (most recent call last):
    ValueError: no workload is called cal; there are options, register, register-scattered, refresh, register-challenge, call, call-scattered, call-auth, register-tcp, call-tcp, register-tls, call-tls, call-lua
    """
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    known = [workload.name for workload in WORKLOADS]
    for name in sorted(wanted - set(known)):
        raise ValueError(f"no workload is called {name}; there are {', '.join(known)}")
    return [workload for workload in WORKLOADS if not wanted or workload.name in wanted]
