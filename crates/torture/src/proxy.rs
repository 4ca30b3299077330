//! A TCP proxy that simulates network faults between clients and server.
//!
//! Each direction of a connection has its own task, which checks the connection's [`Condition`]
//! before every chunk. Buffers are small, so that the server soon notices a client that stops
//! reading. The proxy does not interpret the data. Its address stays the same while servers behind
//! it come and go. Also used between a node and its database or broker, with one condition for all
//! connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use harness::Random;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Size of the kernel buffers of each connection, in bytes.
const KERNEL_BUFFER: u32 = 16 * 1024;
/// TCP segment size of an ordinary network, in bytes.
const PACKET: u32 = 1_448;
/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// Maximum number of bytes per chunk.
const CHUNK: usize = 4 * 1024;

/// The condition of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Bytes pass.
    Normal,
    /// Each chunk takes this much longer.
    Delayed(Duration),
    /// Bytes wait in both directions, and neither end is notified.
    Stalled,
    /// Bytes from the client wait, answers pass, and neither end is notified.
    StalledUp,
    /// Bytes from the client pass, answers wait, and neither end is notified.
    StalledDown,
    /// Bytes from the client pass, answers are lost.
    AnswersDropped,
    /// The server sees the client's side closed; answers pass.
    HalfClosedUp,
    /// The client sees the server's side closed; bytes from the client pass.
    HalfClosedDown,
    /// Both ends are reset.
    Reset,
}

struct Open {
    condition: watch::Sender<Condition>,
}

struct Shared {
    upstream: Mutex<Upstream>,
    open: Mutex<Vec<Open>>,
    /// The condition of new connections.
    default_condition: Mutex<Condition>,
}

/// The servers behind the proxy. Each connection goes to one of them at random.
struct Upstream {
    servers: Vec<SocketAddr>,
    random: Random,
}

/// The proxy. Dropping it closes the listener and cuts all connections.
pub(crate) struct Proxy {
    /// Address for clients.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.repair(true);
    }
}

impl Proxy {
    /// Listens on a free port, without a server behind it.
    ///
    /// # Errors
    /// Fails if no port is available.
    pub(crate) async fn start() -> Result<Self> {
        // Accepted sockets inherit the buffer sizes.
        let socket = small_socket()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: Mutex::new(Upstream { servers: Vec::new(), random: Random::new(0) }),
            open: Mutex::default(),
            default_condition: Mutex::new(Condition::Normal),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Sets the servers for new connections. Without a server, new connections are reset.
    pub(crate) fn set_upstreams(&self, servers: &[SocketAddr]) {
        let mut upstream = self.shared.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        servers.clone_into(&mut upstream.servers);
    }

    /// Sets the condition of all connections, including new ones.
    pub(crate) fn set_all(&self, condition: Condition) {
        *self.shared.default_condition.lock().unwrap_or_else(PoisonError::into_inner) = condition;
        for connection in self.open().iter() {
            connection.condition.send_replace(condition);
        }
    }

    /// Sets the condition of one open connection, chosen by this number. Returns false if none is
    /// open.
    pub(crate) fn set(&self, which: u64, condition: Condition) -> bool {
        let mut open = self.open();
        open.retain(|connection| !connection.condition.is_closed());
        let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
        let index = which.checked_rem(count).and_then(|index| usize::try_from(index).ok());
        let Some(connection) = index.and_then(|index| open.get(index)) else { return false };
        connection.condition.send_replace(condition);
        true
    }

    /// Repairs all connections. Those that have lost bytes or are half-closed cannot be repaired
    /// and are cut.
    pub(crate) fn repair(&self, cut_all: bool) {
        *self.shared.default_condition.lock().unwrap_or_else(PoisonError::into_inner) =
            Condition::Normal;
        let mut open = self.open();
        open.retain(|connection| !connection.condition.is_closed());
        for connection in open.iter() {
            connection.condition.send_modify(|condition| match condition {
                Condition::Normal
                | Condition::Delayed(_)
                | Condition::Stalled
                | Condition::StalledUp
                | Condition::StalledDown
                    if !cut_all =>
                {
                    *condition = Condition::Normal;
                }
                _ => *condition = Condition::Reset,
            });
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<Open>> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        tokio::spawn(forward(client, shared.clone()));
    }
}

async fn forward(client: TcpStream, shared: Arc<Shared>) {
    let server = match shared.choose_upstream() {
        Some(address) => match small_socket() {
            Ok(socket) => socket.connect(address).await,
            Err(error) => Err(error),
        },
        None => Err(std::io::ErrorKind::ConnectionRefused.into()),
    };
    let Ok(server) = server else { return reset(&client) };
    // Nagle's delay would be a fault that is not in the schedule.
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    let default_condition =
        *shared.default_condition.lock().unwrap_or_else(PoisonError::into_inner);
    let (condition, changes) = watch::channel(default_condition);
    shared.open.lock().unwrap_or_else(PoisonError::into_inner).push(Open { condition });
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(from_client, to_server, changes.clone(), Direction::Up);
    let down = pump(from_server, to_client, changes, Direction::Down);
    let ((client_in, server_out), (server_in, client_out)) = tokio::join!(up, down);
    // With both halves reunited, the sockets are reset like a lost connection.
    for (read, write) in [(client_in, client_out), (server_in, server_out)] {
        if let Ok(stream) = read.reunite(write) {
            reset(&stream);
        }
    }
}

impl Shared {
    fn choose_upstream(&self) -> Option<SocketAddr> {
        let mut upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let Upstream { servers, random } = &mut *upstream;
        servers.get(random.index(servers.len().max(1))).copied()
    }
}

/// Creates a socket with the segment size of an ordinary network. With loopback's segments of 64
/// KiB the remote kernel would buffer megabytes, and no server would notice that a client has
/// stopped reading.
fn small_socket() -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(KERNEL_BUFFER)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER)?;
    SockRef::from(&socket).set_tcp_mss(PACKET)?;
    Ok(socket)
}

/// Makes the next close of this socket a reset.
fn reset(stream: &TcpStream) {
    // The socket may be closed already.
    let _ = stream.set_zero_linger();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Direction {
    fn half_closed(self) -> Condition {
        match self {
            Self::Up => Condition::HalfClosedUp,
            Self::Down => Condition::HalfClosedDown,
        }
    }

    /// Whether bytes in this direction wait although the connection is intact.
    fn is_stalled(self, condition: Condition) -> bool {
        match condition {
            Condition::Stalled => true,
            Condition::StalledUp => self == Self::Up,
            Condition::StalledDown => self == Self::Down,
            _ => false,
        }
    }
}

/// Moves bytes in one direction until either end closes or the condition is [`Condition::Reset`].
/// Returns the halves.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut condition: watch::Receiver<Condition>,
    direction: Direction,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let now = *condition.borrow_and_update();
        if now == Condition::Reset {
            break;
        }
        if now == direction.half_closed() {
            // Closes towards the receiver only; the sender's bytes are no longer read.
            let _ = to.shutdown().await;
        }
        if direction.is_stalled(now) || now == direction.half_closed() {
            if condition.changed().await.is_err() {
                break;
            }
            continue;
        }
        let read = tokio::select! {
            read = from.read(&mut chunk) => read,
            _ = condition.changed() => continue,
        };
        let Ok(length @ 1..) = read else {
            let _ = to.shutdown().await;
            break;
        };
        if !write_chunk(&chunk[..length], &mut to, &mut condition, direction).await {
            break;
        }
    }
    (from, to)
}

/// Writes one chunk under the current condition. Returns false when the connection is over.
async fn write_chunk(
    chunk: &[u8],
    to: &mut OwnedWriteHalf,
    condition: &mut watch::Receiver<Condition>,
    direction: Direction,
) -> bool {
    loop {
        let now = *condition.borrow_and_update();
        match now {
            Condition::Reset => return false,
            now if direction.is_stalled(now) => {
                if condition.changed().await.is_err() {
                    return false;
                }
                continue;
            }
            Condition::AnswersDropped if direction == Direction::Down => return true,
            _ if now == direction.half_closed() => return true,
            Condition::Delayed(delay) => sleep(delay).await,
            _ => {}
        }
        break;
    }
    // Finishes a chunk once begun, unless the connection ends, so that bytes are never duplicated.
    let mut left = chunk;
    while !left.is_empty() {
        tokio::select! {
            written = to.write(left) => match written {
                Ok(length @ 1..) => left = &left[length..],
                _ => return false,
            },
            changed = condition.changed() => {
                if changed.is_err() || *condition.borrow_and_update() == Condition::Reset {
                    return false;
                }
            }
        }
    }
    true
}
