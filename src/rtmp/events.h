#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "flv/gather_list.h"
#include "flv/message.h"

namespace parley::rtmp {

/// NetStream of one connection, as createStream numbered it (section 5.3.1: message stream id).
using MessageStreamId = StrongId<struct MessageStreamIdTag>;

enum class CloseReason : std::uint8_t {
    kLocal,             ///< we asked for it
    kRejected,          ///< a publish or play was refused
    kHandshakeTimeout,  ///< no handshake, connect or publish/play in time
    kDecisionTimeout,   ///< nobody decided about a publish or play in time
    kIdle,              ///< a publisher, or a client's server, went silent
    kMalformed,         ///< bytes that the protocol forbids
    kTooLarge,          ///< beyond a bound of `limits.h`
    kUnsupported,       ///< RTMPE, shared objects that must be answered ...
    kConnectRefused,    ///< client: the server refused `connect`
    kEnded,             ///< client: the server ended the stream
};

[[nodiscard]] const char* to_string(CloseReason reason);
/// What to close with after bytes that could not be read.
[[nodiscard]] CloseReason close_reason_of(const Error& error);

/// `connect` was accepted. Nothing is decided yet.
struct Connected {
    std::string app;
    std::string tc_url;
    std::string flash_ver;  ///< what the client calls itself
    std::string page_url;
    double object_encoding = 0;  ///< 0 = AMF0, 3 = AMF3
    std::vector<std::string>
        four_cc_list;  ///< enhanced RTMP: codecs that the client can play, `*` = all
};
/// Answer with accept_publish or reject. Until then the connection reads nothing further.
struct PublishRequested {
    MessageStreamId stream;
    std::string app;
    std::string tc_url;
    std::string stream_name;
    std::string publish_type;  ///< live, record, append
};
/// Answer with accept_play or reject. Until then the connection reads nothing further.
struct PlayRequested {
    MessageStreamId stream;
    std::string app;
    std::string tc_url;
    std::string stream_name;
    double start = -2;  ///< -2 live or recorded, -1 live only, 0 or more: seconds into a recording
    double duration = -1;  ///< seconds; -1 until it ends
};
/// Audio, video or data of a stream that is published to us (server) or played by us (client). A
/// data message comes without its `@setDataFrame`.
struct MediaMessage {
    MessageStreamId stream;
    flv::Message message;
};
/// The publisher stopped, or the connection closed while it published.
struct Unpublished {
    MessageStreamId stream;
};
/// The player stopped, or the connection closed while it played.
struct PlayStopped {
    MessageStreamId stream;
};
/// Nothing is sent while `on`; when it ends, the shell goes on at a key frame.
struct Paused {
    MessageStreamId stream;
    bool on = false;
};
/// receiveAudio, receiveVideo: the connection leaves out what is off by itself. When video comes
/// back, the shell goes on at a key frame.
struct ReceiveChanged {
    MessageStreamId stream;
    bool audio = true;
    bool video = true;
};
/// Client: the server accepted our publish (`NetStream.Publish.Start`) or play
/// (`NetStream.Play.Start`).
struct Started {
    MessageStreamId stream;
};
/// Client: an onStatus or _error for a stream, or for the connection (stream 0).
struct StatusReceived {
    MessageStreamId stream;
    std::string level;  ///< status, warning, error
    std::string code;
    std::string description;
};
/// The last event. Send what is in Outputs::send, then close the socket. Unpublished and
/// PlayStopped of open streams come before it.
struct Closed {
    CloseReason reason = CloseReason::kLocal;
    Error error;  ///< what the peer did, where `reason` is about that
};

using Event = std::variant<Connected,
                           PublishRequested,
                           PlayRequested,
                           MediaMessage,
                           Unpublished,
                           PlayStopped,
                           Paused,
                           ReceiveChanged,
                           Started,
                           StatusReceived,
                           Closed>;

/// One for each connection: `send` is at the same time the queue of what the socket has not taken
/// yet, and the shell consumes from its front. `events` is drained after every call.
struct Outputs {
    flv::GatherList send;
    std::vector<Event> events;
};

}  // namespace parley::rtmp
