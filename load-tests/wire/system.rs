//! The system calls that the standard library does not offer. All unsafe code of this crate is here.

use std::io;
use std::mem;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Datagrams received or sent by one system call.
pub(crate) const BATCH: usize = 128;

/// The most that the kernel gives at once: a train of datagrams (`UDP_GRO`), as long together as the longest datagram.
const LARGEST: usize = 65_536;

/// The distance of two slots: no power of two, which would put the first lines of all slots into the same few sets of the
/// processor's caches.
const DISTANCE: usize = LARGEST + 9 * 64;

/// Tells which descriptors are ready.
pub(crate) struct Poll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The number it was added with.
    pub(crate) key: u32,
    pub(crate) is_readable: bool,
    pub(crate) is_writable: bool,
}

impl Poll {
    pub(crate) fn new(most: usize) -> io::Result<Self> {
        // SAFETY: takes a flag, returns a new descriptor or -1.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // A thread's timers may be late by 50 us, for the sake of batteries; arrivals are due to the microsecond.
        // SAFETY: takes numbers and changes this thread's slack only.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000 as libc::c_ulong) };
        // SAFETY: the descriptor is new and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; most.clamp(1, 1024)] })
    }

    /// Watches a descriptor for input, and for room to write if asked.
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>, key: u32, for_writing: bool, is_new: bool) -> io::Result<()> {
        let events = libc::EPOLLIN | if for_writing { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: events as u32, u64: u64::from(key) };
        let operation = if is_new { libc::EPOLL_CTL_ADD } else { libc::EPOLL_CTL_MOD };
        // SAFETY: both descriptors are open, and the event outlives the call.
        let result = unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits at most so long, to the nanosecond. Appends what is ready.
    pub(crate) fn wait(&mut self, patience: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
        let patience = libc::timespec {
            tv_sec: libc::time_t::try_from(patience.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(patience.subsec_nanos() as i32),
        };
        // SAFETY: the events are that many, the time outlives the call, and no signal mask is given. The call is made by
        // number because older C libraries have no name for it (Linux 5.11 has the call).
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as libc::c_int,
                ptr::from_ref(&patience),
                ptr::null::<libc::sigset_t>(),
                0,
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        };
        ready.extend(self.events.iter().take(count).map(|event| {
            let (events, key) = (event.events as i32, event.u64 as u32);
            let is_broken = events & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
            Ready {
                key,
                is_readable: is_broken || events & libc::EPOLLIN != 0,
                is_writable: is_broken || events & libc::EPOLLOUT != 0,
            }
        }));
        Ok(())
    }
}

const NO_VECTOR: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

fn no_header() -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is made of integers and raw pointers, for which zero is a value.
    unsafe { mem::zeroed() }
}

/// Room for what the kernel tells of a train: the length of each datagram but the last.
const CONTROL_LENGTH: usize = 32;

/// Ancillary data, aligned as the kernel lays it out.
#[repr(C, align(8))]
struct Control([u8; CONTROL_LENGTH]);

/// Where batches of datagrams are received.
pub(crate) struct Arena {
    /// Pages of it are only taken as they are written.
    bytes: Vec<u8>,
    /// Where each datagram of the last batch lies.
    datagrams: Vec<Range<usize>>,
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; DISTANCE * BATCH], datagrams: Vec::with_capacity(BATCH) }
    }

    /// Receives what is there, up to `most` datagrams or trains, without waiting; tells how many. `most` keeps small batches
    /// cheap: a header is made for each that might come.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        let mut vectors = [NO_VECTOR; BATCH];
        let mut controls = [const { mem::MaybeUninit::<Control>::uninit() }; BATCH];
        let mut headers = [const { mem::MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
        let most = most.clamp(1, BATCH);
        self.datagrams.clear();
        let bytes = self.bytes.as_mut_ptr();
        let slots = vectors.iter_mut().zip(&mut controls).zip(&mut headers);
        for (index, ((vector, control), header)) in slots.take(most).enumerate() {
            // SAFETY: the arena was made with room for `BATCH` slots at this distance.
            vector.iov_base = unsafe { bytes.add(index * DISTANCE) }.cast();
            vector.iov_len = LARGEST;
            let header = header.write(no_header());
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_LENGTH as _;
        }
        // SAFETY: the first `most` headers are written, each with one vector over a slot and room for ancillary data of its
        // own; all outlive the call. No names and no time-out are asked for.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                most as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (index, header) in headers.iter().take(received).enumerate() {
            // SAFETY: `received` is at most `most`, and so many headers are written.
            let header = unsafe { header.assume_init_ref() };
            let begin = index * DISTANCE;
            let end = begin + header.msg_len as usize;
            // SAFETY: the kernel has filled the header's ancillary data, which is still there.
            let each = unsafe { length_in_train(&header.msg_hdr) }.unwrap_or(LARGEST);
            self.datagrams.push(begin..end.min(begin + each));
            self.datagrams.extend((begin + each..end).step_by(each).map(|begin| begin..end.min(begin + each)));
        }
        Ok(received)
    }

    /// The datagrams of the last batch.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.datagrams.iter().map(|range| &self.bytes[range.clone()])
    }
}

/// How long each datagram of a train is but the last, which may be shorter; none for one that came alone.
///
/// # Safety
///
/// The header's ancillary data is what the kernel wrote.
unsafe fn length_in_train(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the header's pointer and length are of one piece of memory, filled by the kernel.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    if (control.cmsg_level, control.cmsg_type) != (libc::SOL_UDP, libc::UDP_GRO) {
        return None;
    }
    // SAFETY: the data of this kind is a C int; nothing is said of how it is aligned.
    let length = unsafe { libc::CMSG_DATA(control).cast::<libc::c_int>().read_unaligned() };
    usize::try_from(length).ok().filter(|length| *length > 0)
}

/// Asks the kernel to hand over whole what came as a train. On loopback the way up to this socket is taken in the sender's time,
/// and parting a train with it, which on a network is the work of the card and of the other machine. Kernels before 5.0 don't
/// know it.
pub(crate) fn take_trains_whole(socket: BorrowedFd<'_>) {
    set(socket, libc::SOL_UDP, libc::UDP_GRO, 1);
}

/// Sets an option whose value is a number. False when the kernel refuses.
fn set(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> bool {
    // SAFETY: the value is a C int that outlives the call, and its length is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&value).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    result == 0
}

/// Sends datagrams on a connected socket, without waiting; how many the kernel took. `ends` says where each ends in `bytes`.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], mut begin: usize, ends: &[usize]) -> io::Result<usize> {
    let mut vectors = [NO_VECTOR; BATCH];
    let mut headers = [const { mem::MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let mut count = 0;
    for ((vector, header), end) in vectors.iter_mut().zip(&mut headers).zip(ends) {
        let datagram = &bytes[begin..*end];
        vector.iov_base = datagram.as_ptr().cast_mut().cast();
        vector.iov_len = datagram.len();
        let header = header.write(no_header());
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        begin = *end;
        count += 1;
    }
    // SAFETY: the first `count` headers are written, each with one vector over bytes that are borrowed beyond the call,
    // which only reads them.
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

/// Asks for a receive buffer of so many bytes, past the system's limit when this process may.
pub(crate) fn ask_for_room(socket: BorrowedFd<'_>, bytes: libc::c_int) {
    // The second is asked for only where the first is not allowed.
    let _ =
        [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF].into_iter().any(|option| set(socket, libc::SOL_SOCKET, option, bytes));
}

/// Datagrams that the kernel has dropped because the socket's receive buffer was full.
pub(crate) fn drops(socket: BorrowedFd<'_>) -> u64 {
    // include/uapi/linux/sock_diag.h: nine 32-bit numbers, the last of them SK_MEMINFO_DROPS.
    let mut numbers = [0_u32; 9];
    let mut length = mem::size_of_val(&numbers) as libc::socklen_t;
    // SAFETY: the numbers outlive the call, and their length in bytes is given.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 { u64::from(numbers[8]) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    /// What a socket receives of 25 bytes that are sent in one call, as datagrams of ten: how many pieces the kernel gives, and
    /// the datagrams.
    fn received(takes_trains: bool) -> (usize, Vec<String>) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        if takes_trains {
            take_trains_whole(receiver.as_fd());
        }
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(set(sender.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 10), "Linux 4.18 or later");
        sender.send_to(b"0123456789abcdefghijABCDE", receiver.local_addr().unwrap()).unwrap();
        let mut arena = Arena::new();
        let count = arena.receive(receiver.as_fd(), BATCH).unwrap();
        (count, arena.datagrams().map(|datagram| String::from_utf8_lossy(datagram).into_owned()).collect())
    }

    #[test]
    fn a_train_is_taken_whole_and_read_as_its_datagrams() {
        let datagrams = ["0123456789", "abcdefghij", "ABCDE"].map(String::from).to_vec();
        assert_eq!(received(true), (1, datagrams.clone()));
        assert_eq!(received(false), (3, datagrams));
    }

    #[test]
    fn a_datagram_that_came_alone_is_one_and_so_is_an_empty_one() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        take_trains_whole(receiver.as_fd());
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for payload in [&b"alone"[..], b""] {
            sender.send_to(payload, receiver.local_addr().unwrap()).unwrap();
        }
        let mut arena = Arena::new();
        assert_eq!(arena.receive(receiver.as_fd(), BATCH).unwrap(), 2);
        assert_eq!(arena.datagrams().collect::<Vec<_>>(), [&b"alone"[..], b""]);
    }
}
