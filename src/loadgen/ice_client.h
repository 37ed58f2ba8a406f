#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "ice/lite_agent.h"
#include "ice/stun.h"

namespace parley::loadgen {

/// Checks towards one candidate of a server, as the controlling side with aggressive nomination: enough for a
/// load generator. An ICE-lite server never checks itself; one with full ICE is answered, and may win the
/// controlling role (RFC 8445 section 7.3.1.1).
class IceClient {
public:
    static constexpr Duration kFirstInterval = 50ms;   ///< doubles up to kLastInterval until an answer comes
    static constexpr Duration kLastInterval = 1s;
    static constexpr Duration kConsentInterval = 2500ms;
    static constexpr Duration kFailAfter = 20s;        ///< without any answer

    IceClient(ice::Credentials local, ice::Credentials remote, Rng rng, Instant now);

    /// A check to send now; nullopt when none is due.
    std::optional<Bytes> take_check(Instant now);
    struct Handled {
        bool connected = false;  ///< this answer is the first one
        Bytes answer;            ///< to send back; empty: nothing
    };
    /// `from` is the server's address.
    Handled handle_stun(Instant now, const SocketAddress& from, ByteView message);

    [[nodiscard]] Instant next_deadline() const { return next_check_; }
    [[nodiscard]] bool is_connected() const { return connected_; }
    [[nodiscard]] bool has_failed(Instant now) const { return now - last_answer_ > kFailAfter; }

private:
    [[nodiscard]] Bytes answer_check(const SocketAddress& from, const ice::StunMessage& check);

    ice::Credentials local_;
    ice::Credentials remote_;
    Rng rng_;
    std::uint64_t tie_breaker_;
    ice::TransactionId transaction_{};
    Instant next_check_;
    Instant last_answer_;
    Duration interval_ = kFirstInterval;
    bool connected_ = false;
    bool is_controlling_ = true;
};

}  // namespace parley::loadgen
