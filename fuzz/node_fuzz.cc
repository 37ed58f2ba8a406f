// What an authenticated peer can do to a media worker: any RTP and RTCP under good keys, any STUN
// and DTLS from a proven address, in any order, with time and commands in between. Records of the
// input: one byte of kind, one of length (in units of 4), then the bytes.
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "dtls/fake_endpoint.h"
#include "ice/stun.h"
#include "media/packet_sink.h"
#include "rtcp/packets.h"
#include "rtp/header.h"
#include "sfu/node.h"
#include "srtp/session.h"

using namespace parley;

namespace {

class Sink final : public media::PacketSink {
public:
    std::uint8_t* reserve(std::size_t size) override {
        PARLEY_CHECK(size <= kMaxCommit);
        memory_.assign(size, 0);
        return memory_.data();
    }
    void commit(const Path& to, std::size_t size, std::size_t segment_size, Instant) override {
        PARLEY_CHECK(size <= memory_.size() && size <= kMaxCommit && segment_size > 0);
        PARLEY_CHECK((size + segment_size - 1) / segment_size <= kMaxSegments);
        for (std::size_t at = 0; at < size; at += segment_size) {
            const std::size_t part = std::min(segment_size, size - at);
            const auto begin = memory_.begin() + static_cast<std::ptrdiff_t>(at);
            sent.emplace_back(to, Bytes(begin, begin + static_cast<std::ptrdiff_t>(part)));
        }
    }
    std::deque<std::pair<Path, Bytes>> sent;

private:
    Bytes memory_;
};

/// The client's end of one peer: no logic, only keys.
struct Client {
    std::uint32_t number;
    Path path;
    std::unique_ptr<dtls::Endpoint> dtls;
    std::optional<srtp::Sender> sender;
    std::optional<srtp::Receiver> receiver;
    std::map<std::uint32_t, std::uint64_t> next;  // index by SSRC
};

struct World {
    static constexpr std::size_t kSlabs = 4'096;
    std::unique_ptr<dtls::Factory> server_dtls = dtls::create_fake_factory(1);
    std::unique_ptr<dtls::Factory> client_dtls = dtls::create_fake_factory(2);
    media::PacketPool pool{kSlabs};
    Sink sink;
    std::vector<sfu::MediaEvent> events;
    Instant now{1000s};
    sfu::Node node{*server_dtls, pool, Rng(1)};
    std::deque<Client> clients;
    std::set<std::uint32_t> closed;

    sfu::NodeOutputs out() { return {sink, events}; }
    void command(const sfu::MediaCommand& c) {
        auto o = out();
        node.handle_command(now, c, o);
    }
    void input(const Path& from, ByteView bytes) {
        if (bytes.size() > media::Packet::kMaxDatagram) return;
        media::PacketRef packet = pool.allocate();
        PARLEY_CHECK(packet);
        std::copy(bytes.begin(), bytes.end(), packet->data.begin());
        packet->size = static_cast<std::uint32_t>(bytes.size());
        packet->received_at = now;
        auto o = out();
        node.handle_datagram(now, from, std::move(packet), o);
    }
    void take(Client& client, dtls::Outputs& o) {
        for (const Bytes& datagram : o.datagrams) input(client.path, datagram);
        if (!o.connected) return;
        client.sender = std::move(*srtp::Sender::create(o.connected->profile, o.connected->local));
        client.receiver =
            std::move(*srtp::Receiver::create(o.connected->profile, o.connected->remote));
    }
    void deliver() {
        auto o = out();
        node.flush(now, o);
        while (!sink.sent.empty()) {
            auto [to, bytes] = std::move(sink.sent.front());
            sink.sent.pop_front();
            for (Client& client : clients) {
                if (client.path != to) continue;
                if (dtls::is_dtls(bytes)) {
                    dtls::Outputs answer;
                    client.dtls->handle_datagram(now, bytes, answer);
                    take(client, answer);
                } else if (!ice::is_stun(bytes)) {
                    read(client, bytes);
                }
            }
        }
        for (const sfu::MediaEvent& event : events) {
            if (const auto* gone = std::get_if<sfu::PeerDisconnected>(&event)) {
                PARLEY_CHECK(closed.insert(gone->peer.value).second);
            }
        }
        events.clear();
    }
    /// Everything decrypts once: a second use of an index would be refused as a replay.
    static void read(Client& client, Bytes& bytes) {
        PARLEY_CHECK(client.receiver.has_value());
        if (rtp::is_rtcp(bytes)) {
            const auto size = client.receiver->unprotect_rtcp(bytes);
            PARLEY_CHECK(size.has_value());
            rtcp::CompoundReader reader(ByteView(bytes.data(), *size));
            while (reader.next()) {
            }
            PARLEY_CHECK(!reader.error());
            return;
        }
        const auto header = rtp::parse_header(bytes);
        PARLEY_CHECK(header.has_value());
        const auto plain = client.receiver->unprotect_rtp(bytes, header->header_size);
        PARLEY_CHECK(plain.has_value());
        PARLEY_CHECK(
            rtp::payload_size_without_padding(*header, ByteView(bytes.data(), plain->size)));
    }
    void join(std::uint32_t number, dtls::Role role) {
        const ice::Credentials ice{"ufrag" + std::to_string(number), "password-of-22-letters"};
        rtp::ExtensionIds ids;
        ids.mid = 4;
        ids.rid = 10;
        ids.repaired_rid = 11;
        ids.transport_cc = 3;
        ids.audio_level = 1;
        command(sfu::OpenPeer{.peer = PeerId(number),
                              .local_ice = ice,
                              .dtls_role = role,
                              .receive_extensions = ids,
                              .send_extensions = ids});
        const auto other = role == dtls::Role::kServer ? dtls::Role::kClient : dtls::Role::kServer;
        const Path path{.remote = {IpAddress::v4(0x0a000000 + number), 4000}};
        clients.push_back({number, path, client_dtls->create({.role = other}), {}, {}, {}});
        Client& client = clients.back();
        ice::StunWriter check(ice::StunType::kBindingRequest, {});
        check.username(ice.ufrag + ":x");
        check.ice_controlling(1);
        check.use_candidate();
        input(path, check.finish(ice.password));
        dtls::Outputs o;
        client.dtls->start(now, o);
        take(client, o);
        deliver();
        PARLEY_CHECK(client.sender.has_value());
    }
    void send_rtp(Client& client, ByteView packet) {
        Bytes bytes = to_bytes(packet);
        const auto header = rtp::parse_header(bytes);
        if (!header) return;
        // Under good keys the index only grows; the wire number is whatever the input says, near
        // it.
        std::uint64_t& next = client.next[header->ssrc.value];
        const auto step = static_cast<std::int16_t>(
            static_cast<std::uint16_t>(header->sequence_number - static_cast<std::uint16_t>(next)));
        if (step < 0 && next < static_cast<std::uint64_t>(-step)) return;
        const std::uint64_t index =
            next + static_cast<std::uint64_t>(static_cast<std::int64_t>(step));
        next = std::max(next, index);
        const Bytes payload(bytes.begin() + static_cast<std::ptrdiff_t>(header->header_size),
                            bytes.end());
        bytes.resize(bytes.size() + srtp::kMaxOverhead);
        bytes.resize(client.sender->protect_rtp(bytes.data(), header->header_size, payload, index));
        input(client.path, bytes);
    }
    void send_rtcp(Client& client, ByteView compound) {
        if (compound.size() < 8) return;
        Bytes bytes = to_bytes(compound);
        bytes.resize(bytes.size() + srtp::kMaxOverhead);
        bytes.resize(client.sender->protect_rtcp(bytes.data(), compound.size()));
        input(client.path, bytes);
    }
    void run(Duration by) {
        const Instant end = now + by;
        for (int i = 0; i < 200; ++i) {
            const auto next = node.next_deadline();
            if (!next || *next > end) break;
            now = std::max(now, *next);
            auto o = out();
            node.handle_timeout(now, o);
            const auto after = node.next_deadline();
            PARLEY_CHECK(!after || *after > now);
            deliver();
        }
        now = end;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 20'000) return 0;
    World world;
    world.join(1, dtls::Role::kClient);
    world.join(2, dtls::Role::kServer);
    world.join(3, dtls::Role::kServer);
    const auto video = TrackId(1);
    const auto audio = TrackId(2);
    const auto layers = TrackId(3);
    world.command(sfu::AddTrack{.peer = PeerId(1),
                                .track = audio,
                                .kind = sfu::MediaKind::kAudio,
                                .codec = sfu::Codec::kOpus,
                                .payload_type = PayloadType(111),
                                .red_payload_type = PayloadType(63),
                                .mid = "0",
                                .encodings = {{.ssrc = Ssrc(10)}}});
    world.command(sfu::AddTrack{.peer = PeerId(1),
                                .track = video,
                                .kind = sfu::MediaKind::kVideo,
                                .codec = sfu::Codec::kH264,
                                .payload_type = PayloadType(108),
                                .rtx_payload_type = PayloadType(109),
                                .mid = "1",
                                .encodings = {{.ssrc = Ssrc(20), .rtx_ssrc = Ssrc(21)}}});
    world.command(sfu::AddTrack{.peer = PeerId(1),
                                .track = layers,
                                .kind = sfu::MediaKind::kVideo,
                                .codec = sfu::Codec::kVp8,
                                .payload_type = PayloadType(96),
                                .rtx_payload_type = PayloadType(97),
                                .mid = "2",
                                .encodings = {{.rid = "hi"}, {.rid = "lo"}}});
    std::uint32_t ssrc = 100;
    for (const std::uint32_t peer : {2U, 3U}) {
        for (const TrackId track : {audio, video, layers}) {
            world.command(sfu::Subscribe{.peer = PeerId(peer),
                                         .track = track,
                                         .ssrc = Ssrc(ssrc++),
                                         .rtx_ssrc = Ssrc(ssrc++),
                                         .payload_type = PayloadType(101),
                                         .rtx_payload_type = PayloadType(102),
                                         .red_payload_type = PayloadType(peer == 2 ? 63 : 0),
                                         .cname = "c"});
        }
    }
    ByteReader in(ByteView(data, size));
    for (int steps = 0; steps < 400 && in.remaining() >= 2; ++steps) {
        const std::uint8_t kind = in.u8();
        const std::size_t length = std::min<std::size_t>(std::size_t{in.u8()} * 4, in.remaining());
        const ByteView bytes = in.view(length);
        Client& client = world.clients[(kind >> 4) % world.clients.size()];
        switch (kind & 0x0f) {
            case 0:
            case 1:
            case 2:
                world.send_rtp(client, bytes);
                break;
            case 3:
            case 4:
                world.send_rtcp(client, bytes);
                break;
            case 5:
                world.input(client.path, bytes);
                break;
            case 6:
                world.deliver();
                break;
            case 7:
                world.run(std::chrono::milliseconds(1 + length * 4));
                break;
            case 8:
                world.command(sfu::SetLayer{
                    PeerId(2), layers, length % 8 == 0 ? sfu::Layer::kHigh : sfu::Layer::kLow});
                break;
            case 9:
                world.command(
                    sfu::RequestKeyFrame{TrackId(1 + static_cast<std::uint32_t>(length) / 4 % 4)});
                break;
            case 10:
                world.command(sfu::Unsubscribe{
                    PeerId(3), TrackId(1 + static_cast<std::uint32_t>(length) / 4 % 4)});
                break;
            case 11:
                world.command(
                    sfu::RemoveTrack{TrackId(1 + static_cast<std::uint32_t>(length) / 4 % 4)});
                break;
            default:
                break;
        }
    }
    world.deliver();
    world.run(3s);
    // Nothing that was received stays behind when everybody has left.
    for (const Client& client : world.clients) world.command(sfu::ClosePeer{PeerId(client.number)});
    world.deliver();
    PARLEY_CHECK(world.pool.in_use() == 0);
    PARLEY_CHECK(world.node.counters().peers == 0 && world.node.counters().tracks == 0);
    return 0;
}
