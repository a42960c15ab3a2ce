//! Which of our addresses a peer sees, for listeners on a wildcard address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long the kernel's choice is believed; routes change seldom.
const BELIEVED_FOR: Duration = Duration::from_secs(30);

/// Peers remembered; when there are more, all are forgotten and asked again.
const REMEMBERED: usize = 4096;

/// The kernel's choice of local address by remote address.
#[derive(Debug, Default)]
pub struct LocalAddresses {
    choice_by_remote: HashMap<IpAddr, (Option<IpAddr>, Instant)>,
}

impl LocalAddresses {
    /// The address from which the kernel would send to `remote`; `None` when there is no route. Nothing is sent.
    pub fn towards(&mut self, remote: IpAddr) -> Option<IpAddr> {
        let now = Instant::now();
        if let Some((choice, asked)) = self.choice_by_remote.get(&remote)
            && now.duration_since(*asked) < BELIEVED_FOR
        {
            return *choice;
        }
        if self.choice_by_remote.len() >= REMEMBERED {
            self.choice_by_remote.clear();
        }
        let choice = ask_kernel(remote);
        self.choice_by_remote.insert(remote, (choice, now));
        choice
    }
}

/// Connecting a UDP socket makes the kernel choose a route and a source address, and sends nothing.
fn ask_kernel(remote: IpAddr) -> Option<IpAddr> {
    /// Any port does: only the address takes part in routing. Port 9 is "discard".
    const ANY_PORT: u16 = 9;
    let wildcard: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((wildcard, 0)).ok()?;
    socket.connect(SocketAddr::new(remote, ANY_PORT)).ok()?;
    let choice = socket.local_addr().ok()?.ip();
    (!choice.is_unspecified()).then_some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_on_loopback_sees_loopback_and_the_answer_is_remembered() {
        let mut addresses = LocalAddresses::default();
        let peer = IpAddr::from([127, 0, 0, 9]);
        assert_eq!(addresses.towards(peer), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(addresses.towards(peer), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(addresses.choice_by_remote.len(), 1);
    }

    #[test]
    fn memory_is_bounded_however_many_peers_there_are() {
        let mut addresses = LocalAddresses::default();
        let long_ago = Instant::now();
        for number in 0..u32::try_from(REMEMBERED).unwrap() {
            addresses.choice_by_remote.insert(IpAddr::from(number.to_be_bytes()), (None, long_ago));
        }
        addresses.towards(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(addresses.choice_by_remote.len(), 1);
    }
}
