#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace parley::gate {

/// An absolute URL with a host, taken apart (RFC 3986 section 3).
struct Url {
    std::string scheme;  ///< lower case
    std::string host;    ///< lower case; an IPv6 literal without its brackets
    std::uint16_t port = 0;
    std::string path_and_query;  ///< begins with `/`
};

/// kMalformed: not such a URL, or one that libraries read in different ways. kTooLarge: longer than
/// 2,048 bytes.
Result<Url> parse_url(std::string_view text);

enum class AddressKind : std::uint8_t {
    kPublic,
    kUnspecified,
    kLoopback,
    kLinkLocal,
    kPrivate,
    kShared,  ///< RFC 6598, carrier-grade NAT
    kMulticast,
    kReserved,
};
std::string_view to_string(AddressKind kind);
/// By the registries of RFC 6890; an IPv4 address inside an IPv6 one counts as what it is.
AddressKind classify(const IpAddress& address);

/// An address block such as `10.0.0.0/8` or `fd00::/8`; without a length one address.
struct Network {
    IpAddress base;
    std::uint32_t prefix = 128;  ///< of the 128-bit form

    static Result<Network> parse(std::string_view text);
    [[nodiscard]] bool contains(const IpAddress& address) const;
};

/// May this server connect there? Pure, so it is asked again by whoever makes the socket.
class UrlGate {
public:
    struct Policy {
        std::vector<std::string> schemes{"https", "http"};
        std::vector<Network> networks;   ///< allowed though not public
        std::vector<std::string> hosts;  ///< names and literals allowed wherever they lead
    };
    UrlGate() = default;
    explicit UrlGate(Policy policy) : policy_(std::move(policy)) {}

    /// kMalformed, kTooLarge; kUnsupported: scheme; kForbidden: the host is an address that is not
    /// allowed, or a name of this machine.
    [[nodiscard]] Result<Url> check_url(std::string_view text) const;
    /// `host` is what was resolved to `address`. kForbidden.
    [[nodiscard]] Result<void> check_address(std::string_view host, const IpAddress& address) const;

private:
    [[nodiscard]] bool is_allowed_host(std::string_view host) const;
    Policy policy_;
};

/// "10.0.0.0/8, hooks.internal" as in the setting `gate.allow`. kMalformed: an entry is neither.
Result<UrlGate::Policy> parse_allow_list(const std::vector<std::string>& entries);

}  // namespace parley::gate
