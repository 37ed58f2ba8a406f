#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dtls/endpoint.h"
#include "ice/stun.h"
#include "media/packet_sink.h"
#include "rtcp/packets.h"
#include "rtp/header.h"
#include "rtp/header_extensions.h"
#include "sfu/node.h"
#include "srtp/session.h"

namespace parley::sfu::test {

struct Datagram {
    Path to;
    Bytes bytes;
};

/// Keeps what the node sends, one entry for each datagram.
class RecordingSink final : public media::PacketSink {
public:
    std::uint8_t* reserve(std::size_t size) override {
        memory_.resize(size);
        return memory_.data();
    }
    void commit(const Path& to, std::size_t size, std::size_t segment_size, Instant) override {
        EXPECT_LE(size, memory_.size());
        EXPECT_GT(segment_size, 0U);
        ++commits;
        for (std::size_t at = 0; at < size; at += segment_size) {
            const std::size_t part = std::min(segment_size, size - at);
            ++datagrams;
            bytes += part;
            sent.push_back({to, Bytes(memory_.begin() + static_cast<std::ptrdiff_t>(at),
                                      memory_.begin() + static_cast<std::ptrdiff_t>(at + part))});
        }
    }
    std::deque<Datagram> sent;
    std::size_t datagrams = 0;  ///< ever
    std::size_t bytes = 0;
    std::size_t commits = 0;

private:
    Bytes memory_;
};

/// What a client received and decrypted.
struct ReceivedRtp {
    std::uint16_t sequence_number = 0;
    std::uint32_t timestamp = 0;
    Ssrc ssrc;
    PayloadType payload_type;
    bool marker = false;
    Bytes payload;
};

/// The other end of one peer: a controlling ICE client, DTLS and SRTP, no media logic.
class Client {
public:
    Client(PeerId peer, ice::Credentials remote, dtls::Role role, dtls::Factory& factory, Path path)
        : peer_(peer), remote_(std::move(remote)), path_(path), dtls_(factory.create({.role = role})) {}

    [[nodiscard]] const Path& path() const { return path_; }
    void move_to(const Path& path) { path_ = path; }
    [[nodiscard]] PeerId peer() const { return peer_; }

    Bytes check(bool nominate = true) {
        ice::TransactionId id{};
        id[0] = ++checks_;
        ice::StunWriter writer(ice::StunType::kBindingRequest, id);
        writer.username(remote_.ufrag + ":client");
        writer.priority(1);
        writer.ice_controlling(7);
        if (nominate) writer.use_candidate();
        return writer.finish(remote_.password);
    }
    void set_remote(ice::Credentials remote) { remote_ = std::move(remote); }

    /// Feeds what the node sent; what the client answers is appended to `answers`.
    void handle(Instant now, ByteView bytes, std::vector<Bytes>& answers) {
        if (ice::is_stun(bytes)) {
            const auto parsed = ice::parse_stun(bytes);
            ASSERT_TRUE(parsed.has_value());
            ASSERT_TRUE(parsed->has_integrity(remote_.password));
            ++stun_answers;
            if (!started_) {
                started_ = true;
                dtls::Outputs out;
                dtls_->start(now, out);
                take(out, answers);
            }
        } else if (dtls::is_dtls(bytes)) {
            dtls::Outputs out;
            dtls_->handle_datagram(now, bytes, out);
            take(out, answers);
        } else if (rtp::is_rtcp(bytes)) {
            Bytes copy = to_bytes(bytes);
            const auto size = receiver->unprotect_rtcp(copy);
            ASSERT_TRUE(size.has_value());
            rtcp.push_back(Bytes(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(*size)));
        } else {
            const auto header = rtp::parse_header(bytes);
            ASSERT_TRUE(header.has_value());
            Bytes copy = to_bytes(bytes);
            const auto plain = receiver->unprotect_rtp(copy, header->header_size);
            ASSERT_TRUE(plain.has_value()) << "every packet must decrypt, and no index comes twice";
            const ByteView packet(copy.data(), plain->size);
            const auto size = rtp::payload_size_without_padding(*header, packet);
            ASSERT_TRUE(size.has_value());
            rtp.push_back({header->sequence_number, header->timestamp, header->ssrc, header->payload_type,
                           header->marker, to_bytes(packet.subspan(header->header_size, *size))});
        }
    }

    [[nodiscard]] bool is_connected() const { return sender.has_value(); }

    Bytes rtp_packet(Ssrc ssrc, std::uint64_t index, std::uint32_t timestamp, PayloadType payload_type,
                     ByteView payload, bool marker = true, ByteView extension_block = {}) {
        Bytes out(12 + extension_block.size() + payload.size() + srtp::kMaxOverhead);
        ByteWriter writer(out);
        rtp::write_header(writer, {.marker = marker,
                                   .has_extension = !extension_block.empty(),
                                   .payload_type = payload_type,
                                   .sequence_number = static_cast<std::uint16_t>(index),
                                   .timestamp = timestamp,
                                   .ssrc = ssrc});
        writer.bytes(extension_block);
        const std::size_t header = writer.size();
        out.resize(sender->protect_rtp(out.data(), header, payload, index));
        return out;
    }
    Bytes rtcp_packet(ByteView compound) {
        Bytes out = to_bytes(compound);
        out.resize(compound.size() + srtp::kMaxOverhead);
        out.resize(sender->protect_rtcp(out.data(), compound.size()));
        return out;
    }

    std::optional<srtp::Sender> sender;
    std::optional<srtp::Receiver> receiver;
    srtp::Profile profile{};
    std::vector<ReceivedRtp> rtp;
    std::vector<Bytes> rtcp;
    int stun_answers = 0;

private:
    void take(dtls::Outputs& out, std::vector<Bytes>& answers) {
        for (Bytes& datagram : out.datagrams) answers.push_back(std::move(datagram));
        EXPECT_FALSE(out.failed.has_value());
        if (!out.connected) return;
        profile = out.connected->profile;
        sender = std::move(*srtp::Sender::create(profile, out.connected->local));
        receiver = std::move(*srtp::Receiver::create(profile, out.connected->remote));
    }

    PeerId peer_;
    ice::Credentials remote_;
    Path path_;
    std::unique_ptr<dtls::Endpoint> dtls_;
    bool started_ = false;
    std::uint8_t checks_ = 0;
};

/// A node with clients joined in memory; time moves only when a test says so.
class NodeFixture : public ::testing::Test {
protected:
    NodeFixture()
        : server_dtls(std::move(*dtls::create_openssl_factory())),
          client_dtls(std::move(*dtls::create_openssl_factory())),
          pool(8192),
          node(*server_dtls, pool, Rng(1)) {}

    NodeOutputs outputs() { return {sink, events}; }

    void command(const MediaCommand& c) {
        auto out = outputs();
        node.handle_command(now, c, out);
    }
    /// One datagram from a path into the node; media waits for `deliver`.
    void input(const Path& from, ByteView bytes) {
        received.add_in(bytes.size());
        auto out = outputs();
        media::PacketRef packet = pool.allocate();
        ASSERT_TRUE(packet);
        std::copy(bytes.begin(), bytes.end(), packet->data.begin());
        packet->size = static_cast<std::uint32_t>(bytes.size());
        packet->received_at = now;
        node.handle_datagram(now, from, std::move(packet), out);
    }
    void flush() {
        auto out = outputs();
        node.flush(now, out);
    }
    /// Moves everything between node and clients until nothing is left.
    void deliver() {
        flush();
        while (!sink.sent.empty()) {
            const Datagram d = std::move(sink.sent.front());
            sink.sent.pop_front();
            for (auto& c : clients) {
                if (c->path() != d.to) continue;
                std::vector<Bytes> answers;
                c->handle(now, d.bytes, answers);
                for (const Bytes& a : answers) input(c->path(), a);
            }
            flush();
        }
    }
    void advance(Duration by) {
        const Instant end = now + by;
        for (;;) {
            const auto next = node.next_deadline();
            if (!next || *next > end) break;
            now = std::max(now, *next);
            auto out = outputs();
            node.handle_timeout(now, out);
            deliver();
            const auto after = node.next_deadline();
            ASSERT_TRUE(!after || *after > now) << "the next deadline lies after now";
        }
        now = end;
    }

    static Path path_of(std::uint32_t n) {
        return {.remote = {IpAddress::v4(0x0a000000 + n), static_cast<std::uint16_t>(40'000 + n)}};
    }
    /// A peer that `connect` then joins. Publishers' peers are DTLS clients, as on pubpc.
    Client& open(std::uint32_t n, dtls::Role server_role = dtls::Role::kServer,
                 rtp::ExtensionIds extensions = {}) {
        const ice::Credentials credentials{"ufrag" + std::to_string(1000 + n),
                                           "passwordpasswordpassword" + std::to_string(n)};
        command(OpenPeer{.peer = PeerId(n),
                         .local_ice = credentials,
                         .dtls_role = server_role,
                         .remote_fingerprint = std::nullopt,
                         .receive_extensions = extensions,
                         .send_extensions = extensions,
                         .connect_timeout = 30s,
                         .owner = std::make_shared<Owner>(Owner{"app", "room", "user" + std::to_string(n)})});
        const auto role = server_role == dtls::Role::kServer ? dtls::Role::kClient : dtls::Role::kServer;
        clients.push_back(std::make_unique<Client>(PeerId(n), credentials, role, *client_dtls, path_of(n)));
        return *clients.back();
    }
    void connect(Client& c) {
        input(c.path(), c.check());
        deliver();
        ASSERT_TRUE(c.is_connected());
    }
    template <class Event>
    std::vector<Event> take_events() {
        std::vector<Event> out;
        std::erase_if(events, [&](const MediaEvent& e) {
            if (const auto* wanted = std::get_if<Event>(&e)) {
                out.push_back(*wanted);
                return true;
            }
            return false;
        });
        return out;
    }

    std::unique_ptr<dtls::Factory> server_dtls;
    std::unique_ptr<dtls::Factory> client_dtls;
    media::PacketPool pool;
    RecordingSink sink;
    Traffic received;  ///< what `input` ever brought
    std::vector<MediaEvent> events;
    Instant now{1000s};
    std::vector<std::unique_ptr<Client>> clients;
    Node node;
};

}  // namespace parley::sfu::test
