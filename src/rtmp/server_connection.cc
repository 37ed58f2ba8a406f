#include "rtmp/server_connection.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "rtmp/channel.h"
#include "rtmp/command.h"
#include "rtmp/handshake.h"

namespace parley::rtmp {
namespace {

constexpr double kCapabilities =
    31;  // what Flash Media Server says; clients look at it, none at its bits
constexpr std::size_t kMaxFourCcs = 16;
constexpr double kForwards = 4;  // enhanced RTMP: FourCcInfoMask.CanForward
constexpr double kCapsModEx = 4;

constexpr ChunkReader::Limits kOfPlayers{.message = kMaxPlayerMessage,
                                         .assembly = kMaxPlayerAssembly,
                                         .chunk_streams = kMaxChunkStreams};
constexpr ChunkReader::Limits kBeforeAccept{.message = kMaxUnauthenticatedMessage,
                                            .assembly = kMaxUnauthenticatedAssembly,
                                            .chunk_streams = kMaxUnauthenticatedChunkStreams};

std::vector<std::string> four_ccs(const flv::AmfObject& object) {
    std::vector<std::string> names;
    const auto add = [&](std::string_view name) {
        if (names.size() < kMaxFourCcs && name.size() <= 4 && !name.empty())
            names.emplace_back(name);
    };
    if (const flv::AmfValue* list = object.find("fourCcList");
        list != nullptr && list->array() != nullptr) {
        for (const flv::AmfValue& item : list->array()->items) add(item.text());
    }
    for (const char* map_name : {"videoFourCcInfoMap", "audioFourCcInfoMap"}) {
        const flv::AmfValue* map = object.find(map_name);
        if (map == nullptr || map->object() == nullptr) continue;
        for (const flv::AmfProperty& p : map->object()->properties) add(p.name);
    }
    return names;
}

std::string text_property(const flv::AmfObject& object, std::string_view name) {
    const flv::AmfValue* value = object.find(name);
    return value != nullptr ? std::string(value->text()) : std::string();
}

flv::AmfObject forwarded(std::initializer_list<const char*> codecs) {
    flv::AmfObject map;
    for (const char* codec : codecs) map.add(codec, kForwards);
    return map;
}

}  // namespace

/// One connection. The order of the members is the order of the life: handshake, then chunks, then
/// streams.
struct ServerConnection::Impl {
    enum class StreamState : std::uint8_t {
        kIdle,
        kPublishRequested,
        kPublishing,
        kPlayRequested,
        kPlaying
    };

    struct Stream {
        MessageStreamId id;
        StreamState state = StreamState::kIdle;
        bool paused = false;
        bool receives_audio = true;
        bool receives_video = true;
        flv::TimestampUnwrapper timestamps;

        [[nodiscard]] bool is_waiting() const {
            return state == StreamState::kPublishRequested || state == StreamState::kPlayRequested;
        }
    };

    enum class Phase : std::uint8_t { kHandshake, kConnect, kConnected, kClosed };

    Impl(const ServerConfig& c, Rng rng, Instant now)
        : config(c),
          handshake(rng),
          channel(kBeforeAccept),
          last_now(now),
          deadline(now + c.handshake_timeout) {}

    ServerConfig config;
    Phase phase = Phase::kHandshake;
    bool authenticated = false;
    bool was_refused = false;  ///< by an answer to its `connect`
    ServerHandshake handshake;
    Channel channel;
    Instant last_now;
    Instant deadline;       ///< of the handshake, of `connect`, of a request or of a decision
    Instant last_received;  ///< for publishers
    std::string app;
    std::string tc_url;
    std::vector<Stream> streams;
    std::uint32_t next_stream_id = 1;
    Bytes held;  ///< came while a decision was due
    Stats stats;

    // --- what the shell asks

    [[nodiscard]] Instant advance(Instant now) {
        last_now = std::max(last_now, now);
        return last_now;
    }
    [[nodiscard]] bool decision_due() const {
        return std::any_of(
            streams.begin(), streams.end(), [](const Stream& s) { return s.is_waiting(); });
    }
    [[nodiscard]] bool any(StreamState state) const {
        return std::any_of(
            streams.begin(), streams.end(), [=](const Stream& s) { return s.state == state; });
    }
    [[nodiscard]] bool is_streaming() const {
        return any(StreamState::kPublishing) || any(StreamState::kPlaying);
    }
    [[nodiscard]] Stream* find(MessageStreamId id) {
        const auto at = std::find_if(
            streams.begin(), streams.end(), [=](const Stream& s) { return s.id == id; });
        return at == streams.end() ? nullptr : &*at;
    }

    [[nodiscard]] std::optional<Instant> next_deadline() const {
        if (phase == Phase::kClosed) return std::nullopt;
        if (phase != Phase::kConnected || decision_due() || !is_streaming()) return deadline;
        if (any(StreamState::kPublishing)) return last_received + config.publisher_idle_timeout;
        return std::nullopt;
    }

    void handle_timeout(Outputs& out) {
        const std::optional<Instant> due = next_deadline();
        if (!due || *due > last_now) return;
        if (phase != Phase::kConnected) return close(CloseReason::kHandshakeTimeout, {}, out);
        if (decision_due()) {
            for (Stream& s : streams) {
                if (s.is_waiting()) refuse(s, default_refusal(s), "No answer in time.", out);
            }
            return close(CloseReason::kDecisionTimeout, {}, out);
        }
        close(is_streaming() ? CloseReason::kIdle : CloseReason::kHandshakeTimeout, {}, out);
    }

    // --- bytes

    void handle_bytes(ByteView in, Outputs& out) {
        last_received = last_now;
        stats.bytes_received += in.size();
        if (!held.empty()) {
            hold(in, out);
        } else {
            process(in, out);
        }
    }

    void hold(ByteView in, Outputs& out) {
        if (held.size() + in.size() > kReadBudget) {
            return close(CloseReason::kTooLarge, {Errc::kTooLarge, "bytes before a decision"}, out);
        }
        // Exactly as much as there is: this is most of what a connection may hold before it is
        // accepted.
        Bytes grown;
        grown.reserve(held.size() + in.size());
        grown.insert(grown.end(), held.begin(), held.end());
        grown.insert(grown.end(), in.begin(), in.end());
        held = std::move(grown);
    }

    /// After a decision.
    void resume(Outputs& out) {
        if (decision_due()) return;
        if (!is_streaming()) deadline = last_now + config.request_timeout;
        const Bytes bytes = std::exchange(held, Bytes());
        process(bytes, out);
    }

    void process(ByteView in, Outputs& out) {
        if (phase == Phase::kHandshake) {
            const Result<bool> done = handshake.handle(in, out.send);
            if (!done) return close(close_reason_of(done.error()), done.error(), out);
            if (!*done) return;
            phase = Phase::kConnect;
            deadline = last_now + config.handshake_timeout;
        }
        while (phase != Phase::kClosed && !decision_due()) {
            Result<std::optional<RawMessage>> message = channel.next(in, out.send);
            if (!message) return close(close_reason_of(message.error()), message.error(), out);
            if (!*message) break;
            ++stats.messages_received;
            handle_message(std::move(**message), out);
            if (!authenticated && out.send.size_bytes() > kMaxUnauthenticatedUnsent) {
                return close(CloseReason::kTooLarge, {Errc::kTooLarge, "unread answers"}, out);
            }
        }
        if (phase == Phase::kClosed) return;
        if (!in.empty()) hold(in, out);
        channel.acknowledge(out.send);
    }

    // --- messages

    void handle_message(RawMessage&& message, Outputs& out) {
        if (is_media(message.type)) return handle_media(std::move(message), out);
        switch (message.type) {
            case MessageType::kCommandAmf0:
            case MessageType::kCommandAmf3: {
                const Result<Command> command = parse_command(message.type, message.payload);
                if (!command) return close(close_reason_of(command.error()), command.error(), out);
                return handle_command(MessageStreamId(message.message_stream_id), *command, out);
            }
            case MessageType::kUserControl:
                return handle_user_control(message.payload);
            default:
                ++stats.unknown_messages;
        }
    }

    void handle_user_control(ByteView payload) {
        ByteReader in(payload);
        const auto event = static_cast<UserControl>(in.u16());
        (void)in.u32();
        const std::uint32_t length = in.u32();
        if (event == UserControl::kSetBufferLength && in.ok()) stats.buffer_length_ms = length;
    }

    void handle_media(RawMessage&& message, Outputs& out) {
        Stream* s = find(MessageStreamId(message.message_stream_id));
        // Some encoders leave the stream id at 0; with one publish there is no doubt.
        if (s == nullptr && message.message_stream_id == 0) s = only(StreamState::kPublishing);
        if (s == nullptr || s->state != StreamState::kPublishing) {
            ++stats.unknown_messages;
            return;
        }
        const MessageStreamId id = s->id;
        Result<std::vector<flv::Message>> parts = take_media(std::move(message), s->timestamps);
        if (!parts) return close(close_reason_of(parts.error()), parts.error(), out);
        for (flv::Message& part : *parts) {
            ++stats.media_messages_received;
            out.events.emplace_back(MediaMessage{id, std::move(part)});
        }
    }

    /// The one stream in that state; nullptr when there are none or several.
    [[nodiscard]] Stream* only(StreamState state) {
        Stream* found = nullptr;
        for (Stream& s : streams) {
            if (s.state != state) continue;
            if (found != nullptr) return nullptr;
            found = &s;
        }
        return found;
    }

    // --- commands (Adobe RTMP 1.0 section 7.2)

    void handle_command(MessageStreamId on, const Command& command, Outputs& out) {
        const std::string_view name = command.name;
        if (name == "connect") return handle_connect(command, out);
        if (phase != Phase::kConnected) {
            return close(
                CloseReason::kMalformed, {Errc::kMalformed, "command before connect"}, out);
        }
        if (name == "createStream") return handle_create_stream(command, out);
        if (name == "publish") return handle_publish(on, command, out);
        if (name == "play") return handle_play(on, command, out);
        if (name == "pause" || name == "pauseRaw") return handle_pause(on, command, out);
        if (name == "receiveAudio" || name == "receiveVideo")
            return handle_receive(on, command, out);
        if (name == "deleteStream") {
            const double number = command.argument(0).number_or(on.value);
            if (Stream* s = find_number(number)) {
                end_stream(*s, out);
                std::erase_if(streams, [&](const Stream& x) { return &x == s; });
            }
            return;
        }
        if (name == "closeStream") {
            if (Stream* s = find(on)) end_stream(*s, out);
            return;
        }
        if (name == "FCUnpublish") return handle_fc_unpublish(command, out);
        if (name == "FCPublish") {
            reply(command, flv::AmfValue(), out);
            flv::AmfObject info;
            info.add("code", "NetStream.Publish.Start")
                .add("description", command.argument(0).text().substr(0, kMaxNameBytes));
            channel.send_command(
                0,
                {.name = "onFCPublish", .object = flv::AmfNull{}, .arguments = {std::move(info)}},
                out.send);
            return;
        }
        if (name == "getStreamLength") return reply(command, 0.0, out);  // live: no length
        if (name == "_result" || name == "_error" || name == "onStatus") return;
        // releaseStream, _checkbw, FCSubscribe and what else clients call: an answer lets them go
        // on.
        if (name != "releaseStream" && name != "_checkbw") ++stats.unknown_messages;
        if (command.transaction_id > 0) reply(command, flv::AmfValue(), out);
    }

    void reply(const Command& command, flv::AmfValue value, Outputs& out) const {
        channel.send_command(0,
                             {.name = "_result",
                              .transaction_id = command.transaction_id,
                              .object = flv::AmfNull{},
                              .arguments = {std::move(value)}},
                             out.send);
    }

    [[nodiscard]] Stream* find_number(double number) {
        if (!(number >= 1 && number <= 0xFFFF'FFFF)) return nullptr;
        return find(MessageStreamId(static_cast<std::uint32_t>(number)));
    }

    void handle_connect(const Command& command, Outputs& out) {
        const flv::AmfObject* object = command.object.object();
        if (phase != Phase::kConnect || object == nullptr) {
            return close(CloseReason::kMalformed, {Errc::kMalformed, "connect"}, out);
        }
        Connected event{.app = text_property(*object, "app"),
                        .tc_url = text_property(*object, "tcUrl"),
                        .flash_ver = text_property(*object, "flashVer").substr(0, kMaxNameBytes),
                        .page_url = text_property(*object, "pageUrl").substr(0, kMaxNameBytes),
                        .four_cc_list = four_ccs(*object)};
        if (const flv::AmfValue* encoding = object->find("objectEncoding")) {
            event.object_encoding = encoding->number_or(0);
        }
        if (event.app.size() > kMaxNameBytes || event.tc_url.size() > kMaxNameBytes) {
            flv::AmfObject info;
            info.add("level", "error")
                .add("code", kConnectRejected)
                .add("description", "URL too long.");
            channel.send_command(0,
                                 {.name = "_error",
                                  .transaction_id = command.transaction_id,
                                  .object = flv::AmfNull{},
                                  .arguments = {std::move(info)}},
                                 out.send);
            was_refused = true;
            return close(CloseReason::kTooLarge, {Errc::kTooLarge, "app or tcUrl"}, out);
        }
        app = event.app;
        tc_url = event.tc_url;
        app.shrink_to_fit();
        tc_url.shrink_to_fit();
        phase = Phase::kConnected;
        deadline = last_now + config.request_timeout;
        channel.send_window_ack_size(config.window_ack_size, out.send);
        channel.send_peer_bandwidth(config.peer_bandwidth, out.send);
        channel.send_chunk_size(config.chunk_size, out.send);
        channel.send_user_control(UserControl::kStreamBegin, 0, out.send);
        send_connect_result(command, event, out);
        out.events.emplace_back(std::move(event));
    }

    void send_connect_result(const Command& command, const Connected& event, Outputs& out) const {
        flv::AmfObject properties;
        properties.add("fmsVer", "FMS/3,5,7,7009")
            .add("capabilities", kCapabilities)
            .add("mode", 1.0);
        if (!event.four_cc_list.empty()) {
            // Enhanced RTMP v2, "Enhancing NetConnection connect": tags go through as they are.
            properties.add("capsEx", kCapsModEx)
                .add("videoFourCcInfoMap", forwarded({"avc1", "hvc1", "av01", "vp08", "vp09"}))
                .add("audioFourCcInfoMap", forwarded({"mp4a", "Opus"}));
        }
        flv::AmfObject info;
        info.add("level", "status")
            .add("code", "NetConnection.Connect.Success")
            .add("description", "Connection succeeded.")
            .add("objectEncoding", event.object_encoding);
        channel.send_command(0,
                             {.name = "_result",
                              .transaction_id = command.transaction_id,
                              .object = std::move(properties),
                              .arguments = {std::move(info)}},
                             out.send);
    }

    void handle_create_stream(const Command& command, Outputs& out) {
        if (streams.size() >= kMaxMessageStreams) {
            return close(CloseReason::kTooLarge, {Errc::kTooLarge, "message streams"}, out);
        }
        streams.reserve(streams.size() + 1);
        streams.push_back({.id = MessageStreamId(next_stream_id)});
        reply(command, static_cast<double>(next_stream_id), out);
        ++next_stream_id;
    }

    /// The stream that `publish` or `play` means.
    [[nodiscard]] Stream* target(MessageStreamId on) {
        Stream* s = find(on);
        // Some clients send these on stream 0, right after createStream.
        if (s == nullptr && on.value == 0) s = only(StreamState::kIdle);
        return s;
    }

    void handle_publish(MessageStreamId on, const Command& command, Outputs& out) {
        Stream* s = target(on);
        const std::string_view name = command.argument(0).text();
        if (s == nullptr)
            return close(
                CloseReason::kMalformed, {Errc::kMalformed, "publish without a stream"}, out);
        if (s->state != StreamState::kIdle || name.size() > kMaxNameBytes) {
            refuse(*s, kPublishBadName, "The stream is in use, or its name too long.", out);
            return close(CloseReason::kRejected, {}, out);
        }
        s->state = StreamState::kPublishRequested;
        s->timestamps = {};
        deadline = last_now + config.decision_timeout;
        out.events.emplace_back(PublishRequested{
            .stream = s->id,
            .app = app,
            .tc_url = tc_url,
            .stream_name = std::string(name),
            .publish_type = std::string(command.argument(1).text().substr(0, 16))});
    }

    void handle_play(MessageStreamId on, const Command& command, Outputs& out) {
        Stream* s = target(on);
        const std::string_view name = command.argument(0).text();
        if (s == nullptr)
            return close(CloseReason::kMalformed, {Errc::kMalformed, "play without a stream"}, out);
        if (s->state == StreamState::kPlaying) end_stream(*s, out);  // section 7.2.2.1: a switch
        if (s->state != StreamState::kIdle || name.size() > kMaxNameBytes) {
            refuse(*s, kPlayFailed, "The stream is in use, or its name too long.", out);
            return close(CloseReason::kRejected, {}, out);
        }
        s->state = StreamState::kPlayRequested;
        s->paused = false;
        s->receives_audio = s->receives_video = true;
        deadline = last_now + config.decision_timeout;
        out.events.emplace_back(PlayRequested{.stream = s->id,
                                              .app = app,
                                              .tc_url = tc_url,
                                              .stream_name = std::string(name),
                                              .start = command.argument(1).number_or(-2),
                                              .duration = command.argument(2).number_or(-1)});
    }

    void handle_pause(MessageStreamId on, const Command& command, Outputs& out) {
        Stream* s = find(on);
        if (s == nullptr) s = only(StreamState::kPlaying);
        if (s == nullptr || s->state != StreamState::kPlaying) return;
        const bool pause = command.argument(0).bool_or(!s->paused);
        channel.send_status(s->id.value,
                            "status",
                            pause ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify",
                            pause ? "Paused." : "Unpaused.",
                            out.send);
        if (s->paused == pause) return;
        s->paused = pause;
        out.events.emplace_back(Paused{s->id, pause});
    }

    void handle_receive(MessageStreamId on, const Command& command, Outputs& out) {
        Stream* s = find(on);
        if (s == nullptr || s->state != StreamState::kPlaying) return;
        bool& flag = command.name == "receiveAudio" ? s->receives_audio : s->receives_video;
        const bool receive = command.argument(0).bool_or(true);
        if (receive) {  // sections 7.2.2.4 and 7.2.2.5
            channel.send_status(
                s->id.value, "status", "NetStream.Seek.Notify", "Seeking.", out.send);
            channel.send_status(
                s->id.value, "status", "NetStream.Play.Start", "Started playing.", out.send);
        }
        if (flag == receive) return;
        flag = receive;
        out.events.emplace_back(ReceiveChanged{s->id, s->receives_audio, s->receives_video});
    }

    void handle_fc_unpublish(const Command& command, Outputs& out) {
        if (command.transaction_id > 0) reply(command, flv::AmfValue(), out);
        // It names a stream, but one connection publishes one; encoders that publish several use
        // deleteStream.
        Stream* s = only(StreamState::kPublishing);
        if (s == nullptr) return;
        channel.send_status(
            s->id.value, "status", "NetStream.Unpublish.Success", "Stopped publishing.", out.send);
        end_stream(*s, out);
    }

    // --- ends

    /// The client's end of what a stream does, or that of the connection.
    void end_stream(Stream& s, Outputs& out) {
        const StreamState was = std::exchange(s.state, StreamState::kIdle);
        if (was == StreamState::kPublishing) out.events.emplace_back(Unpublished{s.id});
        if (was == StreamState::kPlaying) out.events.emplace_back(PlayStopped{s.id});
        if (!is_streaming()) deadline = last_now + config.request_timeout;
    }

    static std::string_view default_refusal(const Stream& s) {
        return s.state == StreamState::kPublishRequested ? kPublishDenied : kPlayFailed;
    }

    void refuse(const Stream& s,
                std::string_view code,
                std::string_view description,
                Outputs& out) const {
        channel.send_status(s.id.value, "error", code, description, out.send);
    }

    /// A client learns why it is closed, once it can be told anything.
    void tell_why(CloseReason reason, const Error& error, Outputs& out) {
        if (phase == Phase::kHandshake || was_refused) return;
        std::string_view why = error.what;
        switch (reason) {
            case CloseReason::kHandshakeTimeout:
                why =
                    phase == Phase::kConnect ? "no connect in time" : "no publish or play in time";
                break;
            case CloseReason::kIdle:
                why = "nothing came for too long";
                break;
            case CloseReason::kMalformed:
            case CloseReason::kTooLarge:
            case CloseReason::kUnsupported:
                break;
            case CloseReason::kDecisionTimeout:
            case CloseReason::kRejected:
            case CloseReason::kLocal:
            case CloseReason::kConnectRefused:
            case CloseReason::kEnded:
                return;
        }
        const bool connected = phase == Phase::kConnected;
        channel.send_status(
            0, "error", connected ? kConnectClosed : kConnectRejected, why, out.send);
    }

    void close(CloseReason reason, const Error& error, Outputs& out) {
        if (phase == Phase::kClosed) return;
        for (Stream& s : streams) end_stream(s, out);
        tell_why(reason, error, out);
        phase = Phase::kClosed;
        streams.clear();
        held = Bytes();
        out.events.emplace_back(Closed{reason, error});
    }
};

ServerConnection::ServerConnection(const ServerConfig& config, Rng rng, Instant now)
    : impl_(std::make_unique<Impl>(config, rng, now)) {}
ServerConnection::~ServerConnection() = default;
ServerConnection::ServerConnection(ServerConnection&&) noexcept = default;
ServerConnection& ServerConnection::operator=(ServerConnection&&) noexcept = default;

void ServerConnection::handle_bytes(Instant now, ByteView bytes, Outputs& out) {
    (void)impl_->advance(now);
    if (!is_closed() && !bytes.empty()) impl_->handle_bytes(bytes, out);
}

void ServerConnection::handle_timeout(Instant now, Outputs& out) {
    (void)impl_->advance(now);
    impl_->handle_timeout(out);
}

std::optional<Instant> ServerConnection::next_deadline() const { return impl_->next_deadline(); }

std::size_t ServerConnection::read_budget() const {
    if (is_closed() || impl_->decision_due()) return 0;
    return impl_->authenticated ? kReadBudget : kUnauthenticatedReadBudget;
}

void ServerConnection::accept_publish(Instant now, MessageStreamId stream, Outputs& out) {
    (void)impl_->advance(now);
    Impl::Stream* s = impl_->find(stream);
    if (s == nullptr || s->state != Impl::StreamState::kPublishRequested) return;
    s->state = Impl::StreamState::kPublishing;
    impl_->last_received = impl_->last_now;
    impl_->authenticated = true;
    impl_->channel.set_limits({});
    impl_->channel.send_user_control(UserControl::kStreamBegin, stream.value, out.send);
    impl_->channel.send_status(
        stream.value, "status", "NetStream.Publish.Start", "Started publishing.", out.send);
    impl_->resume(out);
}

void ServerConnection::accept_play(Instant now, MessageStreamId stream, Outputs& out) {
    (void)impl_->advance(now);
    Impl::Stream* s = impl_->find(stream);
    if (s == nullptr || s->state != Impl::StreamState::kPlayRequested) return;
    s->state = Impl::StreamState::kPlaying;
    impl_->authenticated = true;
    const bool publishes = std::ranges::any_of(impl_->streams, [](const Impl::Stream& other) {
        return other.state == Impl::StreamState::kPublishing;
    });
    if (!publishes) impl_->channel.set_limits(kOfPlayers);
    impl_->channel.send_user_control(UserControl::kStreamBegin, stream.value, out.send);
    impl_->channel.send_status(
        stream.value, "status", "NetStream.Play.Reset", "Playing and resetting.", out.send);
    impl_->channel.send_status(
        stream.value, "status", "NetStream.Play.Start", "Started playing.", out.send);
    Bytes access;  // Flash players read samples only after this
    flv::write_amf0(access, "|RtmpSampleAccess");
    flv::write_amf0(access, true);
    flv::write_amf0(access, true);
    impl_->channel.send_data(stream.value, std::move(access), out.send);
    impl_->resume(out);
}

void ServerConnection::reject(Instant now,
                              MessageStreamId stream,
                              std::string_view code,
                              std::string_view description,
                              Outputs& out) {
    (void)impl_->advance(now);
    const Impl::Stream* s = impl_->find(stream);
    if (s == nullptr || !s->is_waiting()) return;
    impl_->refuse(*s, code, description, out);
    impl_->close(CloseReason::kRejected, {}, out);
}

bool ServerConnection::send_media(MessageStreamId stream,
                                  const flv::Message& message,
                                  std::int64_t timestamp_ms,
                                  Outputs& out) {
    const Impl::Stream* s = impl_->find(stream);
    if (s == nullptr || s->state != Impl::StreamState::kPlaying || s->paused) return false;
    if (message.kind == flv::MediaKind::kAudio && !s->receives_audio) return false;
    if (message.kind == flv::MediaKind::kVideo && !s->receives_video) return false;
    if (!impl_->channel.send_media(stream.value, message, timestamp_ms, out.send)) return false;
    ++impl_->stats.media_messages_sent;
    return true;
}

void ServerConnection::end_play(Instant now,
                                MessageStreamId stream,
                                std::string_view code,
                                std::string_view description,
                                Outputs& out) {
    (void)impl_->advance(now);
    Impl::Stream* s = impl_->find(stream);
    if (s == nullptr || s->state != Impl::StreamState::kPlaying) return;
    s->state = Impl::StreamState::kIdle;
    if (!impl_->is_streaming()) impl_->deadline = impl_->last_now + impl_->config.request_timeout;
    if (!code.empty()) {
        impl_->refuse(*s, code, description, out);
    } else {
        const Channel& channel = impl_->channel;
        channel.send_status(
            stream.value, "status", "NetStream.Play.UnpublishNotify", description, out.send);
        channel.send_status(stream.value, "status", "NetStream.Play.Stop", description, out.send);
    }
    impl_->channel.send_user_control(UserControl::kStreamEof, stream.value, out.send);
}

void ServerConnection::warn(Instant now,
                            MessageStreamId stream,
                            std::string_view description,
                            Outputs& out) {
    (void)impl_->advance(now);
    const Impl::Stream* s = impl_->find(stream);
    if (s == nullptr || s->state != Impl::StreamState::kPublishing) return;
    impl_->channel.send_status(stream.value, "warning", kPublishWarning, description, out.send);
}

void ServerConnection::end_publish(Instant now,
                                   MessageStreamId stream,
                                   std::string_view code,
                                   std::string_view description,
                                   Outputs& out) {
    (void)impl_->advance(now);
    Impl::Stream* s = impl_->find(stream);
    if (s == nullptr || s->state != Impl::StreamState::kPublishing) return;
    s->state = Impl::StreamState::kIdle;
    impl_->refuse(*s, code, description, out);
    impl_->close(CloseReason::kLocal, {}, out);
}

void ServerConnection::close(Instant now, CloseReason reason, Outputs& out) {
    (void)impl_->advance(now);
    impl_->close(reason, {}, out);
}

bool ServerConnection::is_closed() const { return impl_->phase == Impl::Phase::kClosed; }
bool ServerConnection::is_authenticated() const { return impl_->authenticated; }

std::size_t ServerConnection::memory_bytes() const {
    const Impl& i = *impl_;
    return sizeof(*this) + sizeof(Impl) + i.handshake.memory_bytes() + i.channel.memory_bytes() +
           i.held.capacity() + i.app.capacity() + i.tc_url.capacity() +
           i.streams.capacity() * sizeof(Impl::Stream);
}

ServerConnection::Stats ServerConnection::stats() const {
    Stats stats = impl_->stats;
    stats.acknowledged_bytes = impl_->channel.bytes_acknowledged();
    return stats;
}

}  // namespace parley::rtmp
