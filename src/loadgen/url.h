#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/result.h"

namespace parley::loadgen {

/// "http://host:port/path?query" or "ws://…". TLS is not spoken: the load generator runs beside the server.
struct Url {
    std::string host;  ///< without the brackets of an IPv6 literal
    std::uint16_t port = 80;
    std::string target = "/";

    /// As the Host header wants it.
    [[nodiscard]] std::string authority() const;
};
Result<Url> parse_url(std::string_view text);

/// Blocks for the resolver when `host` is a name.
Result<SocketAddress> resolve(const Url& url);

}  // namespace parley::loadgen
