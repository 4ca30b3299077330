//! The client of a request: its address, for rate limits and the log, and the label of its device.
//! Server only. `server` inserts [`ClientIp`] into each request.

mod device_label;

use std::net::{IpAddr, Ipv4Addr};

use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use chat::Client;
use leptos::prelude::use_context;

/// The client's address, resolved behind the operator's own proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

/// The client of the request. Without a known address the unspecified address is used, so that all
/// such requests share one rate limit.
pub fn client() -> Client {
    let parts = use_context::<Parts>();
    let address = parts.as_ref().and_then(|parts| parts.extensions.get::<ClientIp>());
    let user_agent = parts.as_ref().and_then(|parts| parts.headers.get(USER_AGENT)?.to_str().ok());
    Client {
        address: address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientIp(ip)| *ip),
        device: user_agent.map(device_label::device_label).unwrap_or_default(),
    }
}
