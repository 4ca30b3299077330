//! The client of a request: its address, for rate limits and the log, the label of its device, and
//! the token of a known device.
//! Server only. `server` inserts [`ClientIp`] into each request.

mod device_label;

use std::net::{IpAddr, Ipv4Addr};

use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use chat::{Client, DeviceToken};
use leptos::prelude::use_context;

use crate::cookies::{ServerCookies, cookies};

/// The client's address, resolved behind the operator's own proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

/// The client of the request. Without a known address the unspecified address is used, so that all
/// such requests share one rate limit.
pub fn client() -> Client {
    let parts = use_context::<Parts>();
    let address = parts.as_ref().and_then(|parts| parts.extensions.get::<ClientIp>());
    let device_token = parts.as_ref().and_then(device_token);
    let user_agent = parts.as_ref().and_then(|parts| parts.headers.get(USER_AGENT)?.to_str().ok());
    Client {
        address: address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientIp(ip)| *ip),
        device: user_agent.map(device_label::device_label).unwrap_or_default(),
        device_token,
    }
}

fn device_token(parts: &Parts) -> Option<DeviceToken> {
    let name = use_context::<ServerCookies>()?.device.name;
    let sent = cookies(&parts.headers).find_map(|(key, value)| (*key == *name).then_some(value));
    sent.and_then(DeviceToken::sent)
}
