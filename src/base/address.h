#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace parley {

/// IPv4 or IPv6 address; IPv4 is kept as IPv4-mapped IPv6, so that one peer has one key.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};

    static IpAddress v4(std::uint32_t host_order);
    static IpAddress v6(const std::array<std::uint8_t, 16>& network_order) { return {network_order}; }
    /// An IP literal ("203.0.113.7", "2001:db8::1"); names are kMalformed.
    static Result<IpAddress> parse(std::string_view text);
    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] std::uint32_t v4_host_order() const { return load_u32(bytes.data() + 12); }
    [[nodiscard]] std::string to_string() const;
    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct SocketAddress {
    IpAddress ip;
    std::uint16_t port = 0;

    [[nodiscard]] std::string to_string() const;  ///< "203.0.113.7:40331", "[2001:db8::1]:40331"
    friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

}  // namespace parley

template <>
struct std::hash<parley::SocketAddress> {
    std::size_t operator()(const parley::SocketAddress& a) const noexcept {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        std::memcpy(&high, a.ip.bytes.data(), 8);
        std::memcpy(&low, a.ip.bytes.data() + 8, 8);
        std::uint64_t h = (high ^ (low * 0x9e3779b97f4a7c15)) + (static_cast<std::uint64_t>(a.port) << 32);
        h ^= h >> 29;
        return h * 0xbf58476d1ce4e5b9;
    }
};
