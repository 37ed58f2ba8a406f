#include <cctype>

#include "dtls/endpoint.h"

namespace parley::dtls {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string Fingerprint::to_string() const {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(sha256.size() * 3);
    for (const std::uint8_t byte : sha256) {
        if (!out.empty()) out.push_back(':');
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 15]);
    }
    return out;
}

Result<Fingerprint> Fingerprint::parse(std::string_view algorithm, std::string_view value) {
    constexpr std::string_view kAlgorithm = "sha-256";
    if (algorithm.size() != kAlgorithm.size()) return fail(Errc::kUnsupported, "fingerprint algorithm");
    for (std::size_t i = 0; i < kAlgorithm.size(); ++i) {
        if (std::tolower(static_cast<unsigned char>(algorithm[i])) != kAlgorithm[i]) {
            return fail(Errc::kUnsupported, "fingerprint algorithm");
        }
    }
    Fingerprint out;
    if (value.size() != out.sha256.size() * 3 - 1) return fail(Errc::kMalformed, "fingerprint length");
    for (std::size_t i = 0; i < out.sha256.size(); ++i) {
        const int high = hex_value(value[i * 3]);
        const int low = hex_value(value[i * 3 + 1]);
        const bool separated = i + 1 == out.sha256.size() || value[i * 3 + 2] == ':';
        if (high < 0 || low < 0 || !separated) return fail(Errc::kMalformed, "fingerprint", i * 3);
        out.sha256[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return out;
}

}  // namespace parley::dtls
