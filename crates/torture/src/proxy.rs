//! The network between clients and server, ours to break: a TCP proxy.
//!
//! Bytes pass in both directions, each pumped by a task of its own that looks at its connection's
//! weather before every step. Small buffers, so that whoever stops reading is soon felt by the
//! server. It knows nothing of what it carries. The address stays while servers behind it come and go.
//! Also the way between one node and its database or broker, with a weather for all of it.

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

/// The kernel's buffers of each connection.
const KERNEL_BUFFER: u32 = 16 * 1024;
/// What fits into a packet of an ordinary network.
const PACKET: u32 = 1_448;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
/// What one step moves.
const STEP: usize = 4 * 1024;

/// What happens to the bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// They pass.
    Clear,
    /// Each step takes this much longer.
    Slow(Duration),
    /// They wait, both ways, and nobody is told.
    Stalled,
    /// What the client says waits, the server's answers pass, and nobody is told.
    SilentUp,
    /// What the client says passes, the server's answers wait, and nobody is told.
    SilentDown,
    /// What the client says passes, the server's answers are lost.
    Swallowed,
    /// The client seems to have said its last; answers pass.
    HalfClosedUp,
    /// The server seems to have said its last; what the client says passes.
    HalfClosedDown,
    /// Both ends are reset.
    Cut,
}

/// A connection that is open.
struct Open {
    weather: watch::Sender<Weather>,
}

struct Shared {
    upstream: Mutex<Upstream>,
    open: Mutex<Vec<Open>>,
    /// What a new connection meets.
    climate: Mutex<Weather>,
}

/// Where connections lead: each to one of these servers.
struct Upstream {
    servers: Vec<SocketAddr>,
    chance: Chance,
}

/// See the module. Ends when dropped; connections end with either of their ends.
pub struct Proxy {
    /// Where clients connect.
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
    /// Listens on a free port; there is no server behind it yet.
    ///
    /// # Errors
    /// No port.
    pub async fn start() -> Result<Self> {
        // Those that are accepted have its sizes.
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

    /// From now on connections lead to any of these, or are reset if there is none.
    pub fn lead_to(&self, servers: &[SocketAddr]) {
        let mut upstream = self.shared.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        servers.clone_into(&mut upstream.servers);
    }

    /// Changes the weather of all connections, and of those that come.
    pub fn set_all(&self, weather: Weather) {
        *self.shared.climate.lock().unwrap_or_else(PoisonError::into_inner) = weather;
        for one in self.open().iter() {
            one.weather.send_replace(weather);
        }
    }

    /// Changes the weather of one open connection, chosen by this number. Nothing to change: false.
    pub fn set(&self, which: u64, weather: Weather) -> bool {
        let mut open = self.open();
        open.retain(|one| !one.weather.is_closed());
        let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
        let place = which.checked_rem(count).and_then(|place| usize::try_from(place).ok());
        let Some(one) = place.and_then(|place| open.get(place)) else { return false };
        one.weather.send_replace(weather);
        true
    }

    /// Mends all connections; those that have lost bytes or an end cannot be, and are cut.
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
    // Nagle's delay would be a fault that nobody ordered.
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
    // Both halves are back: a socket that was cut is reset, as a lost line is.
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

/// As on an ordinary network. Loopback's own packets of 64 KiB let the kernel of the far end keep
/// megabytes for us, and no server would ever notice that a client has stopped reading.
fn small_socket() -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(KERNEL_BUFFER)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER)?;
    SockRef::from(&socket).set_tcp_mss(PACKET)?;
    Ok(socket)
}

/// The next close of this socket is a reset.
fn reset(stream: &TcpStream) {
    // It may be gone already, which is as good.
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

    /// Whether nothing moves this way, although the connection is whole.
    fn stands_still(self, weather: Weather) -> bool {
        match weather {
            Weather::Stalled => true,
            Weather::SilentUp => self == Self::Up,
            Weather::SilentDown => self == Self::Down,
            _ => false,
        }
    }
}

/// Moves bytes one way until an end comes, by itself or by the weather; gives the halves back.
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
            // Said only to the far end: the near one's bytes are no longer taken.
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

/// Writes one step as the weather allows; false when the connection is over.
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
    // A step that was begun is finished, or the connection is over: bytes are never doubled.
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
