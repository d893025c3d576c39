//! A minimal relay: it sends frames from one device's ring to the other device, in batches,
//! without looking at them.

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::libc::{self, c_int};

/// A slot holds what segmentation offload has not cut: as the wire's long ones do.
const SLOT: usize = 66048;
const BLOCK: usize = 512 << 10;
const BLOCKS: usize = 64;
const SLOTS: usize = BLOCK / SLOT * BLOCKS;
const BATCH: usize = 32;
const VNET: usize = 10;

/// A packet socket on one device, with its ring.
pub(crate) struct End {
    fd: c_int,
    ring: *mut u8,
    at: usize,
}

// SAFETY: the mapping is the process's, and only this value refers to it.
unsafe impl Send for End {}

fn set<T>(fd: c_int, option: c_int, value: &T) {
    let length = size_of::<T>() as libc::socklen_t;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the kernel reads as many bytes as the length says.
    let done = unsafe { libc::setsockopt(fd, libc::SOL_PACKET, option, value, length) };
    Errno::result(done).expect("an option");
}

impl End {
    pub(crate) fn open(device: &str) -> Self {
        let name = CString::new(device).expect("a name");
        // SAFETY: a C string.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: numbers.
        let fd = Errno::result(unsafe { libc::socket(libc::AF_PACKET, kind, 0) }).expect("socket");
        set(fd, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as c_int));
        set(fd, libc::PACKET_VNET_HDR, &1);
        set(fd, libc::PACKET_IGNORE_OUTGOING, &1);
        let request = libc::tpacket_req {
            tp_block_size: BLOCK as u32,
            tp_block_nr: BLOCKS as u32,
            tp_frame_size: SLOT as u32,
            tp_frame_nr: SLOTS as u32,
        };
        set(fd, libc::PACKET_RX_RING, &request);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let length = BLOCK * BLOCKS;
        // SAFETY: a new mapping.
        let ring = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd, 0)
        };
        assert_ne!(ring, libc::MAP_FAILED);
        // SAFETY: all zeroes is an address.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index as c_int;
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: an address of that length.
        let done = unsafe { libc::bind(fd, (&raw const address).cast(), length) };
        Errno::result(done).expect("bind");
        Self { fd, ring: ring.cast(), at: 0 }
    }

    fn slot(&self, index: usize) -> *mut u8 {
        let per_block = BLOCK / SLOT;
        // SAFETY: within the mapping.
        unsafe { self.ring.add(index / per_block * BLOCK + index % per_block * SLOT) }
    }

    fn status(&self, index: usize) -> &AtomicU32 {
        // SAFETY: the first word of a slot, aligned.
        unsafe { AtomicU32::from_ptr(self.slot(index).cast()) }
    }
}

fn wait(fd: c_int, other: c_int, events: libc::c_short) {
    let poll = |fd| libc::pollfd { fd, events, revents: 0 };
    let mut both = [poll(fd), poll(other)];
    // SAFETY: two entries.
    unsafe { libc::poll(both.as_mut_ptr(), 2, -1) };
}

/// Never returns.
pub(crate) fn run(mut ends: [End; 2]) {
    loop {
        let moved = [(0, 1), (1, 0)].map(|(from, to)| {
            let to = ends[to].fd;
            relay(&mut ends[from], to)
        });
        if moved == [0, 0] {
            wait(ends[0].fd, ends[1].fd, libc::POLLIN);
        }
    }
}

fn relay(from: &mut End, to: c_int) -> usize {
    // SAFETY: all zeroes is a header.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    // SAFETY: all zeroes is a part.
    let mut parts: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
    let mut count = 0;
    while count < BATCH {
        let index = (from.at + count) % SLOTS;
        if from.status(index).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            break;
        }
        let slot = from.slot(index);
        // SAFETY: a slot that is ours begins with its header.
        let header = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
        let start = usize::from(header.tp_mac) - VNET;
        // SAFETY: within the slot.
        parts[count].iov_base = unsafe { slot.add(start) }.cast();
        parts[count].iov_len = header.tp_snaplen as usize + VNET;
        headers[count].msg_hdr.msg_iov = &raw mut parts[count];
        headers[count].msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    let mut sent = 0;
    while sent < count {
        let rest = &mut headers[sent..count];
        // SAFETY: headers with one part each, of the ring's memory.
        let done = unsafe { libc::sendmmsg(to, rest.as_mut_ptr(), rest.len() as u32, 0) };
        match Errno::result(done) {
            Ok(more) => sent += more as usize,
            Err(Errno::EAGAIN) => wait(to, to, libc::POLLOUT),
            Err(_) => sent += 1,
        }
    }
    for nth in 0..count {
        from.status((from.at + nth) % SLOTS).store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }
    from.at = (from.at + count) % SLOTS;
    count
}
