#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/inline_vector.h"
#include "base/time.h"
#include "base/transport.h"

namespace parley::ice {

/// RFC 8445 section 5.3: at least 4 and 22 characters of [A-Za-z0-9+/].
struct Credentials {
    std::string ufrag;
    std::string password;
};

enum class State : std::uint8_t {
    kWaiting,       ///< no authenticated check yet: nothing but STUN answers is sent
    kConnected,     ///< a pair is nominated (or, before that, proven by one authenticated check)
    kDisconnected,  ///< no authenticated check for Config::disconnect_after; comes back with the next check
    kFailed,        ///< none for Config::fail_after: final
};

struct Config {
    Credentials local;
    Duration disconnect_after = 7s;  ///< consent checks come every 1 to 3 s (protocol section 4.4)
    Duration fail_after = 30s;       ///< RFC 7675 section 5.1: consent expires after 30 s
};

/// What one datagram meant. `response` is filled when there is something to answer.
struct Outcome {
    Bytes response;                     ///< send to where the check came from; empty = nothing
    std::optional<Path> selected;       ///< the path for everything else changed to this one
    bool proven = false;                ///< the check was authentic: its path belongs to the peer
    std::optional<State> state;         ///< new state
};

/// Server side of one transport's ICE, lite (RFC 8445 section 2.5): it answers authenticated Binding requests
/// and follows the last path that nominated. Any remote ufrag is accepted after the colon, since the server
/// never learns it for receive connections (protocol section 4.1). Addresses move only after an authenticated
/// check with USE-CANDIDATE; before the first nomination the first authenticated check selects its path.
class LiteAgent {
public:
    /// Old and new credentials are both accepted after `restart` until a check with the new ones nominates.
    static constexpr std::size_t kMaxCredentials = 2;

    LiteAgent(const Config& config, Instant now);

    /// A STUN message (RFC 8489) whose USERNAME begins with one of our ufrags. Not a Binding request, or one
    /// without valid integrity: nothing is answered, a counter rises (RFC 8489 section 9.1.3 would answer
    /// 400/401; silence gives an attacker nothing to reflect).
    void handle_stun(Instant now, const Path& from, ByteView message, Outcome& out);
    void handle_timeout(Instant now, Outcome& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// ICE restart (RFC 8445 section 9): new credentials, the selected path stays until a check moves it.
    void restart(Instant now, const Credentials& local);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const std::optional<Path>& selected() const { return selected_; }
    [[nodiscard]] bool owns(std::string_view local_ufrag) const;

    struct Stats {
        std::uint64_t checks = 0;
        std::uint64_t bad_integrity = 0;
        std::uint64_t malformed = 0;
        std::uint64_t path_changes = 0;
    };
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    Config config_;
    InlineVector<Credentials, kMaxCredentials> credentials_;  // newest last
    std::optional<Path> selected_;
    bool nominated_ = false;
    State state_ = State::kWaiting;
    Instant last_check_;
    Stats stats_;
};

}  // namespace parley::ice
