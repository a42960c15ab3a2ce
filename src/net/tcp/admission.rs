//! How many connections there may be, in all and of one source. Shared by all shards.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use super::options::StreamOptions;

/// Says whether a source is kept out altogether.
struct Guard(Box<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl std::fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Guard(…)")
    }
}

/// The doorkeeper of all shards' connections.
#[derive(Debug)]
pub struct Admission {
    connections: usize,
    connections_by_source: usize,
    trusted: Vec<IpNet>,
    guard: Option<Guard>,
    admitted: Mutex<Admitted>,
}

#[derive(Debug, Default)]
struct Admitted {
    in_all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooManyInAll,
    TooManyOfSource,
    Banned,
}

/// A place among the connections, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    /// The source that the place counts for; `None` for our own connections and trusted sources.
    source: Option<IpAddr>,
}

impl Permit {
    /// The source that the place counts for; `None` for our own connections and trusted sources.
    pub(crate) const fn source(&self) -> Option<IpAddr> {
        self.source
    }
}

impl Admission {
    /// A doorkeeper with the limits of `options`, for all shards.
    pub fn new(options: &StreamOptions) -> Arc<Self> {
        Arc::new(Self::with(options, None))
    }

    /// The same, with somebody who says whether a source is banned. It is asked for each connection that comes, but for
    /// those of trusted networks.
    pub fn guarded(options: &StreamOptions, is_banned: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self::with(options, Some(Guard(Box::new(is_banned)))))
    }

    fn with(options: &StreamOptions, guard: Option<Guard>) -> Self {
        Self {
            connections: options.connections,
            connections_by_source: options.connections_by_source,
            trusted: options.trusted.clone(),
            guard,
            admitted: Mutex::default(),
        }
    }

    /// Takes a place for a connection from `peer`.
    pub(crate) fn accept(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Refusal> {
        let is_trusted = self.trusted.iter().any(|network| network.contains(&peer));
        if !is_trusted && self.guard.as_ref().is_some_and(|guard| (guard.0)(peer)) {
            return Err(Refusal::Banned);
        }
        self.take((!is_trusted).then(|| source_of(peer)))
    }

    /// Takes a place for a connection that we open.
    pub(crate) fn open(self: &Arc<Self>) -> Result<Permit, Refusal> {
        self.take(None)
    }

    fn take(self: &Arc<Self>, source: Option<IpAddr>) -> Result<Permit, Refusal> {
        let mut admitted = self.admitted();
        if admitted.in_all >= self.connections {
            return Err(Refusal::TooManyInAll);
        }
        if let Some(source) = source {
            let count = admitted.by_source.entry(source).or_default();
            if *count >= self.connections_by_source {
                return Err(Refusal::TooManyOfSource);
            }
            *count += 1;
        }
        admitted.in_all += 1;
        Ok(Permit { admission: Arc::clone(self), source })
    }

    fn admitted(&self) -> MutexGuard<'_, Admitted> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut admitted = self.admission.admitted();
        admitted.in_all = admitted.in_all.saturating_sub(1);
        if let Some(source) = self.source
            && let Some(count) = admitted.by_source.get_mut(&source)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                admitted.by_source.remove(&source);
            }
        }
    }
}

/// Whoever has one IPv6 address has the whole /64.
fn source_of(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_by_source: usize) -> Arc<Admission> {
        let trusted = vec!["192.0.2.0/24".parse().unwrap()];
        Admission::new(&StreamOptions { connections, connections_by_source, trusted, ..StreamOptions::default() })
    }

    #[test]
    fn a_source_has_its_share_and_gives_it_back() {
        let admission = admission(10, 2);
        let peer = IpAddr::from([203, 0, 113, 1]);
        let first = admission.accept(peer).unwrap();
        let _second = admission.accept(peer).unwrap();
        assert_eq!(admission.accept(peer).unwrap_err(), Refusal::TooManyOfSource);
        assert!(admission.accept(IpAddr::from([203, 0, 113, 2])).is_ok());
        drop(first);
        assert!(admission.accept(peer).is_ok());
    }

    #[test]
    fn all_together_are_bounded_and_nothing_is_kept_of_those_that_are_gone() {
        let admission = admission(2, 2);
        let first = admission.accept(IpAddr::from([203, 0, 113, 1])).unwrap();
        let second = admission.open().unwrap();
        assert_eq!(admission.accept(IpAddr::from([203, 0, 113, 2])).unwrap_err(), Refusal::TooManyInAll);
        assert_eq!(admission.open().unwrap_err(), Refusal::TooManyInAll);
        drop((first, second));
        assert!(admission.admitted().by_source.is_empty());
        assert_eq!(admission.admitted().in_all, 0);
    }

    #[test]
    fn a_trusted_network_is_only_bounded_by_the_whole() {
        let admission = admission(3, 1);
        let peer = IpAddr::from([192, 0, 2, 1]);
        let _held = [admission.accept(peer).unwrap(), admission.accept(peer).unwrap(), admission.accept(peer).unwrap()];
        assert_eq!(admission.accept(peer).unwrap_err(), Refusal::TooManyInAll);
    }

    #[test]
    fn who_is_banned_gets_no_place_unless_its_network_is_trusted() {
        let trusted = vec!["192.0.2.0/24".parse().unwrap()];
        let options = StreamOptions { trusted, ..StreamOptions::default() };
        let admission = Admission::guarded(&options, |peer| peer != IpAddr::from([203, 0, 113, 1]));
        assert_eq!(admission.accept(IpAddr::from([203, 0, 113, 2])).unwrap_err(), Refusal::Banned);
        assert!(admission.accept(IpAddr::from([203, 0, 113, 1])).is_ok());
        assert!(admission.accept(IpAddr::from([192, 0, 2, 1])).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let admission = admission(10, 1);
        let _held = admission.accept("2001:db8:1:2::1".parse().unwrap()).unwrap();
        assert_eq!(admission.accept("2001:db8:1:2:ffff::9".parse().unwrap()).unwrap_err(), Refusal::TooManyOfSource);
        assert!(admission.accept("2001:db8:1:3::1".parse().unwrap()).is_ok());
    }
}
