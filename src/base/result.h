#pragma once

#include <cstdint>
#include <tl/expected.hpp>

namespace parley {

/// Why a parse or an operation failed. One list for the pure layers; the edge maps it to wire codes.
enum class Errc : std::uint8_t {
    kTruncated,     ///< fewer bytes than the format needs
    kMalformed,     ///< bytes that the format forbids
    kUnsupported,   ///< legal, but deliberately not handled
    kTooLarge,      ///< beyond a named bound
    kBadCookie,     ///< STUN magic cookie or RTP version is wrong
    kBadIntegrity,  ///< signature, MAC or authentication tag does not match
    kReplayed,      ///< seen before, or too old to tell
    kExpired,
    kNotFound,
    kConflict,
    kForbidden,
    kBusy,
    kSystem,        ///< the operating system refused
    kInternal,
};

/// Code, static text (never owned), and where in the input it happened (0 when that means nothing).
struct Error {
    Errc code = Errc::kInternal;
    const char* what = "";
    std::uint32_t offset = 0;

    friend bool operator==(const Error& a, const Error& b) { return a.code == b.code; }
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, const char* what, std::size_t offset = 0) {
    return tl::unexpected(Error{code, what, static_cast<std::uint32_t>(offset)});
}

}  // namespace parley
