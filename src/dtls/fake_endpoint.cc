#include "dtls/fake_endpoint.h"

#include <algorithm>

#include "base/rng.h"

namespace parley::dtls {
namespace {

constexpr std::uint8_t kHandshakeRecord = 22;  // RFC 6347 section 4.1
constexpr std::uint8_t kAlertRecord = 21;
constexpr Duration kFirstTimeout = 100ms;
constexpr Duration kMaxTimeout = 1600ms;

enum class Message : std::uint8_t { kHello = 1, kAnswer = 2, kFinished = 3, kDone = 4, kClose = 5 };

class FakeEndpoint final : public Endpoint {
public:
    FakeEndpoint(const Config& config, const Fingerprint& own, std::uint64_t random)
        : config_(config), own_(own), random_(random) {}

    void start(Instant now, Outputs& out) override {
        if (state_ != State::kIdle) return;
        state_ = State::kHandshaking;
        give_up_at_ = now + config_.handshake_timeout;
        if (config_.role == Role::kClient) send_repeating(now, Message::kHello, out);
    }

    void handle_datagram(Instant now, ByteView datagram, Outputs& out) override {
        if (state_ == State::kClosed) return;
        ByteReader in(datagram);
        const std::uint8_t record = in.u8();
        const auto message = static_cast<Message>(in.u8());
        const std::uint64_t random = in.u64();
        const ByteView raw = in.view(32);
        if (!in.ok() || !in.at_end()) return;
        if (record == kAlertRecord) {
            if (state_ == State::kConnected) {
                state_ = State::kClosed;
                out.closed_by_peer = true;
            }
            return;
        }
        if (record != kHandshakeRecord) return;
        Fingerprint fingerprint;
        std::copy(raw.begin(), raw.end(), fingerprint.sha256.begin());
        if (state_ == State::kIdle) start(now, out);
        const bool is_client = config_.role == Role::kClient;
        switch (message) {
            case Message::kHello:
                if (!is_client) send(Message::kAnswer, out);
                break;
            case Message::kAnswer:
                if (!is_client) break;
                send_repeating(now, Message::kFinished, out);
                connect(random, fingerprint, out);
                break;
            case Message::kFinished:
                if (is_client) break;
                send(Message::kDone, out);
                connect(random, fingerprint, out);
                break;
            case Message::kDone:
                if (is_client) retransmit_at_.reset();
                break;
            case Message::kClose: break;
        }
    }

    void handle_timeout(Instant now, Outputs& out) override {
        if (state_ == State::kHandshaking && now >= give_up_at_) {
            state_ = State::kClosed;
            retransmit_at_.reset();
            out.failed = Failed{FailReason::kTimeout};
            return;
        }
        if (retransmit_at_ && now >= *retransmit_at_) {
            timeout_ = std::min(timeout_ * 2, kMaxTimeout);
            // A real client repeats its last flight until the server's has come, or the handshake times out.
            if (state_ == State::kConnected && now >= give_up_at_) {
                retransmit_at_.reset();
                return;
            }
            retransmit_at_ = now + timeout_;
            send(repeating_, out);
        }
    }

    [[nodiscard]] std::optional<Instant> next_deadline() const override {
        if (state_ == State::kIdle || state_ == State::kClosed) return std::nullopt;
        if (state_ == State::kConnected) return retransmit_at_;
        return retransmit_at_ ? std::min(*retransmit_at_, give_up_at_) : give_up_at_;
    }

    void release_handshake_memory() override {}

    void close(Outputs& out) override {
        if (state_ == State::kConnected) send(Message::kClose, out);
        state_ = State::kClosed;
    }

private:
    enum class State : std::uint8_t { kIdle, kHandshaking, kConnected, kClosed };

    void send(Message message, Outputs& out) const {
        Bytes bytes(42);
        ByteWriter writer(bytes);
        writer.u8(message == Message::kClose ? kAlertRecord : kHandshakeRecord);
        writer.u8(static_cast<std::uint8_t>(message));
        writer.u64(random_);
        writer.bytes(own_.sha256);
        out.datagrams.push_back(std::move(bytes));
    }
    void send_repeating(Instant now, Message message, Outputs& out) {
        if (repeating_ != message || !retransmit_at_) {
            repeating_ = message;
            timeout_ = kFirstTimeout;
        }
        retransmit_at_ = now + timeout_;
        send(message, out);
    }
    void connect(std::uint64_t remote_random, const Fingerprint& fingerprint, Outputs& out) {
        if (state_ == State::kConnected) return;
        if (config_.remote_fingerprint && !(*config_.remote_fingerprint == fingerprint)) {
            state_ = State::kClosed;
            out.failed = Failed{FailReason::kFingerprint};
            return;
        }
        const bool is_client = config_.role == Role::kClient;
        const std::uint64_t client_random = is_client ? random_ : remote_random;
        const std::uint64_t server_random = is_client ? remote_random : random_;
        SeededSecretSource material(client_random * 31 + server_random);
        srtp::MasterKey client;
        srtp::MasterKey server;
        for (srtp::MasterKey* key : {&client, &server}) {
            material.fill(key->key);
            material.fill(key->salt);
        }
        state_ = State::kConnected;
        out.connected = Connected{.profile = srtp::Profile::kAeadAes128Gcm,
                                  .local = is_client ? client : server,
                                  .remote = is_client ? server : client,
                                  .remote_fingerprint = fingerprint};
    }

    Config config_;
    Fingerprint own_;
    std::uint64_t random_;
    State state_ = State::kIdle;
    Instant give_up_at_;
    Message repeating_ = Message::kHello;
    Duration timeout_ = kFirstTimeout;
    std::optional<Instant> retransmit_at_;
};

class FakeFactory final : public Factory {
public:
    explicit FakeFactory(std::uint64_t seed) : rng_(seed) {
        for (std::uint8_t& byte : fingerprint_.sha256) byte = static_cast<std::uint8_t>(rng_.next_u32());
    }
    [[nodiscard]] Fingerprint local_fingerprint() const override { return fingerprint_; }
    [[nodiscard]] std::unique_ptr<Endpoint> create(const Config& config) override {
        return std::make_unique<FakeEndpoint>(config, fingerprint_, rng_.next_u64());
    }

private:
    Rng rng_;
    Fingerprint fingerprint_;
};

}  // namespace

std::unique_ptr<Factory> create_fake_factory(std::uint64_t seed) {
    return std::make_unique<FakeFactory>(seed);
}

}  // namespace parley::dtls
