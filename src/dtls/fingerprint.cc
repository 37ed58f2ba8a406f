#include <cctype>

#include "base/encoding.h"
#include "dtls/endpoint.h"

namespace parley::dtls {

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
        const auto byte = hex_decode(value.substr(i * 3, 2));
        const bool separated = i + 1 == out.sha256.size() || value[i * 3 + 2] == ':';
        if (!byte || !separated) return fail(Errc::kMalformed, "fingerprint", i * 3);
        out.sha256[i] = byte->front();
    }
    return out;
}

}  // namespace parley::dtls
