//! Where Redis is, as `redis.url` says it.
//!
//! ```text
//! redis://[user:password@]host[:port][/database]             one server
//! redis-cluster://[user:password@]host:port,host:port        a Redis Cluster: some of its nodes
//! redis-sentinel://[user:password@]host:port,host:port/name  sentinels, and what they call the master
//! ```
//!
//! `rediss` in place of `redis` means TLS. The user and password are those of Redis, and of the sentinels too.

use std::fmt;

use redis::{Client, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsCertificates};

/// The port of a server, and that of a sentinel.
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Single,
    Cluster,
    Sentinel { master: String },
}

/// Where Redis is, and as whom it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) kind: Kind,
    pub(crate) servers: Vec<String>,
    is_tls: bool,
    /// As in the URL, with its `@`; empty when there is none.
    login: String,
    database: String,
    /// The certificates of the authorities that the server's must be of, in PEM; those of the system otherwise.
    authorities: Option<Vec<u8>>,
}

/// A password is in it.
impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.servers.join(","))?;
        match &self.kind {
            Kind::Sentinel { master } => write!(formatter, " (the master {master} of these sentinels)"),
            Kind::Cluster => formatter.write_str(" (a cluster)"),
            Kind::Single => Ok(()),
        }
    }
}

impl Address {
    /// Reads a URL; `authorities` are certificates in PEM.
    ///
    /// # Errors
    /// What is wrong with it, for people. The URL is not repeated, for it may hold a password.
    pub fn parse(url: &str, authorities: Option<Vec<u8>>) -> Result<Self, String> {
        let expected = "it is redis://HOST:PORT, redis-cluster://HOST:PORT,HOST:PORT or \
                        redis-sentinel://HOST:PORT,HOST:PORT/NAME, with rediss for TLS";
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("this is no URL; {expected}"))?;
        let (base, form) = scheme.split_once('-').unwrap_or((scheme, ""));
        let is_tls = match base {
            "redis" => false,
            "rediss" => true,
            _ => return Err(format!("{scheme} is not known; {expected}")),
        };
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (format!("{login}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (kind, database, port) = match form {
            "" => (Kind::Single, path, PORT),
            "cluster" if path.is_empty() => (Kind::Cluster, "", PORT),
            "cluster" => return Err("a cluster has no databases: leave out what stands behind the last /".to_owned()),
            "sentinel" if path.is_empty() => {
                return Err("the name of the master is missing: redis-sentinel://HOST:PORT/NAME".to_owned());
            }
            "sentinel" => (Kind::Sentinel { master: path.to_owned() }, "", SENTINEL_PORT),
            _ => return Err(format!("{scheme} is not known; {expected}")),
        };
        if !database.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{database:?} is no number of a database"));
        }
        let servers: Vec<_> = hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        if servers.is_empty() {
            return Err(format!("there is no host in it; {expected}"));
        }
        if kind == Kind::Single && servers.len() > 1 {
            return Err("there are several hosts: write redis-cluster:// or redis-sentinel://".to_owned());
        }
        let has_port = |server: &str| {
            server.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.ends_with(':'))
                && !server.ends_with(']')
        };
        let servers = servers
            .iter()
            .map(|server| if has_port(server) { (*server).to_owned() } else { format!("{server}:{port}") });
        let address =
            Self { kind, servers: servers.collect(), is_tls, login, database: database.to_owned(), authorities };
        for server in &address.servers {
            address.info(server).map_err(|error| {
                format!("{server}: {}", error.detail().map_or_else(|| error.category().to_owned(), str::to_owned))
            })?;
        }
        Ok(address)
    }

    /// How one of the servers is reached.
    pub(crate) fn info(&self, server: &str) -> Result<ConnectionInfo, RedisError> {
        let Self { login, database, .. } = self;
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        let database = if database.is_empty() { String::new() } else { format!("/{database}") };
        format!("{scheme}://{login}{server}{database}").into_connection_info()
    }

    pub(crate) fn client(&self, server: &str) -> Result<Client, RedisError> {
        let info = self.info(server)?;
        match self.certificates() {
            Some(certificates) => Client::build_with_tls(info, certificates),
            None => Client::open(info),
        }
    }

    pub(crate) fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = self.authorities.clone().filter(|_| self.is_tls)?;
        Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_url_is_read_and_a_missing_port_is_the_usual_one() {
        for (url, kind, servers) in [
            ("redis://localhost", Kind::Single, &["localhost:6379"][..]),
            ("rediss://user:secret@[::1]:7000/2", Kind::Single, &["[::1]:7000"]),
            ("redis-cluster://a:7001,b,[::2]", Kind::Cluster, &["a:7001", "b:6379", "[::2]:6379"]),
            ("redis-sentinel://:pw@s1,s2:1/calls", Kind::Sentinel { master: "calls".into() }, &["s1:26379", "s2:1"]),
        ] {
            let address = Address::parse(url, None).unwrap();
            assert_eq!(
                (address.kind.clone(), address.servers.clone()),
                (kind, servers.iter().map(|server| (*server).to_owned()).collect()),
                "{url}"
            );
            assert!(!format!("{address:?} {address}").contains("secret") && !format!("{address:?}").contains("pw"));
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for (url, told) in [
            ("localhost:6379", "this is no URL"),
            ("http://u:secret@h", "http is not known"),
            ("redis://", "there is no host"),
            ("redis://a,b", "several hosts"),
            ("redis://h/x", "\"x\" is no number"),
            ("redis-cluster://h/1", "no databases"),
            ("redis-sentinel://h", "the name of the master is missing"),
            ("redis-ring://h", "redis-ring is not known"),
            ("redis://u:secret@h:port", "h:port"),
        ] {
            let error = Address::parse(url, None).unwrap_err();
            assert!(error.contains(told) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
