#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "gateway/gateway.h"
#include "io/tls_context.h"
#include "sfu/usage.h"
#include "signalling/streams.h"

/// What a worker's RTMP and FLV connections and control say to each other.
namespace parley::server {

class StreamConnection;

/// Worker to control: what may this connection do? The connection comes along: while control looks
/// it up, nobody reads it, and it goes on at the worker of its room.
struct StreamQuestion {
    StreamId stream;
    bool publishes = false;
    signalling::StreamAddress address;
    bool low = false;  ///< plays the low layer of a simulcast track
    std::shared_ptr<StreamConnection> connection;
};
struct StreamTracksFound {
    StreamId stream;
    std::vector<sfu::MediaKind> kinds;
};
struct StreamClosed {
    StreamId stream;
};
using StreamNotice = std::variant<StreamQuestion, StreamTracksFound, StreamClosed>;

/// Control to worker: the answer. Not granted: `reason` for the client.
struct StreamVerdict {
    StreamId stream;
    bool publishes = false;
    bool granted = false;
    std::string_view reason;  ///< static text
    Errc why = Errc::kInternal;
    std::string room;  ///< for the log
    sfu::OwnerRef owner;
    std::vector<gateway::PlayTrack> tracks;
    std::optional<gateway::RoomSound> room_sound;
    std::shared_ptr<StreamConnection> connection;
};
struct StreamEnded {
    StreamId stream;
    std::string_view reason;  ///< static text
};
/// What can be heard in a room has changed.
struct RoomSoundChanged {
    std::uint64_t room = 0;
    std::vector<gateway::MixInput> inputs;
};
/// For the TLS connections that come from now on.
struct UseCertificate {
    std::shared_ptr<const io::TlsContext> tls;
};
using StreamCommand =
    std::variant<StreamVerdict, StreamEnded, RoomSoundChanged, UseCertificate, gateway::ConversionResult>;

}  // namespace parley::server
