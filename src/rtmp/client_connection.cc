#include "rtmp/client_connection.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "flv/metadata.h"
#include "rtmp/channel.h"
#include "rtmp/command.h"
#include "rtmp/handshake.h"

namespace parley::rtmp {
namespace {

constexpr double kConnectTransaction = 1;
constexpr double kReleaseTransaction = 2;
constexpr double kFcPublishTransaction = 3;
constexpr double kCreateStreamTransaction = 4;
constexpr double kPlayAndPublishTransaction = 5;
constexpr std::uint32_t kClientWindow = 2'500'000;

constexpr std::string_view kSampleAccess = "|RtmpSampleAccess";  // for Flash players, no media

bool carries_media(const RawMessage& message) {
    return message.type != MessageType::kDataAmf0 ||
           flv::data_message_name(message.payload) != kSampleAccess;
}

}  // namespace

std::optional<RtmpUrl> parse_rtmp_url(std::string_view url) {
    RtmpUrl out;
    if (url.starts_with("rtmps://")) {
        out.tls = true;
        out.port = 443;
    } else if (!url.starts_with("rtmp://")) {
        return std::nullopt;
    }
    const std::string_view scheme = url.substr(0, url.find("://") + 3);
    std::string_view rest = url.substr(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(authority.size());
    std::string_view host = authority;
    std::string_view port;
    if (host.starts_with('[')) {  // IPv6
        const std::size_t end = host.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        port = host.substr(end + 1);
        host = host.substr(1, end - 1);
    } else if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
        port = host.substr(colon);
        host = host.substr(0, colon);
    }
    if (!port.empty()) {
        if (port.front() != ':') return std::nullopt;
        const auto [end, error] =
            std::from_chars(port.data() + 1, port.data() + port.size(), out.port);
        if (error != std::errc() || end != port.data() + port.size() || out.port == 0)
            return std::nullopt;
    }
    if (host.empty()) return std::nullopt;
    out.host = host;
    if (rest.starts_with('/')) rest.remove_prefix(1);
    const std::string_view path = rest.substr(0, rest.find('?'));
    if (const std::size_t slash = path.find('/'); slash != std::string_view::npos) {
        out.app = path.substr(0, slash);
        out.stream_name = rest.substr(slash + 1);
    } else {
        // One segment only: servers take it as the application, or it is all query.
        out.app = path;
        out.stream_name = rest.substr(path.size());
    }
    out.tc_url.append(scheme).append(authority).append("/").append(out.app);
    return out;
}

struct ClientConnection::Impl {
    enum class Phase : std::uint8_t {
        kHandshake,
        kConnecting,
        kCreating,
        kStarting,
        kStarted,
        kClosed
    };

    Impl(const ClientConfig& c, Rng rng, Instant now, Outputs& out)
        : config(c),
          handshake(rng, c.digest_handshake, out.send),
          channel({}),
          last_now(now),
          last_received(now),
          start_deadline(now + c.start_timeout) {}

    ClientConfig config;
    Phase phase = Phase::kHandshake;
    ClientHandshake handshake;
    Channel channel;
    Instant last_now;
    Instant last_received;
    Instant start_deadline;
    MessageStreamId stream;
    flv::TimestampUnwrapper timestamps;

    void advance(Instant now) { last_now = std::max(last_now, now); }

    [[nodiscard]] std::optional<Instant> next_deadline() const {
        if (phase == Phase::kClosed) return std::nullopt;
        if (phase != Phase::kStarted) return start_deadline;
        if (config.mode == ClientMode::kPlay) return last_received + config.idle_timeout;
        return std::nullopt;
    }

    void close(CloseReason reason, const Error& error, Outputs& out) {
        if (phase == Phase::kClosed) return;
        phase = Phase::kClosed;
        out.events.emplace_back(Closed{reason, error});
    }

    void handle_bytes(ByteView in, Outputs& out) {
        last_received = last_now;
        if (phase == Phase::kHandshake) {
            const Result<bool> done = handshake.handle(in, out.send);
            if (!done) return close(close_reason_of(done.error()), done.error(), out);
            if (!*done) return;
            phase = Phase::kConnecting;
            send_connect(out);
        }
        while (phase != Phase::kClosed) {
            Result<std::optional<RawMessage>> message = channel.next(in, out.send);
            if (!message) return close(close_reason_of(message.error()), message.error(), out);
            if (!*message) break;
            handle_message(std::move(**message), out);
        }
        if (phase != Phase::kClosed) channel.acknowledge(out.send);
    }

    void send_connect(Outputs& out) {
        channel.send_chunk_size(config.chunk_size, out.send);
        channel.send_window_ack_size(kClientWindow, out.send);
        flv::AmfObject object;
        object.add("app", config.app)
            .add("type", "nonprivate")
            .add("flashVer", config.flash_ver)
            .add("tcUrl", config.tc_url)
            .add("fpad", false)
            .add("capabilities", 239.0)
            .add("audioCodecs", 3575.0)
            .add("videoCodecs", 252.0)
            .add("objectEncoding", 0.0);
        command("connect", kConnectTransaction, std::move(object), {}, 0, out);
    }

    void command(const char* name,
                 double transaction,
                 flv::AmfValue object,
                 std::vector<flv::AmfValue> arguments,
                 std::uint32_t on,
                 Outputs& out) const {
        channel.send_command(on,
                             {.name = name,
                              .transaction_id = transaction,
                              .object = std::move(object),
                              .arguments = std::move(arguments)},
                             out.send);
    }

    void handle_message(RawMessage&& message, Outputs& out) {
        if (is_media(message.type)) return handle_media(std::move(message), out);
        if (message.type == MessageType::kUserControl) {
            ByteReader in(message.payload);
            const auto event = static_cast<UserControl>(in.u16());
            const std::uint32_t id = in.u32();
            if (event == UserControl::kStreamEof && in.ok() && id == stream.value &&
                phase == Phase::kStarted) {
                close(CloseReason::kEnded, {}, out);
            }
            return;
        }
        if (message.type != MessageType::kCommandAmf0 && message.type != MessageType::kCommandAmf3)
            return;
        const Result<Command> received = parse_command(message.type, message.payload);
        if (!received) return close(close_reason_of(received.error()), received.error(), out);
        handle_command(*received, message.message_stream_id, out);
    }

    void handle_media(RawMessage&& message, Outputs& out) {
        if (config.mode != ClientMode::kPlay || phase < Phase::kStarting) return;
        if (!carries_media(message)) return;
        start(out);  // some servers never say so
        Result<std::vector<flv::Message>> parts = take_media(std::move(message), timestamps);
        if (!parts) return close(close_reason_of(parts.error()), parts.error(), out);
        for (flv::Message& part : *parts)
            out.events.emplace_back(MediaMessage{stream, std::move(part)});
    }

    void start(Outputs& out) {
        if (phase != Phase::kStarting) return;
        phase = Phase::kStarted;
        out.events.emplace_back(Started{stream});
    }

    void handle_command(const Command& received, std::uint32_t on, Outputs& out) {
        if (received.name == "_result") {
            if (received.transaction_id == kConnectTransaction && phase == Phase::kConnecting)
                return create_stream(out);
            if (received.transaction_id == kCreateStreamTransaction && phase == Phase::kCreating) {
                return begin(received.argument(0).number_or(1), out);
            }
            return;
        }
        const bool is_error = received.name == "_error";
        if (!is_error && received.name != "onStatus") return;
        if (is_error && received.transaction_id != kConnectTransaction &&
            received.transaction_id != kCreateStreamTransaction) {
            return;  // releaseStream and FCPublish are courtesies
        }
        handle_status(received, is_error, on, out);
    }

    void handle_status(const Command& received, bool is_error, std::uint32_t on, Outputs& out) {
        static const flv::AmfObject nothing;
        const flv::AmfObject* info = received.argument(0).object();
        if (info == nullptr) info = &nothing;
        const auto text = [&](std::string_view name) {
            const flv::AmfValue* value = info->find(name);
            return value != nullptr ? std::string(value->text()) : std::string();
        };
        StatusReceived status{
            MessageStreamId(on), text("level"), text("code"), text("description")};
        const std::string code = status.code;
        const bool fatal = is_error || status.level == "error";
        out.events.emplace_back(std::move(status));
        if (fatal) {
            close(phase == Phase::kStarted ? CloseReason::kEnded : CloseReason::kConnectRefused,
                  {},
                  out);
        } else if (code == "NetStream.Publish.Start" || code == "NetStream.Play.Start") {
            start(out);
        } else if (code == "NetStream.Play.UnpublishNotify" || code == "NetStream.Play.Stop" ||
                   code == "NetStream.Play.Complete" || code == "NetStream.Unpublish.Success" ||
                   code == "NetConnection.Connect.Closed") {
            close(CloseReason::kEnded, {}, out);
        }
    }

    void create_stream(Outputs& out) {
        phase = Phase::kCreating;
        if (config.mode == ClientMode::kPublish) {
            command(
                "releaseStream", kReleaseTransaction, flv::AmfNull{}, {config.stream_name}, 0, out);
            command(
                "FCPublish", kFcPublishTransaction, flv::AmfNull{}, {config.stream_name}, 0, out);
        }
        command("createStream", kCreateStreamTransaction, flv::AmfNull{}, {}, 0, out);
    }

    void begin(double number, Outputs& out) {
        if (!(number >= 0 && number <= 0xFFFF'FFFF)) {
            return close(CloseReason::kMalformed, {Errc::kMalformed, "message stream id"}, out);
        }
        stream = MessageStreamId(static_cast<std::uint32_t>(number));
        phase = Phase::kStarting;
        if (config.mode == ClientMode::kPublish) {
            command("publish",
                    kPlayAndPublishTransaction,
                    flv::AmfNull{},
                    {config.stream_name, "live"},
                    stream.value,
                    out);
        } else {
            command("play",
                    kPlayAndPublishTransaction,
                    flv::AmfNull{},
                    {config.stream_name, -2.0},
                    stream.value,
                    out);
            channel.send_user_control(
                UserControl::kSetBufferLength, stream.value, config.buffer_length_ms, out.send);
        }
    }
};

ClientConnection::ClientConnection(const ClientConfig& config, Rng rng, Instant now, Outputs& out)
    : impl_(std::make_unique<Impl>(config, rng, now, out)) {}
ClientConnection::~ClientConnection() = default;
ClientConnection::ClientConnection(ClientConnection&&) noexcept = default;
ClientConnection& ClientConnection::operator=(ClientConnection&&) noexcept = default;

void ClientConnection::handle_bytes(Instant now, ByteView bytes, Outputs& out) {
    impl_->advance(now);
    if (!is_closed() && !bytes.empty()) impl_->handle_bytes(bytes, out);
}

void ClientConnection::handle_timeout(Instant now, Outputs& out) {
    impl_->advance(now);
    const std::optional<Instant> due = impl_->next_deadline();
    if (!due || *due > impl_->last_now) return;
    impl_->close(is_started() ? CloseReason::kIdle : CloseReason::kHandshakeTimeout, {}, out);
}

std::optional<Instant> ClientConnection::next_deadline() const { return impl_->next_deadline(); }

bool ClientConnection::send_media(const flv::Message& message,
                                  std::int64_t timestamp_ms,
                                  Outputs& out) {
    if (!is_started() || impl_->config.mode != ClientMode::kPublish) return false;
    if (message.kind != flv::MediaKind::kData) {
        return impl_->channel.send_media(impl_->stream.value, message, timestamp_ms, out.send);
    }
    // What a server shall remember for later players goes under this name.
    Bytes payload;
    if (flv::data_message_name(message.bytes()) == "onMetaData")
        flv::write_amf0(payload, "@setDataFrame");
    const ByteView body = message.bytes();
    payload.insert(payload.end(), body.begin(), body.end());
    const flv::Message framed{.kind = flv::MediaKind::kData,
                              .timestamp_ms = timestamp_ms,
                              .payload = flv::make_payload(std::move(payload))};
    return impl_->channel.send_media(impl_->stream.value, framed, timestamp_ms, out.send);
}

void ClientConnection::pause(bool on, std::int64_t timestamp_ms, Outputs& out) {
    if (!is_started() || impl_->config.mode != ClientMode::kPlay) return;
    impl_->command("pause",
                   0,
                   flv::AmfNull{},
                   {on, static_cast<double>(timestamp_ms)},
                   impl_->stream.value,
                   out);
}

void ClientConnection::close(Instant now, Outputs& out) {
    impl_->advance(now);
    if (is_closed()) return;
    if (impl_->phase >= Impl::Phase::kStarting) {
        if (impl_->config.mode == ClientMode::kPublish) {
            impl_->command("FCUnpublish", 0, flv::AmfNull{}, {impl_->config.stream_name}, 0, out);
        }
        impl_->command("closeStream", 0, flv::AmfNull{}, {}, impl_->stream.value, out);
        impl_->command(
            "deleteStream", 0, flv::AmfNull{}, {static_cast<double>(impl_->stream.value)}, 0, out);
    }
    impl_->close(CloseReason::kLocal, {}, out);
}

bool ClientConnection::is_started() const { return impl_->phase == Impl::Phase::kStarted; }
bool ClientConnection::is_closed() const { return impl_->phase == Impl::Phase::kClosed; }

}  // namespace parley::rtmp
