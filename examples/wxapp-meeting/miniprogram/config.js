// The server of this meeting. `https://` in production: its host has to be among the request domains, and the same host with
// `wss://` among the socket domains of the mini program.
const defaults = { origin: 'https://rtc.example.com', app: 'demo', language: 'zh' };

/** `wss://host/` for `https://host`. */
const gatewayOf = (origin) => `${origin.replace(/^http/, 'ws').replace(/\/+$/, '')}/`;

module.exports = { defaults, gatewayOf };
