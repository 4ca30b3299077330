//! A TCP proxy that simulates network faults between clients and server.
//!
//! Each direction of a connection has its own task, which checks the connection's [`Weather`]
//! before every step. Buffers are small, so that the server soon notices a client that stops
//! reading. The proxy does not interpret the data. Its address stays the same while servers behind
//! it come and go. Also used between a node and its database or broker, with one condition for all
//! connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::chance::Chance;

/// Size of the kernel buffers of each connection, in bytes.
const KERNEL_BUFFER: u32 = 16 * 1024;
/// TCP segment size of an ordinary network, in bytes.
const PACKET: u32 = 1_448;
/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// Maximum number of bytes per step.
const STEP: usize = 4 * 1024;

/// The condition of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Bytes pass.
    Clear,
    /// Each step takes this much longer.
    Slow(Duration),
    /// Bytes wait in both directions, and neither end is notified.
    Stalled,
    /// Bytes from the client wait, answers pass, and neither end is notified.
    SilentUp,
    /// Bytes from the client pass, answers wait, and neither end is notified.
    SilentDown,
    /// Bytes from the client pass, answers are lost.
    Swallowed,
    /// The server sees the client's side closed; answers pass.
    HalfClosedUp,
    /// The client sees the server's side closed; bytes from the client pass.
    HalfClosedDown,
    /// Both ends are reset.
    Cut,
}

struct Open {
    weather: watch::Sender<Weather>,
}

struct Shared {
    upstream: Mutex<Upstream>,
    open: Mutex<Vec<Open>>,
    /// The condition of new connections.
    climate: Mutex<Weather>,
}

/// The servers behind the proxy. Each connection goes to one of them at random.
struct Upstream {
    servers: Vec<SocketAddr>,
    chance: Chance,
}

/// The proxy. Dropping it closes the listener and cuts all connections.
pub struct Proxy {
    /// Address for clients.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.clear(true);
    }
}

impl Proxy {
    /// Listens on a free port, without a server behind it.
    ///
    /// # Errors
    /// Fails if no port is available.
    pub async fn start() -> Result<Self> {
        // Accepted sockets inherit the buffer sizes.
        let socket = small_socket()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: Mutex::new(Upstream { servers: Vec::new(), chance: Chance::new(0) }),
            open: Mutex::default(),
            climate: Mutex::new(Weather::Clear),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Sets the servers for new connections. Without a server, new connections are reset.
    pub fn lead_to(&self, servers: &[SocketAddr]) {
        let mut upstream = self.shared.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        servers.clone_into(&mut upstream.servers);
    }

    /// Sets the condition of all connections, including new ones.
    pub fn set_all(&self, weather: Weather) {
        *self.shared.climate.lock().unwrap_or_else(PoisonError::into_inner) = weather;
        for one in self.open().iter() {
            one.weather.send_replace(weather);
        }
    }

    /// Sets the condition of one open connection, chosen by this number. Returns false if none is
    /// open.
    pub fn set(&self, which: u64, weather: Weather) -> bool {
        let mut open = self.open();
        open.retain(|one| !one.weather.is_closed());
        let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
        let place = which.checked_rem(count).and_then(|place| usize::try_from(place).ok());
        let Some(one) = place.and_then(|place| open.get(place)) else { return false };
        one.weather.send_replace(weather);
        true
    }

    /// Repairs all connections. Those that have lost bytes or are half-closed cannot be repaired
    /// and are cut.
    pub fn clear(&self, cut_all: bool) {
        *self.shared.climate.lock().unwrap_or_else(PoisonError::into_inner) = Weather::Clear;
        let mut open = self.open();
        open.retain(|one| !one.weather.is_closed());
        for one in open.iter() {
            one.weather.send_modify(|weather| match weather {
                Weather::Clear
                | Weather::Slow(_)
                | Weather::Stalled
                | Weather::SilentUp
                | Weather::SilentDown
                    if !cut_all =>
                {
                    *weather = Weather::Clear;
                }
                _ => *weather = Weather::Cut,
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
        tokio::spawn(join(client, shared.clone()));
    }
}

async fn join(client: TcpStream, shared: Arc<Shared>) {
    let server = match shared.choose() {
        Some(address) => match small_socket() {
            Ok(socket) => socket.connect(address).await,
            Err(error) => Err(error),
        },
        None => Err(std::io::ErrorKind::ConnectionRefused.into()),
    };
    let Ok(server) = server else { return reset(&client) };
    // Nagle's delay would be a fault that is not in the plan.
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    let climate = *shared.climate.lock().unwrap_or_else(PoisonError::into_inner);
    let (weather, changes) = watch::channel(climate);
    shared.open.lock().unwrap_or_else(PoisonError::into_inner).push(Open { weather });
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
    fn choose(&self) -> Option<SocketAddr> {
        let mut upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let Upstream { servers, chance } = &mut *upstream;
        servers.get(chance.index(servers.len().max(1))).copied()
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
    fn half_closed(self) -> Weather {
        match self {
            Self::Up => Weather::HalfClosedUp,
            Self::Down => Weather::HalfClosedDown,
        }
    }

    /// Whether bytes in this direction wait although the connection is intact.
    fn stands_still(self, weather: Weather) -> bool {
        match weather {
            Weather::Stalled => true,
            Weather::SilentUp => self == Self::Up,
            Weather::SilentDown => self == Self::Down,
            _ => false,
        }
    }
}

/// Moves bytes in one direction until either end closes or the condition is `Cut`. Returns the
/// halves.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    direction: Direction,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mut step = vec![0; STEP];
    loop {
        let now = *weather.borrow_and_update();
        if now == Weather::Cut {
            break;
        }
        if now == direction.half_closed() {
            // Closes towards the receiver only; the sender's bytes are no longer read.
            let _ = to.shutdown().await;
        }
        if direction.stands_still(now) || now == direction.half_closed() {
            if weather.changed().await.is_err() {
                break;
            }
            continue;
        }
        let read = tokio::select! {
            read = from.read(&mut step) => read,
            _ = weather.changed() => continue,
        };
        let Ok(length @ 1..) = read else {
            let _ = to.shutdown().await;
            break;
        };
        if !carry(&step[..length], &mut to, &mut weather, direction).await {
            break;
        }
    }
    (from, to)
}

/// Writes one step under the current condition. Returns false when the connection is over.
async fn carry(
    step: &[u8],
    to: &mut OwnedWriteHalf,
    weather: &mut watch::Receiver<Weather>,
    direction: Direction,
) -> bool {
    loop {
        let now = *weather.borrow_and_update();
        match now {
            Weather::Cut => return false,
            now if direction.stands_still(now) => {
                if weather.changed().await.is_err() {
                    return false;
                }
                continue;
            }
            Weather::Swallowed if direction == Direction::Down => return true,
            _ if now == direction.half_closed() => return true,
            Weather::Slow(delay) => sleep(delay).await,
            _ => {}
        }
        break;
    }
    // Finishes a step once begun, unless the connection ends, so that bytes are never duplicated.
    let mut left = step;
    while !left.is_empty() {
        tokio::select! {
            written = to.write(left) => match written {
                Ok(length @ 1..) => left = &left[length..],
                _ => return false,
            },
            changed = weather.changed() => {
                if changed.is_err() || *weather.borrow_and_update() == Weather::Cut {
                    return false;
                }
            }
        }
    }
    true
}
