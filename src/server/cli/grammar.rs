//! What can be written on the command line, and what is said of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Overrides;
use crate::control::protocol::{ModeWord, NO_LIMIT};

/// A multi-tenant SIP registrar and proxy. Without a command it serves.
#[derive(Debug, Parser)]
#[command(
    name = "ringway",
    version,
    after_help = "Try it: `ringway serve --demo` starts a node with three extensions and prints how to register as \
                  each.\nThe configuration is explained, key by key, in config/ringway.toml. SIGHUP reads it again, \
                  SIGTERM ends a node in order.\nExit codes: 0 done, 1 failed, 2 usage or configuration."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    #[command(flatten)]
    pub(crate) serve: ServeArguments,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Args, Debug)]
pub(crate) struct CommonArguments {
    /// The configuration file [default: ./ringway.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory: database, journal and keys [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl CommonArguments {
    /// What the command line says in place of the configuration.
    pub(crate) fn overrides(self, serve: ServeArguments) -> Overrides {
        Overrides { file: self.config, data: self.data, listen: serve.listen, http: serve.http }
    }
}

#[derive(Args, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServeArguments {
    /// Add the tenant demo.ringway.test with extensions 101, 102 and 103, and print how to register as each
    #[arg(long)]
    pub(crate) demo: bool,
    /// Speak SIP here, in place of the configured listeners; may be given several times
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT")]
    listen: Vec<String>,
    /// Answer HTTP here, in place of the configured address
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a node: registrar and proxy
    #[command(after_help = "Example: ringway serve --demo --listen udp:127.0.0.1:5060 --listen tcp:127.0.0.1:5060")]
    Serve(ServeArguments),
    /// Say what is wrong with the configuration and the data directory, without starting anything
    #[command(after_help = "Each mistake is told as FILE:LINE with what to write instead; then the exit code is 2.")]
    Check,
    /// Tenants: who owns domains, extensions and limits
    Tenant {
        #[command(subcommand)]
        verb: TenantVerb,
    },
    /// Say where a SIP URI leads to: what DNS is asked, and the targets in the order in which they are tried
    #[command(
        after_help = "Follows RFC 3263: NAPTR, SRV, then addresses. Nothing is sent to the targets unless --probe asks \
                      for it.\nExample: ringway resolve sip:carrier.example --probe"
    )]
    Resolve(ResolveArguments),
    /// Extensions: a tenant's numbered users
    Extension {
        #[command(subcommand)]
        verb: ExtensionVerb,
    },
    /// Show the SIP messages of a tenant, number, call or network as they pass a running node
    #[command(
        after_help = "What came by TLS or WebSocket is in clear, credentials and keys are masked. Ctrl-C ends it.\nA \
                      message that matches brings in its whole call. Examples:\n  ringway capture --tenant \
                      acme.example --number 101 --ladder\n  ringway capture --call a84b4c76e66710@198.51.100.7 --out \
                      call.pcap\n  ringway capture --source 198.51.100.0/24 --out - | wireshark -k -i -\n  ringway \
                      capture ladder call.pcap"
    )]
    Capture(CaptureArguments),
    /// Keep database, journal and keys together in one file, also while a node runs
    #[command(
        after_help = "Whoever has the file can open every secret in it. Example: ringway backup --output monday.tar"
    )]
    Backup(BackupArguments),
    /// Put a backup's database, journal and keys into a data directory that no node uses
    #[command(
        after_help = "Example: ringway restore monday.tar --data ./data\nWith --replace what is there is moved aside, not \
                      removed."
    )]
    Restore(RestoreArguments),
    /// Bans: who is shut out for a while by a running node, and why
    Bans {
        #[command(subcommand)]
        verb: BansVerb,
    },
}

#[derive(Args, Debug)]
pub(crate) struct BackupArguments {
    /// The file, which must not be there yet [default: ringway-<time>.tar]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct RestoreArguments {
    /// The file that `ringway backup` has written
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Take the place of what is in the data directory
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CaptureArguments {
    #[command(subcommand)]
    pub(crate) verb: Option<CaptureVerb>,
    /// Messages of the tenant with this domain or alias, and of no other
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) tenant: Option<String>,
    /// Messages with this number in Request-URI, From or To
    #[arg(long, value_name = "NUMBER")]
    pub(crate) number: Option<String>,
    /// Messages with this Call-ID
    #[arg(long, value_name = "CALL-ID")]
    pub(crate) call: Option<String>,
    /// Messages from and to this network or address
    #[arg(long, value_name = "CIDR")]
    pub(crate) source: Option<String>,
    /// All messages of the node
    #[arg(long, conflicts_with_all = ["tenant", "number", "call", "source"])]
    pub(crate) all: bool,
    /// Write them as pcapng to this file, which must not be there yet; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Draw each call as a ladder at the end
    #[arg(long)]
    pub(crate) ladder: bool,
    /// Send them on as HEP, to Homer for instance
    #[arg(long, value_name = "udp:ADDRESS:PORT")]
    pub(crate) hep: Option<String>,
    /// End after so many seconds
    #[arg(long, value_name = "N", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// End after so many messages
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) max_messages: u64,
    /// Draw with - | > instead of lines [default: by the locale]
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaptureVerb {
    /// Draw the calls of a file that a capture has written
    Ladder {
        /// The file
        #[arg(value_name = "FILE.pcap")]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BansVerb {
    /// Show who is banned, why, since when, until when, and what was kept out meanwhile
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Ban an address, or the /64 of an IPv6 address
    #[command(after_help = "Example: ringway bans add 192.0.2.7 --seconds 86400 --reason \"abuse report 17\"")]
    Add(BansAddArguments),
    /// End bans
    #[command(after_help = "Example: ringway bans remove 192.0.2.7")]
    Remove {
        /// An address, which frees its ports and accounts too; an address and port; or all
        #[arg(value_name = "SOURCE|all")]
        source: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ResolveArguments {
    /// A sip: or sips: URI, or a domain
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// Ask this DNS server; may be given several times [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) server: Vec<String>,
    /// Send an OPTIONS to the first target, and to the next when it does not answer
    #[arg(long)]
    pub(crate) probe: bool,
    /// Let DNS lead to 127.0.0.1 and ::1 too, as in a laboratory; elsewhere such answers are left out
    #[arg(long)]
    pub(crate) loopback: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BansAddArguments {
    /// An address
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// For how long
    #[arg(long, value_name = "N", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// What the list shows
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantVerb {
    /// Add a tenant; on a running node it is in force when the command returns
    #[command(after_help = "Example: ringway tenant add acme.example --name \"Acme Ltd\" --max-calls 20")]
    Add(TenantAddArguments),
    /// List the tenants
    List,
    /// Change a tenant; on a running node it is in force when the command returns
    #[command(after_help = "Example: ringway tenant set acme.example --media always --max-media 200")]
    Set(TenantSetArguments),
}

#[derive(Args, Debug)]
pub(crate) struct TenantAddArguments {
    /// The main SIP domain: what stands behind the @ in its extensions' addresses
    #[arg(value_name = "DOMAIN")]
    pub(crate) domain: String,
    /// What people call it [default: the domain]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A further domain that means this tenant; may be given several times
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) alias: Vec<String>,
    /// Requests from this network, in the name of one of its extensions, need no password; may be given several times
    #[arg(long, value_name = "CIDR")]
    pub(crate) trust: Vec<String>,
    /// The most extensions it may have [default: no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_extensions: Option<u32>,
    /// The most calls it may have at once [default: no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_calls: Option<u32>,
    /// Requests a second that belong to no dialog; 0 is no budget [default: limits.tenant_rps]
    #[arg(long, value_name = "N")]
    pub(crate) rps: Option<u32>,
    /// REGISTERs a second; 0 is no budget [default: limits.tenant_registers_ps]
    #[arg(long, value_name = "N")]
    pub(crate) registers_ps: Option<u32>,
    /// INVITEs a second; 0 is no budget [default: limits.tenant_calls_ps]
    #[arg(long, value_name = "N")]
    pub(crate) calls_ps: Option<u32>,
    /// Connections at once on which its phones have authenticated; 0 is no bound [default: limits.tenant_connections]
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<u32>,
    /// How much it counts beside other tenants when the node is overloaded, 1 to 1000 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) weight: Option<u16>,
    /// What becomes of a device too many of an extension [default: reject]
    #[arg(long, value_name = "POLICY", value_parser = ["reject", "replace_oldest"])]
    pub(crate) when_full: Option<String>,
    /// Whether the media of its calls is relayed; auto: when the two sides can't reach each other [default: auto]
    #[arg(long, value_name = "POLICY", value_parser = ["auto", "always", "never"])]
    pub(crate) media: Option<String>,
    /// The most streams of media that it may have relayed at once; a call of audio is one [default: half of the node's]
    #[arg(long, value_name = "N")]
    pub(crate) max_media: Option<u32>,
    /// The seconds that one of its calls may last; calls.max_seconds holds beside it [default: calls.max_seconds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=604_800))]
    pub(crate) max_call_seconds: Option<u32>,
    /// What a REGISTER is kept by before it is answered: this node alone, or Redis too [default: memory]
    #[arg(long, value_name = "WHERE", value_parser = ["memory", "redis"])]
    pub(crate) acknowledge: Option<String>,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct TenantSetArguments {
    /// The tenant's domain
    #[arg(value_name = "DOMAIN")]
    pub(crate) domain: String,
    /// What becomes of a device too many of an extension
    #[arg(long, group = "change", value_name = "POLICY", value_parser = ["reject", "replace_oldest"])]
    pub(crate) when_full: Option<String>,
    /// Whether the media of its calls is relayed; auto: when the two sides can't reach each other
    #[arg(long, group = "change", value_name = "POLICY", value_parser = ["auto", "always", "never"])]
    pub(crate) media: Option<String>,
    /// The most streams of media that it may have relayed at once; none: half of the node's
    #[arg(long, group = "change", value_name = "N|none", value_parser = number_or_none)]
    pub(crate) max_media: Option<String>,
    /// The seconds that one of its calls may last, from 10 on; 0: as many as calls.max_seconds says
    #[arg(long, group = "change", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=604_800))]
    pub(crate) max_call_seconds: Option<u32>,
    /// What a REGISTER is kept by before it is answered: this node alone, or Redis too
    #[arg(long, group = "change", value_name = "WHERE", value_parser = ["memory", "redis"])]
    pub(crate) acknowledge: Option<String>,
    /// Requests a second that belong to no dialog; 0: no budget; none: limits.tenant_rps
    #[arg(long, group = "change", value_name = "N|none", value_parser = number_or_none)]
    pub(crate) rps: Option<String>,
    /// REGISTERs a second; 0: no budget; none: limits.tenant_registers_ps
    #[arg(long, group = "change", value_name = "N|none", value_parser = number_or_none)]
    pub(crate) registers_ps: Option<String>,
    /// INVITEs a second; 0: no budget; none: limits.tenant_calls_ps
    #[arg(long, group = "change", value_name = "N|none", value_parser = number_or_none)]
    pub(crate) calls_ps: Option<String>,
    /// Connections at once on which its phones have authenticated; 0: no bound; none: limits.tenant_connections
    #[arg(long, group = "change", value_name = "N|none", value_parser = number_or_none)]
    pub(crate) connections: Option<String>,
    /// How much it counts beside other tenants when the node is overloaded, 1 to 1000
    #[arg(long, group = "change", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) weight: Option<u16>,
}

fn number_or_none(text: &str) -> Result<String, String> {
    match text.parse::<u32>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) if text == NO_LIMIT => Ok(text.to_owned()),
        Err(_) => Err(format!("write a number, or {NO_LIMIT}")),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExtensionVerb {
    /// Add one extension; a password that is not given is generated and printed once
    #[command(after_help = "Example: ringway extension add --tenant acme.example 101 --email ann@acme.example")]
    Add(ExtensionAddArguments),
    /// Add or change many extensions from a CSV file: all of them, or none when there is any mistake (but see --keep-good)
    #[command(
        after_help = "The first row names the columns; the least are extension_number,auth_name,extension_password,\
                      email.\nMistakes are told as FILE:LINE: column: what is wrong. Example:\n  ringway extension \
                      import --tenant acme.example staff.csv --dry-run"
    )]
    Import(ExtensionImportArguments),
    /// Write a tenant's extensions as CSV, without their passwords
    Export(ExtensionExportArguments),
    /// Show the devices that are registered at the running node, and how their pings go
    #[command(after_help = "Example: ringway extension registrations --tenant acme.example 101")]
    Registrations(ExtensionRegistrationsArguments),
}

#[derive(Args, Debug)]
pub(crate) struct ExtensionAddArguments {
    /// The tenant's domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) tenant: String,
    /// What others dial
    #[arg(value_name = "NUMBER")]
    pub(crate) number: String,
    /// Its user's e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: String,
    /// The user name to register with [default: generated]
    #[arg(long, value_name = "NAME")]
    pub(crate) auth_name: Option<String>,
    /// What phones show
    #[arg(long, value_name = "NAME")]
    pub(crate) display_name: Option<String>,
    /// The most phones it may have registered at once, 1 to 10 [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) max_phones: Option<String>,
    /// The most apps (which are woken by a push notification), 0 to 10 [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) max_apps: Option<String>,
    /// Read the password from this file's first line; - is standard input [default: generated]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ExtensionImportArguments {
    /// The tenant's domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) tenant: String,
    /// The CSV file, in UTF-8
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// What to do with a number that is there already
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: ModeWord,
    /// Find every mistake and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave out the rows with a mistake and keep the others; it ends with 1 when there was any
    #[arg(long)]
    pub(crate) keep_good: bool,
    /// Where to write the passwords that were left blank and are generated [default: beside FILE.csv]
    #[arg(long, value_name = "FILE")]
    pub(crate) passwords: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ExtensionRegistrationsArguments {
    /// The tenant's domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) tenant: String,
    /// The extension [default: all of the tenant]
    #[arg(value_name = "NUMBER")]
    pub(crate) number: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ExtensionExportArguments {
    /// The tenant's domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) tenant: String,
    /// The file to write, which must not be there yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
