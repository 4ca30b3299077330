-- Configuration of Prosody for the bench: all messages archived, stream management acknowledgements, plain-text
-- passwords, loopback only. The bench replaces the words in braces.
run_as_root = true
pidfile = "{directory}/prosody.pid"
data_path = "{directory}"
log = { error = "*console" }
modules_enabled = { "roster"; "saslauth"; "disco"; "register_ibr"; "smacks"; "mam"; "websocket" }
modules_disabled = { "s2s"; "tls" }
c2s_ports, s2s_ports, https_ports = {}, {}, {}
http_interfaces, http_ports, http_default_host = { "127.0.0.1" }, { {port} }, "localhost"
c2s_require_encryption, consider_websocket_secure, allow_unencrypted_plain_auth = false, true, true
authentication = "internal_plain"
allow_registration = true
default_archive_policy, archive_expires_after = true, "never"
{storage}
VirtualHost "localhost"
