//! The machine's own addresses: what a listener on a wildcard address answers to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// The addresses of every interface that is up, without repetition.
///
/// # Errors
/// When the kernel does not tell.
pub(crate) fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: `first` is a valid place for the list's head; the list is freed below, once and on every path.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut entry = first;
    while !entry.is_null() {
        // SAFETY: `entry` is an element of the list, which lives until it is freed.
        let interface = unsafe { &*entry };
        if interface.ifa_flags & (libc::IFF_UP as libc::c_uint) != 0
            && let Some(address) = address(interface.ifa_addr)
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
        entry = interface.ifa_next;
    }
    // SAFETY: `first` came from getifaddrs and nothing refers to the list any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

fn address(socket_address: *const libc::sockaddr) -> Option<IpAddr> {
    if socket_address.is_null() {
        return None;
    }
    // SAFETY: a socket address begins with its family, and the kernel gives one of the family's size; it is read
    // without an assumption about its alignment.
    unsafe {
        match i32::from(ptr::addr_of!((*socket_address).sa_family).read_unaligned()) {
            libc::AF_INET => {
                let address = socket_address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr))))
            }
            libc::AF_INET6 => {
                let address = socket_address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_among_the_machine_s_addresses_and_none_is_told_twice() {
        let addresses = local_addresses().unwrap();
        assert!(addresses.contains(&IpAddr::from([127, 0, 0, 1])), "{addresses:?}");
        let different: std::collections::HashSet<_> = addresses.iter().collect();
        assert_eq!(different.len(), addresses.len());
    }
}
