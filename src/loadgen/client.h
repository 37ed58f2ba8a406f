#pragma once

#include <string>

#include "base/rng.h"
#include "base/units.h"
#include "loadgen/peer_connection.h"
#include "loadgen/publisher.h"

namespace parley::loadgen {

/// What all clients of a run share.
struct ClientContext {
    Loop& loop;
    ReceiveBuffers& buffers;
    Totals& totals;
    dtls::Factory& dtls;
    const MediaFiles& files;
    SecretSource& secrets;
};

/// What a client does once it is inside.
struct ClientRole {
    bool publish = false;
    bool subscribe = false;
    bool audio = true;
    bool video = true;
    unsigned layers = 1;
    Bitrate video_bitrate = Bitrate::kbps(1400);
    Bitrate audio_bitrate = Bitrate::kbps(48);
    std::size_t max_packet = 1200;
};

enum class ClientState : std::uint8_t {
    kIdle,
    kJoining,
    kJoined,  ///< signalling is up
    kReady,   ///< publishing and (or) receiving
    kFailed,
};

/// One client of the population, whatever it signals with.
class Client {
public:
    virtual ~Client() = default;
    virtual void start(Instant now) = 0;
    /// Says goodbye and closes everything.
    virtual void leave() = 0;
    [[nodiscard]] virtual ClientState state() const = 0;
    /// Why it failed; empty when the reason is not known or it has not.
    [[nodiscard]] virtual const std::string& failure() const = 0;
    [[nodiscard]] virtual std::int64_t audio_lost() const = 0;
};

ice::Credentials make_credentials(SecretSource& secrets);

}  // namespace parley::loadgen
