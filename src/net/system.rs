//! The system calls, those of batched UDP above all, that neither the standard library nor socket2 offers. All unsafe code of this
//! crate is here, and nothing else is.
//!
//! Every pointer that is given to the kernel is made anew for each call, from buffers that outlive the call and are
//! not otherwise borrowed during it; none is kept.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Datagrams received or sent by one system call.
pub(crate) const BATCH: usize = 64;

/// Payloads that one system call sends at most.
pub(crate) const MOST_PAYLOADS: usize = 256;

/// Room for ancillary data of one datagram: packet information (40 at most), time stamp (32), drop count (24).
const CONTROL_LENGTH: usize = 128;

/// What is added to the distance of two slots of the arena. A power of two would put the first lines of all slots
/// into the same few sets of the processor's caches.
const SLOT_OFFSET: usize = 9 * 64;

/// Ancillary data, aligned as the kernel lays it out.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LENGTH]);

const NO_CONTROL: Control = Control([0; CONTROL_LENGTH]);

/// A socket address of either family. Both begin with the family, at the same place.
#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    const fn empty() -> Self {
        // SAFETY: all fields of `sockaddr_in6` are integers or arrays of them, for which zero is a value. It is the
        // larger member, so that the whole union is initialised.
        Self { v6: unsafe { mem::zeroed() } }
    }

    fn write(&mut self, address: SocketAddr) -> usize {
        *self = Self::empty();
        match address {
            SocketAddr::V4(address) => {
                self.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: in_addr(*address.ip()),
                    sin_zero: [0; 8],
                };
                mem::size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(address) => {
                self.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                mem::size_of::<libc::sockaddr_in6>()
            }
        }
    }

    /// The address that the kernel wrote. The flow label is left out: it is no part of who the peer is.
    fn read(&self) -> Option<SocketAddr> {
        // SAFETY: every byte of the union is initialised (`empty`), both members are plain integers, and the
        // family is at the same offset in both.
        match i32::from(unsafe { self.v4.sin_family }) {
            libc::AF_INET => {
                // SAFETY: as above.
                let address = unsafe { self.v4 };
                let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(address.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let address = unsafe { self.v6 };
                let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(address.sin6_port), 0, address.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from(address).to_be() }
}

const NO_VECTOR: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

fn no_header() -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is made of integers and raw pointers, for which zero is a value.
    unsafe { mem::zeroed() }
}

/// Where batches of datagrams are received.
pub(crate) struct Arena {
    bytes: Box<[u8]>,
    slot: usize,
    names: Box<[Name; BATCH]>,
    controls: Box<[Control; BATCH]>,
    lengths: Box<[Lengths; BATCH]>,
}

/// What the kernel wrote about a datagram: bytes of payload, bytes of ancillary data, flags.
#[derive(Clone, Copy, Default)]
struct Lengths {
    payload: usize,
    control: usize,
    flags: libc::c_int,
}

/// One datagram of the batch received last.
pub(crate) struct Datagram<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) remote: SocketAddr,
    /// The address that was asked, when the socket tells.
    pub(crate) local: Option<IpAddr>,
    /// When the kernel received it, since the Unix epoch.
    pub(crate) received: Option<Duration>,
    /// How many the kernel has dropped on this socket since it was opened; absent while it is none.
    pub(crate) drops: Option<u32>,
    /// The datagram was longer than the slot.
    pub(crate) is_truncated: bool,
}

impl Arena {
    /// Room for a batch of datagrams of `slot` bytes each. Pages are only taken as they are written.
    pub(crate) fn new(slot: usize) -> Self {
        Self {
            bytes: vec![0; (slot + SLOT_OFFSET) * BATCH].into_boxed_slice(),
            slot,
            names: Box::new([Name::empty(); BATCH]),
            controls: Box::new([NO_CONTROL; BATCH]),
            lengths: Box::new([Lengths::default(); BATCH]),
        }
    }

    /// Receives what is there, up to a batch, without waiting (recvmmsg).
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut vectors = [NO_VECTOR; BATCH];
        let mut headers = [no_header(); BATCH];
        let bytes = self.bytes.as_mut_ptr();
        for (index, (vector, header)) in vectors.iter_mut().zip(&mut headers).enumerate() {
            // SAFETY: the arena was made with room for `BATCH` slots at this distance.
            vector.iov_base = unsafe { bytes.add(index * (self.slot + SLOT_OFFSET)) }.cast();
            vector.iov_len = self.slot;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        for (header, (name, control)) in headers.iter_mut().zip(self.names.iter_mut().zip(self.controls.iter_mut())) {
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<Name>() as libc::socklen_t;
            header.msg_hdr.msg_control = ptr::from_mut(control).cast();
            header.msg_hdr.msg_controllen = CONTROL_LENGTH as _;
        }
        // SAFETY: there are `BATCH` headers, each with one vector over a slot of its own, a name and a control
        // buffer of its own, with their true lengths; all outlive the call. No time-out is given.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (header, lengths) in headers.iter().zip(self.lengths.iter_mut()).take(received) {
            #[allow(clippy::unnecessary_cast, reason = "the C libraries differ in the type of msg_controllen")]
            let control = header.msg_hdr.msg_controllen as usize;
            *lengths = Lengths { payload: header.msg_len as usize, control, flags: header.msg_hdr.msg_flags };
        }
        Ok(received)
    }

    /// The datagram at `index` of the last batch; `None` past its end or when the sender's address is of no known
    /// family.
    pub(crate) fn datagram(&self, index: usize) -> Option<Datagram<'_>> {
        let lengths = self.lengths.get(index)?;
        let mut datagram = Datagram {
            bytes: self.bytes(index)?,
            remote: self.names.get(index)?.read()?,
            local: None,
            received: None,
            drops: None,
            is_truncated: lengths.flags & libc::MSG_TRUNC != 0,
        };
        read_control(self.controls.get(index)?, lengths.control, &mut datagram);
        Some(datagram)
    }

    /// The payload of the datagram at `index`, as much of it as the slot took.
    pub(crate) fn bytes(&self, index: usize) -> Option<&[u8]> {
        let begin = index * (self.slot + SLOT_OFFSET);
        self.bytes.get(begin..begin + self.lengths.get(index)?.payload.min(self.slot))
    }
}

fn read_control(control: &Control, length: usize, datagram: &mut Datagram<'_>) {
    let mut header = no_header().msg_hdr;
    header.msg_control = ptr::from_ref(control).cast_mut().cast();
    header.msg_controllen = length.min(CONTROL_LENGTH) as _;
    // SAFETY: `header` describes `length` bytes of ancillary data that the kernel wrote, which outlive this function;
    // the macros only read, and return null at the end.
    let mut item = unsafe { libc::CMSG_FIRSTHDR(&header) };
    while !item.is_null() {
        // SAFETY: not null, hence a whole header within `control`; `control` is aligned for it.
        let (level, kind, data) = unsafe { ((*item).cmsg_level, (*item).cmsg_type, libc::CMSG_DATA(item)) };
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: the kernel puts an `in_pktinfo` behind a header of this kind; it may be unaligned.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                datagram.local = Some(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: likewise an `in6_pktinfo`.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                datagram.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: likewise a `timespec`.
                let time = unsafe { data.cast::<libc::timespec>().read_unaligned() };
                let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
                datagram.received = Some(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default()));
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                // SAFETY: likewise a 32-bit count.
                datagram.drops = Some(unsafe { data.cast::<u32>().read_unaligned() });
            }
            _ => {}
        }
        // SAFETY: as for the first header; `item` lies within the data that `header` describes.
        item = unsafe { libc::CMSG_NXTHDR(&header, item) };
    }
}

/// Datagrams to send to one address: one, or several of the same length, of which the last may be shorter.
pub(crate) struct Outbound<P> {
    pub(crate) payloads: P,
    /// The length of each when there are several.
    pub(crate) segment: Option<u16>,
    pub(crate) remote: SocketAddr,
    /// The address to send from; the kernel's choice without one.
    pub(crate) source: Option<IpAddr>,
}

/// Sends up to a batch in order, without waiting, and returns how many the kernel took (sendmmsg). Several datagrams to
/// one address go through the kernel as one and are parted where they leave (UDP_SEGMENT, Linux 4.18). There are at
/// most [`MOST_PAYLOADS`] in all. An error is that of the first: when a later one fails, those before it are taken and
/// the next call tells.
pub(crate) fn send<'a, P: Iterator<Item = &'a [u8]>>(
    socket: BorrowedFd<'_>,
    outbound: impl Iterator<Item = Outbound<P>>,
) -> io::Result<usize> {
    let mut names = [const { MaybeUninit::<Name>::uninit() }; BATCH];
    let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; MOST_PAYLOADS];
    let mut vectors = &mut vectors[..];
    let mut count = 0;
    for (((name, control), header), outbound) in names.iter_mut().zip(&mut controls).zip(&mut headers).zip(outbound) {
        let mut filled = 0;
        for (vector, payload) in vectors.iter_mut().zip(outbound.payloads) {
            vector.write(libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() });
            filled += 1;
        }
        let (own, rest) = mem::take(&mut vectors).split_at_mut(filled);
        vectors = rest;
        let name = name.write(Name::empty());
        let header = &mut header.write(no_header()).msg_hdr;
        header.msg_namelen = name.write(outbound.remote) as libc::socklen_t;
        header.msg_name = ptr::from_mut(name).cast();
        header.msg_iov = own.as_mut_ptr().cast();
        header.msg_iovlen = filled as _;
        if outbound.source.is_some() || outbound.segment.is_some() {
            let control = control.write(NO_CONTROL);
            if let Some(source) = outbound.source {
                write_source(header, control, source);
            }
            if let Some(segment) = outbound.segment {
                write_control(header, control, libc::SOL_UDP, libc::UDP_SEGMENT, segment);
            }
        }
        count += 1;
    }
    // SAFETY: the first `count` headers are written. Each has vectors of its own, as many as it says, over bytes that are
    // borrowed beyond the call (which only reads them, whatever the type of the pointer says), and a name and control data
    // that live in this function.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr().cast(),
            count,
            (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Asks the kernel to send from `source`.
fn write_source(header: &mut libc::msghdr, control: &mut Control, source: IpAddr) {
    match source {
        IpAddr::V4(source) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr(source),
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            write_control(header, control, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        }
        IpAddr::V6(source) => {
            let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: source.octets() }, ipi6_ifindex: 0 };
            write_control(header, control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
        }
    }
}

/// Adds `data` to the ancillary items of `header`, which are in `control`.
fn write_control<T: Copy>(
    header: &mut libc::msghdr,
    control: &mut Control,
    level: libc::c_int,
    kind: libc::c_int,
    data: T,
) {
    let length = mem::size_of::<T>() as libc::c_uint;
    // SAFETY: a computation on numbers.
    let (space, length) = unsafe { (libc::CMSG_SPACE(length), libc::CMSG_LEN(length)) };
    #[allow(clippy::unnecessary_cast, reason = "the C libraries differ in the type of msg_controllen")]
    let used = header.msg_controllen as usize;
    let Some(room) = control.0.get_mut(used..used + space as usize) else { return debug_assert!(false) };
    let item: *mut libc::cmsghdr = room.as_mut_ptr().cast();
    // SAFETY: `room` has the space of a header and of `data` behind it. It is aligned for the header, since `control` is and
    // every item's space is a multiple of that. The data is written without asking for alignment.
    unsafe {
        (*item).cmsg_level = level;
        (*item).cmsg_type = kind;
        (*item).cmsg_len = length as _;
        libc::CMSG_DATA(item).cast::<T>().write_unaligned(data);
    }
    header.msg_control = ptr::from_mut(control).cast();
    header.msg_controllen = (used + space as usize) as _;
}

/// Whether the kernel takes several datagrams as one. An older one would not refuse them, but send them as one.
pub(crate) fn parts_datagrams(socket: BorrowedFd<'_>) -> bool {
    let mut value: libc::c_int = 0;
    let mut length = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is a C int that outlives the call, and its length is given and may be written.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            ptr::from_mut(&mut value).cast(),
            &raw mut length,
        )
    };
    result == 0
}

/// Sets a boolean socket option.
pub(crate) fn switch_on(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is a C int that outlives the call, and its length is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&on).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
