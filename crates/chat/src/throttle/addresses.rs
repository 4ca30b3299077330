//! Rates by the network of the client's address.
//!
//! Called by [`super::Throttle`]; the queue of password hashes groups its callers by the same
//! networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use protocol::ErrorCode;
use tokio::time::Instant;

use super::meters::{Key, Limit, Meters};
use crate::error::{Error, Result, later};
use crate::store::{Allowance, AllowanceKey, ClusterState, DerivedKey};

/// Factor by which the loopback address may exceed the rate of other addresses.
const LOOPBACK_SHARE: NonZeroU32 = match NonZeroU32::new(50) {
    Some(share) => share,
    None => NonZeroU32::MIN,
};

/// Returns the key by which an address is limited. An IPv6 customer owns a whole /64, so limiting
/// single addresses would be useless. IPv4 addresses embedded in IPv6 count as IPv4.
pub fn network(address: IpAddr) -> IpAddr {
    match unmapped(address) {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
    }
}

/// Returns the wider network of an address, which one customer may own as a whole: the /48 of IPv6,
/// the /24 of IPv4.
pub(crate) fn wide_network(address: IpAddr) -> IpAddr {
    match unmapped(address) {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4) >> 8 << 8).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 80 << 80).into(),
    }
}

/// Returns whether the address is this machine's own. Behind a proxy that the operator has not
/// configured, all clients seem to connect from there, and they must not lock each other out.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback() || unmapped(address).is_loopback()
}

fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => {
            v6.to_ipv4_mapped().or_else(|| translated(v6)).map_or(address, IpAddr::from)
        }
        IpAddr::V4(_) => address,
    }
}

/// Returns the IPv4 address that a NAT64 translator (RFC 6052) embedded in an IPv6 address.
fn translated(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() else { return None };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

/// A rate by network, with a higher one for the loopback address.
pub(super) struct AddressRate {
    name: &'static str,
    strangers: Allowance,
    loopback: Allowance,
}

impl AddressRate {
    /// Allows `count` per `span`, all of them at once.
    pub(super) fn new(name: &'static str, count: NonZeroU32, span: Duration) -> Self {
        let loopback = Allowance::new(count.saturating_mul(LOOPBACK_SHARE), span, 1);
        Self { name, strangers: Allowance::new(count, span, 1), loopback }
    }
}

/// The uses of all rates by network.
pub(super) struct Addresses {
    key: DerivedKey,
    meters: Meters,
}

impl Addresses {
    pub(super) fn new(key: DerivedKey) -> Self {
        Self { key, meters: Meters::new() }
    }

    /// Counts on this node, and then over all nodes.
    pub(super) async fn take(
        &self,
        rate: &AddressRate,
        from: IpAddr,
        shared: Option<&dyn ClusterState>,
    ) -> Result<()> {
        let (network, allowance) = match is_loopback(from) {
            true => (Ipv4Addr::LOCALHOST.into(), rate.loopback),
            false => (network(from), rate.strangers),
        };
        let limited = |wait| Error::Refused(later(ErrorCode::RateLimited, wait));
        let key = self.key_of(rate, network);
        let limits = [(key, Limit::Allowance(allowance))];
        self.meters.take(&limits, Instant::now()).map_err(limited)?;
        let Some(shared) = shared else { return Ok(()) };
        let wait = shared.take(AllowanceKey::Stranger(rate.name, key), allowance).await?;
        wait.map_or(Ok(()), |wait| Err(limited(wait)))
    }

    fn key_of(&self, rate: &AddressRate, network: IpAddr) -> Key {
        let hash = match network {
            IpAddr::V4(v4) => self.key.hash(&[rate.name.as_bytes(), &v4.octets()]),
            IpAddr::V6(v6) => self.key.hash(&[rate.name.as_bytes(), &v6.octets()]),
        };
        super::shortened(hash)
    }

    pub(super) fn tidy(&self) {
        self.meters.tidy(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreSecret;

    #[test]
    fn all_addresses_of_an_ipv6_network_share_one_limit() {
        let net = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(net("2001:db8::1"), net("2001:db8::ffff"));
        assert_ne!(net("2001:db8:0:1::1"), net("2001:db8::1"));
        assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
        assert_eq!(net("64:ff9b::192.0.2.1"), net("192.0.2.1"));
        assert_ne!(net("64:ff9b::192.0.2.1"), net("64:ff9b::192.0.2.2"));
        let wide = |text: &str| wide_network(text.parse().expect("an address"));
        assert_eq!(wide("2001:db8:0:1::1"), wide("2001:db8:0:2::1"));
        assert_ne!(wide("2001:db8:1::1"), wide("2001:db8::1"));
        assert_eq!(wide("192.0.2.1"), wide("::ffff:192.0.2.200"));
        assert_ne!(wide("192.0.2.1"), wide("192.0.3.1"));
    }

    #[tokio::test]
    async fn a_rate_limits_each_network_and_the_loopback_address_least() {
        let addresses = Addresses::new(StoreSecret::for_tests().key("addresses"));
        let two = NonZeroU32::new(2).expect("not zero");
        let [rate, other] =
            ["one", "other"].map(|name| AddressRate::new(name, two, Duration::from_secs(60)));
        let take = async |rate, from: &str| {
            addresses.take(rate, from.parse().expect("an address"), None).await
        };
        for from in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
            assert!(take(&rate, from).await.is_ok() && take(&rate, from).await.is_ok(), "{from}");
            let refusal = take(&rate, from).await.expect_err("limited").refusal();
            assert!(refusal.retry_after_ms.is_some_and(|ms| (1..=30_000).contains(&ms)));
            assert!(take(&other, from).await.is_ok(), "another rate");
        }
        assert!(take(&rate, "2001:db8::2").await.is_err(), "the same network");
        for _ in 0..100 {
            assert!(take(&rate, "::1").await.is_ok() && take(&other, "127.0.0.1").await.is_ok());
        }
        assert!(take(&rate, "127.0.0.1").await.is_err());
    }
}
