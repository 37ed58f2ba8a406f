#include "gate/url_gate.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace parley::gate {
namespace {

constexpr std::size_t kMaxUrlBytes = 2'048;
constexpr std::size_t kMaxNameBytes = 253;  // RFC 1035 section 2.3.4
constexpr std::size_t kMaxLabelBytes = 63;
constexpr std::uint32_t kV4Offset = 96;  // of an IPv4-mapped address

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

std::uint16_t default_port(std::string_view scheme) {
    if (scheme == "https") return 443;
    if (scheme == "http") return 80;
    if (scheme == "rtmp") return 1935;
    if (scheme == "rtmps") return 443;
    return 0;
}

/// Libraries take `127.1`, `0x7f.1` and `2130706433` for addresses. A name whose last label begins
/// like a number is none of the public name space (URL standard, "ends in a number").
bool ends_in_number(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    const std::size_t dot = host.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
    return !last.empty() &&
           (std::all_of(last.begin(), last.end(), is_digit) || last.starts_with("0x"));
}

bool is_name(std::string_view host) {
    if (host.empty() || host.size() > kMaxNameBytes) return false;
    if (host.ends_with('.')) host.remove_suffix(1);
    while (true) {
        const std::size_t dot = std::min(host.find('.'), host.size());
        const std::string_view label = host.substr(0, dot);
        const bool fine = !label.empty() && label.size() <= kMaxLabelBytes &&
                          std::all_of(label.begin(), label.end(), [](char c) {
                              return is_letter(c) || is_digit(c) || c == '-' || c == '_';
                          });
        if (!fine) return false;
        if (dot == host.size()) return true;
        host.remove_prefix(dot + 1);
    }
}

/// Names that resolvers answer by themselves with this machine (RFC 6761 section 6.3).
bool is_own_name(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    return host == "localhost" || host.ends_with(".localhost");
}

struct Block {
    std::array<std::uint8_t, 16> base;
    std::uint32_t prefix;
    AddressKind kind;
};

constexpr Block v4_block(
    std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint32_t prefix, AddressKind kind) {
    return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, 0}, kV4Offset + prefix, kind};
}

bool is_inside(const IpAddress& address,
               const std::array<std::uint8_t, 16>& base,
               std::uint32_t prefix) {
    const std::uint32_t whole = prefix / 8;
    if (!std::equal(base.begin(), base.begin() + whole, address.bytes.begin())) return false;
    const std::uint32_t rest = prefix % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return (base[whole] & mask) == (address.bytes[whole] & mask);
}

// RFC 6890 and the registries that go on with it. The first match counts.
using enum AddressKind;
constexpr std::array kBlocks{
    v4_block(0, 0, 0, 8, kUnspecified),
    v4_block(10, 0, 0, 8, kPrivate),
    v4_block(100, 64, 0, 10, kShared),
    v4_block(127, 0, 0, 8, kLoopback),
    v4_block(169, 254, 0, 16, kLinkLocal),
    v4_block(172, 16, 0, 12, kPrivate),
    v4_block(192, 0, 0, 24, kReserved),
    v4_block(192, 0, 2, 24, kReserved),
    v4_block(192, 88, 99, 24, kReserved),
    v4_block(192, 168, 0, 16, kPrivate),
    v4_block(198, 18, 0, 15, kReserved),
    v4_block(198, 51, 100, 24, kReserved),
    v4_block(203, 0, 113, 24, kReserved),
    v4_block(224, 0, 0, 4, kMulticast),
    v4_block(240, 0, 0, 4, kReserved),
    Block{{}, 128, kUnspecified},
    Block{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, kLoopback},
    Block{{0xfc}, 7, kPrivate},
    Block{{0xfe, 0x80}, 10, kLinkLocal},
    Block{{0xfe, 0xc0}, 10, kPrivate},
    Block{{0xff}, 8, kMulticast},
    Block{{0x20, 0x01, 0x00, 0x00}, 23, kReserved},  // Teredo, ORCHID, benchmarks
    Block{{0x20, 0x01, 0x0d, 0xb8}, 32, kReserved},
    Block{{0x3f, 0xff}, 20, kReserved},
};
/// IPv6 addresses that lead to the IPv4 address inside them, which begins at this byte.
struct Wrapper {
    std::array<std::uint8_t, 16> base;
    std::uint32_t prefix;
    std::size_t at;
};
constexpr std::array kWrappers{
    Wrapper{{}, 96, 12},                                    // IPv4-compatible
    Wrapper{{0, 0x64, 0xff, 0x9b}, 96, 12},                 // NAT64, RFC 6052
    Wrapper{{0x20, 0x02}, 16, 2},                           // 6to4, RFC 3056
    Wrapper{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12},  // IPv4-translated, RFC 2765
};

}  // namespace

std::string_view to_string(AddressKind kind) {
    switch (kind) {
        case kPublic:
            return "public";
        case kUnspecified:
            return "unspecified";
        case kLoopback:
            return "loopback";
        case kLinkLocal:
            return "link-local";
        case kPrivate:
            return "private";
        case kShared:
            return "shared";
        case kMulticast:
            return "multicast";
        case kReserved:
            return "reserved";
    }
    return "";
}

AddressKind classify(const IpAddress& address) {
    for (const Block& block : kBlocks) {
        if (is_inside(address, block.base, block.prefix)) return block.kind;
    }
    if (address.is_v4()) return kPublic;
    for (const Wrapper& wrapper : kWrappers) {
        if (is_inside(address, wrapper.base, wrapper.prefix))
            return classify(IpAddress::v4(load_u32(address.bytes.data() + wrapper.at)));
    }
    // Outside 2000::/3 nothing is given out; 64:ff9b:1::/48 and 100::/64 are there.
    return (address.bytes[0] & 0xe0) == 0x20 ? kPublic : kReserved;
}

Result<Network> Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const Result<IpAddress> base = IpAddress::parse(text.substr(0, slash));
    if (!base) return tl::unexpected(base.error());
    Network out{*base, 128};
    if (slash == std::string_view::npos) return out;
    const std::string_view length = text.substr(slash + 1);
    const std::uint32_t most = base->is_v4() ? 32 : 128;
    std::uint32_t value = 0;
    const auto [at, error] = std::from_chars(length.data(), length.data() + length.size(), value);
    if (error != std::errc() || at != length.data() + length.size() || value > most)
        return fail(Errc::kMalformed, "prefix length");
    out.prefix = value + (base->is_v4() ? kV4Offset : 0);
    return out;
}

bool Network::contains(const IpAddress& address) const {
    return is_inside(address, base.bytes, prefix);
}

Result<Url> parse_url(std::string_view text) {
    if (text.size() > kMaxUrlBytes) return fail(Errc::kTooLarge, "URL");
    const bool printable = std::all_of(
        text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; });
    if (!printable) return fail(Errc::kMalformed, "URL");
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos || colon == 0 || !is_letter(text[0]))
        return fail(Errc::kMalformed, "URL scheme");
    Url out;
    out.scheme = lower_case(text.substr(0, colon));
    const bool scheme_fine = std::all_of(out.scheme.begin(), out.scheme.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
    if (!scheme_fine) return fail(Errc::kMalformed, "URL scheme");

    text.remove_prefix(colon + 3);
    const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
    std::string_view authority = text.substr(0, end);
    std::string_view rest = text.substr(end);
    rest = rest.substr(0, rest.find('#'));
    out.path_and_query = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
    if (authority.find('@') != std::string_view::npos)
        return fail(Errc::kMalformed, "user in the URL");

    std::string_view port;
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        if (close == std::string_view::npos) return fail(Errc::kMalformed, "URL host");
        out.host = lower_case(authority.substr(1, close - 1));
        const Result<IpAddress> literal = IpAddress::parse(out.host);
        if (!literal || out.host.find(':') == std::string::npos)
            return fail(Errc::kMalformed, "URL host");
        authority.remove_prefix(close + 1);
        if (!authority.empty() && authority[0] != ':') return fail(Errc::kMalformed, "URL host");
        port = authority;
    } else {
        const std::size_t at = std::min(authority.find(':'), authority.size());
        out.host = lower_case(authority.substr(0, at));
        port = authority.substr(at);
        if (!is_name(out.host)) return fail(Errc::kMalformed, "URL host");
        if (ends_in_number(out.host) && !IpAddress::parse(out.host))
            return fail(Errc::kMalformed, "URL host");
    }
    if (port.empty() || port == ":") {
        out.port = default_port(out.scheme);
    } else {
        const auto [at, error] =
            std::from_chars(port.data() + 1, port.data() + port.size(), out.port);
        if (error != std::errc() || at != port.data() + port.size())
            return fail(Errc::kMalformed, "URL port");
    }
    if (out.port == 0) return fail(Errc::kMalformed, "URL port");
    return out;
}

bool UrlGate::is_allowed_host(std::string_view host) const {
    return std::find(policy_.hosts.begin(), policy_.hosts.end(), host) != policy_.hosts.end();
}

Result<Url> UrlGate::check_url(std::string_view text) const {
    // What the scheme is decides before what else is wrong: `file:///x` has no host to complain of.
    const std::string scheme = lower_case(text.substr(0, std::min(text.find(':'), text.size())));
    if (std::find(policy_.schemes.begin(), policy_.schemes.end(), scheme) == policy_.schemes.end())
        return fail(Errc::kUnsupported, "this kind of URL is not allowed");
    Result<Url> url = parse_url(text);
    if (!url) return url;
    if (const Result<IpAddress> literal = IpAddress::parse(url->host); literal) {
        if (const auto ok = check_address(url->host, *literal); !ok)
            return tl::unexpected(ok.error());
    } else if (is_own_name(url->host) && !is_allowed_host(url->host) &&
               !check_address(url->host, IpAddress::v4(0x7f000001))) {
        return fail(Errc::kForbidden, "this host is not allowed");
    }
    return url;
}

Result<void> UrlGate::check_address(std::string_view host, const IpAddress& address) const {
    if (classify(address) == AddressKind::kPublic || is_allowed_host(host)) return {};
    for (const Network& network : policy_.networks) {
        if (network.contains(address)) return {};
    }
    return fail(Errc::kForbidden, "this address is not allowed");
}

Result<UrlGate::Policy> parse_allow_list(const std::vector<std::string>& entries) {
    UrlGate::Policy out;
    for (const std::string& entry : entries) {
        if (const Result<Network> network = Network::parse(entry); network) {
            out.networks.push_back(*network);
        } else if (const std::string host = lower_case(entry);
                   is_name(host) && !ends_in_number(host)) {
            out.hosts.push_back(host);
        } else {
            return fail(Errc::kMalformed, "neither a network nor a host name");
        }
    }
    return out;
}

}  // namespace parley::gate
