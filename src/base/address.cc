#include "base/address.h"

#include <arpa/inet.h>

namespace parley {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) {
    IpAddress out;
    std::memcpy(out.bytes.data(), kMappedPrefix.data(), kMappedPrefix.size());
    store_u32(out.bytes.data() + 12, host_order);
    return out;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string copy(text);
    in_addr four{};
    if (inet_pton(AF_INET, copy.c_str(), &four) == 1) return v4(ntohl(four.s_addr));
    in6_addr six{};
    if (inet_pton(AF_INET6, copy.c_str(), &six) == 1) {
        IpAddress out;
        std::memcpy(out.bytes.data(), &six, 16);
        return out;
    }
    return fail(Errc::kMalformed, "IP address");
}

bool IpAddress::is_v4() const {
    return std::memcmp(bytes.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0;
}

std::string IpAddress::to_string() const {
    char text[INET6_ADDRSTRLEN] = {};
    if (is_v4()) {
        inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
    } else {
        inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    }
    return text;
}

std::string SocketAddress::to_string() const {
    if (ip.is_v4()) return ip.to_string() + ":" + std::to_string(port);
    return "[" + ip.to_string() + "]:" + std::to_string(port);
}

}  // namespace parley
