"""What the table was measured on and with; and what the benchmark needs installed."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from . import ROOT, SERVER_CORE, Unable

PACKAGES = ["kamailio", "kamailio-tls-modules", "kamailio-lua-modules", "kamailio-extra-modules"]
MODULES = Path("/usr/lib")
# The version that the bars were set by.
KAMAILIO = "5.6"


def describe() -> dict[str, str]:
    """Machine, versions and commit, by name."""
    changed = "" if not output("git", "-C", str(ROOT), "status", "--porcelain") else ", with changes"
    return {
        "machine": f"{processor()}, {os.cpu_count()} cores, {memory_gib()} GiB, {hypervisor()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "Kamailio": kamailio(),
        "rustc": output("rustc", "--version"),
        "Ringway": output("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD") + changed,
        "command": " ".join([os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]]),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load average at the start": "%.2f %.2f %.2f" % os.getloadavg(),
    }


def check() -> None:
    """`Unable` when this machine can't carry the benchmark."""
    cores = os.sched_getaffinity(0)
    if not {0, 1} <= cores:
        raise Unable(f"the benchmark needs cores 0 and 1, one for the server and one for the generator; here are {sorted(cores)}")
    if not shutil.which("taskset"):
        raise Unable("taskset is missing: apt-get install util-linux")


def install_kamailio() -> None:
    """Installs Debian's packages when a module is missing."""
    modules = {path.name for path in MODULES.glob("**/kamailio/modules/*.so")}
    if shutil.which("kamailio") and {"tls.so", "app_lua.so", "kemix.so", "usrloc.so"} <= modules:
        return
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    if os.geteuid() != 0:
        raise Unable(f"Kamailio is missing: sudo {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment, stdout=sys.stderr)
    subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
    # Debian starts what it installs; the benchmark starts its own.
    output("systemctl", "disable", "--now", "kamailio")


def build(profile: str) -> Path:
    """Builds Ringway and the generator; returns the directory of the programs."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or default_target())
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    environment.pop("RUSTFLAGS", None)
    packages = ["--package", "ringway", "--package", "ringway-load", "--bins"]
    built = subprocess.run(["cargo", "build", "--profile", profile, *packages], cwd=ROOT, env=environment)
    if built.returncode:
        raise Unable("cargo could not build Ringway and its generator")
    return programs(profile)


def programs(profile: str) -> Path:
    """Where cargo has put the programs of a profile."""
    directory = Path(os.environ.get("CARGO_TARGET_DIR") or default_target()) / profile
    for name in ("ringway", "ringway-load", "ringway-floor"):
        if not (directory / name).exists():
            raise Unable(f"{directory / name} is missing; leave --no-build out")
    return directory


def default_target() -> Path:
    """Where scripts/test builds too."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringway" / "target"


def disk(wanted: str | None) -> Path:
    """A directory for data that is on a disk: a journal in memory would cost too little."""
    candidates = [wanted] if wanted else [os.environ.get("TMPDIR"), "/tmp", "/var/tmp", str(default_target())]
    for directory in filter(None, candidates):
        kind = output("stat", "--file-system", "--format=%T", directory)
        if kind and kind not in ("tmpfs", "ramfs"):
            return Path(directory)
    raise Unable(f"{' and '.join(filter(None, candidates))}: no such directory, or in memory; name one on a disk with --directory")


@contextmanager
def others_elsewhere() -> Iterator[int]:
    """Keeps everything else that runs off the server's core, the kernel's own threads too, as far as it may move and this process
    may move it; tells how many threads went. A kernel thread that samples memory, for example, takes a core for 12 to 26 ms at a
    time, and whatever else has work takes it for a tick of the scheduler."""
    moved: dict[int, set[int]] = {}
    for directory in Path("/proc").glob("[0-9]*/task/[0-9]*"):
        thread = int(directory.name)
        try:
            cores = os.sched_getaffinity(thread)
            if SERVER_CORE in cores and len(cores) > 1:
                os.sched_setaffinity(thread, cores - {SERVER_CORE})
                moved[thread] = cores
        except OSError:
            # It has ended, or is bound to its core, or this process is not root.
            continue
    try:
        yield len(moved)
    finally:
        for thread, cores in moved.items():
            try:
                os.sched_setaffinity(thread, cores)
            except OSError:
                continue


def kamailio() -> str:
    """The version that is installed, with a word about another one than the bars are of."""
    version = output("kamailio", "-v").split("\n")[0].removeprefix("version: ").strip()
    return version if f" {KAMAILIO}." in version or not version else f"{version} (the bars were set by {KAMAILIO})"


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor unknown")


def memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def hypervisor() -> str:
    kind = output("systemd-detect-virt", "--vm")
    return f"virtual ({kind})" if kind not in ("", "none") else "no hypervisor detected"


def output(*command: str) -> str:
    """What a command prints, trimmed; empty when it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
