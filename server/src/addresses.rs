//! The limit of open connections per client address. Without this limit, one client could take all
//! connections that the process can hold.
//!
//! The listener counts connections by the address of the TCP peer. The WebSocket handshake counts
//! live connections by the address of the client, because behind a trusted proxy all connections
//! have the proxy's address. This module counts; the callers refuse and log.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use crate::client_ip::Proxies;
use crate::descriptors::Budget;

/// Default limit per address. Room for a company behind one address.
const DEFAULT: usize = 256;

/// The limits per address.
#[derive(Clone)]
pub(crate) struct AddressLimits {
    /// For the address of a client.
    each: usize,
    /// For the addresses through which all clients may arrive: trusted proxies, and this machine,
    /// where a proxy may run that the operator has not listed.
    shared: usize,
    proxies: Arc<Proxies>,
}

impl AddressLimits {
    /// `each` is the operator's setting. Without one, an address gets at most a quarter of the
    /// connections.
    pub(crate) fn new(budget: &Budget, each: Option<NonZeroUsize>, proxies: Arc<Proxies>) -> Self {
        let default = (budget.connections / 4).clamp(1, DEFAULT);
        let others = (budget.connections / 16).clamp(1, 64);
        Self {
            each: each.map_or(default, NonZeroUsize::get),
            shared: budget.connections.saturating_sub(others).max(1),
            proxies,
        }
    }

    fn of(&self, address: IpAddr) -> usize {
        let address = address.to_canonical();
        let is_shared = address.is_loopback() || self.proxies.contains(address);
        if is_shared { self.shared } else { self.each }
    }
}

/// Counts open connections per address: an IPv4 address, or the /64 network of an IPv6 address.
/// Clones share the counts.
#[derive(Clone)]
pub(crate) struct Addresses(Arc<Counted>);

struct Counted {
    limits: AddressLimits,
    /// Has an entry only while the address has a connection, so the limit of connections bounds the
    /// size. The lock is held for one look-up, never across an await.
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Addresses {
    pub(crate) fn new(limits: AddressLimits) -> Self {
        Self(Arc::new(Counted { limits, open: Mutex::default() }))
    }

    /// Counts one more connection of the address.
    ///
    /// # Errors
    /// Returns the limit if the address has reached it.
    pub(crate) fn acquire(&self, address: IpAddr) -> Result<AddressSlot, usize> {
        let limit = self.0.limits.of(address);
        let network = chat::client_network(address);
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.entry(network) {
            Entry::Occupied(entry) if *entry.get() >= limit => return Err(limit),
            Entry::Occupied(mut entry) => *entry.get_mut() += 1,
            Entry::Vacant(entry) => _ = entry.insert(1),
        }
        Ok(AddressSlot { addresses: self.clone(), network })
    }
}

/// One connection in the count of its address, released on drop.
pub(crate) struct AddressSlot {
    addresses: Addresses,
    network: IpAddr,
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let mut open = self.addresses.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = open.entry(self.network) {
            match *entry.get() {
                0 | 1 => _ = entry.remove(),
                _ => *entry.get_mut() -= 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(files: u64, each: Option<usize>) -> Addresses {
        let proxies = "10.0.0.1, fd00::/8".parse().expect("a list");
        let each = each.and_then(NonZeroUsize::new);
        Addresses::new(AddressLimits::new(&Budget::new(Some(files), 30), each, Arc::new(proxies)))
    }

    /// Opens connections until the limit. Returns their slots.
    fn fill(addresses: &Addresses, address: &str) -> Vec<AddressSlot> {
        let address = address.parse().expect("an address");
        std::iter::from_fn(|| addresses.acquire(address).ok()).take(100_000).collect()
    }

    #[test]
    fn one_address_takes_a_share_and_others_still_connect() {
        let addresses = addresses(1_024, None);
        let all = fill(&addresses, "203.0.113.1");
        assert_eq!(all.len(), 232, "a quarter of 930");
        let other = "203.0.113.2".parse().expect("an address");
        assert!(addresses.acquire(other).is_ok());
        drop(all);
        assert_eq!(fill(&addresses, "::ffff:203.0.113.1").len(), 232, "the slots are free again");
        assert!(addresses.0.open.lock().expect("no panic").is_empty(), "no address is remembered");
    }

    #[test]
    fn the_default_has_an_upper_bound_and_the_operator_can_change_the_limit() {
        assert_eq!(fill(&addresses(1_000_000, None), "203.0.113.1").len(), DEFAULT);
        assert_eq!(fill(&addresses(1_024, Some(3)), "203.0.113.1").len(), 3);
        assert_eq!(fill(&addresses(1_024, Some(500)), "203.0.113.1").len(), 500);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let addresses = addresses(1_024, Some(2));
        let of = |address: &str| addresses.acquire(address.parse().expect("an address"));
        let slots = [of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2")];
        assert_eq!(of("2001:db8:0:1::3").err(), Some(2));
        assert!(of("2001:db8:0:2::1").is_ok());
        drop(slots);
    }

    #[test]
    fn trusted_proxies_and_this_machine_carry_many_clients_but_not_all_connections() {
        for address in ["10.0.0.1", "fd00::7", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let addresses = addresses(1_024, Some(3));
            assert_eq!(fill(&addresses, address).len(), 930 - 58, "{address}");
        }
    }
}
