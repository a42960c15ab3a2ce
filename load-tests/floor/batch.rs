//! recvmmsg and sendmmsg on preallocated memory. All unsafe code of the floor is here.
//!
//! Every pointer that is given to the kernel is made anew for each batch, from buffers that outlive the call; none is
//! used after it.

use std::io;
use std::marker::PhantomData;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use crate::echo::{MOST_OUTPUTS, Output};

/// Datagrams of one system call.
const BATCH: usize = 64;

/// The longest datagram that is echoed whole: several times what a call with SDP needs.
const SLOT: usize = 8192;

/// Distance of two slots. A power of two would put the first lines of all slots into the same sets of the caches.
const STRIDE: usize = SLOT + 9 * 64;

const NO_VECTOR: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

const fn no_header() -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is made of integers and raw pointers, for which zero is a value.
    unsafe { mem::zeroed() }
}

const fn no_name() -> libc::sockaddr_in {
    // SAFETY: all fields of `sockaddr_in` are integers or arrays of them, for which zero is a value.
    unsafe { mem::zeroed() }
}

/// Asks the kernel to keep `bytes` of unread datagrams; it grants at most `net.core.rmem_max`.
pub(crate) fn enlarge_receive_buffer(socket: &UdpSocket, bytes: libc::c_int) -> io::Result<()> {
    // SAFETY: the option's value is an int that outlives the call, given with its true length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            ptr::from_ref(&bytes).cast(),
            mem::size_of_val(&bytes) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Memory for one batch of datagrams in, and for what goes out because of them.
pub(crate) struct Batch {
    bytes: Box<[u8]>,
    names: Box<[libc::sockaddr_in; BATCH]>,
    lengths: Box<[usize; BATCH]>,
    outgoing: Box<Sends>,
}

struct Sends {
    names: [libc::sockaddr_in; BATCH * MOST_OUTPUTS],
    vectors: [[libc::iovec; 3]; BATCH * MOST_OUTPUTS],
}

/// What was received, and what is to be sent because of it. Borrows the batch, so that nothing is received while its
/// datagrams are still referred to.
pub(crate) struct Outgoing<'a> {
    bytes: &'a [u8],
    names: &'a [libc::sockaddr_in],
    lengths: &'a [usize],
    next: usize,
    sends: &'a mut Sends,
    count: usize,
    /// The vectors point into what the outputs borrow.
    parts: PhantomData<&'a [u8]>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; STRIDE * BATCH].into_boxed_slice(),
            names: Box::new([no_name(); BATCH]),
            lengths: Box::new([0; BATCH]),
            outgoing: Box::new(Sends {
                names: [no_name(); BATCH * MOST_OUTPUTS],
                vectors: [[NO_VECTOR; 3]; BATCH * MOST_OUTPUTS],
            }),
        }
    }

    /// Waits for a datagram and receives what is there by then, up to a batch.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<Outgoing<'_>> {
        let mut vectors = [NO_VECTOR; BATCH];
        let mut headers = [no_header(); BATCH];
        let slots = self.bytes.chunks_exact_mut(STRIDE).zip(self.names.iter_mut());
        for ((vector, header), (slot, name)) in vectors.iter_mut().zip(&mut headers).zip(slots) {
            vector.iov_base = slot.as_mut_ptr().cast();
            vector.iov_len = SLOT;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        let received = loop {
            // SAFETY: there are `BATCH` headers, each with one vector over a slot of its own and a name of its own, with
            // their true lengths; all outlive the call. No time-out is given.
            let received = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers.as_mut_ptr(),
                    BATCH as libc::c_uint,
                    libc::MSG_WAITFORONE as _,
                    ptr::null_mut(),
                )
            };
            match usize::try_from(received) {
                Ok(received) => break received,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        };
        for (header, length) in headers.iter().zip(self.lengths.iter_mut()).take(received) {
            *length = header.msg_len as usize;
        }
        Ok(Outgoing {
            bytes: &self.bytes,
            names: &self.names[..received],
            lengths: &self.lengths[..received],
            next: 0,
            sends: &mut self.outgoing,
            count: 0,
            parts: PhantomData,
        })
    }
}

impl<'a> Outgoing<'a> {
    /// The next datagram of the batch and its sender.
    pub(crate) fn next_received(&mut self) -> Option<(&'a [u8], SocketAddrV4)> {
        let (name, length) = (self.names.get(self.next)?, *self.lengths.get(self.next)?);
        let begin = self.next * STRIDE;
        let datagram = self.bytes.get(begin..begin + length.min(SLOT))?;
        self.next += 1;
        let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
        Some((datagram, SocketAddrV4::new(ip, u16::from_be(name.sin_port))))
    }

    /// Puts a packet behind those that wait to be sent. One that has no room is dropped, which `MOST_OUTPUTS` rules out.
    pub(crate) fn push(&mut self, output: Output<'a>) {
        let sends = &mut *self.sends;
        let (Some(name), Some(vectors)) = (sends.names.get_mut(self.count), sends.vectors.get_mut(self.count)) else {
            return;
        };
        *name = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: output.to.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from(*output.to.ip()).to_be() },
            sin_zero: [0; 8],
        };
        for (vector, part) in vectors.iter_mut().zip(output.parts) {
            *vector = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
        }
        self.count += 1;
    }

    /// Sends what waits, `BATCH` packets a system call. A packet that the kernel refuses is passed over.
    pub(crate) fn send(self, socket: &UdpSocket) {
        let mut headers = [no_header(); BATCH];
        let mut done = 0;
        while done < self.count {
            let waiting = (self.count - done).min(BATCH);
            let names = &mut self.sends.names[done..done + waiting];
            let vectors = &mut self.sends.vectors[done..done + waiting];
            for ((header, name), vectors) in headers.iter_mut().zip(names).zip(vectors) {
                header.msg_hdr.msg_name = ptr::from_mut(name).cast();
                header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
                header.msg_hdr.msg_iov = vectors.as_mut_ptr();
                header.msg_hdr.msg_iovlen = vectors.len() as _;
            }
            // SAFETY: the first `waiting` headers each have a name and three vectors of their own with their true
            // lengths; the vectors point into slices that live as long as `self`. The kernel only reads them.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), waiting as libc::c_uint, 0) };
            done += usize::try_from(sent).unwrap_or(0).max(1);
        }
    }
}
