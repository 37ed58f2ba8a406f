// A whole connection to the server: handshake, then bytes of the input in pieces that the input
// chooses. The server accepts what is asked for. Its bounds hold at every step, and every end is
// told once.

#include <algorithm>
#include <cstdint>
#include <variant>

#include "base/check.h"
#include "rtmp/server_connection.h"
#include "rtmp/stream_parameters.h"

using namespace parley;
using namespace parley::rtmp;

namespace {

constexpr std::size_t kHandshakeBytes = 1 + 2 * 1536;

struct Counts {
    int publishing = 0;
    int playing = 0;
    int closed = 0;
};

void handle_events(
    ServerConnection& server, Instant now, bool reject, Outputs& out, Counts& counts) {
    while (!out.events.empty()) {
        const std::vector<Event> events = std::exchange(out.events, {});
        for (const Event& event : events) {
            PARLEY_CHECK(counts.closed == 0);
            if (const auto* publish = std::get_if<PublishRequested>(&event)) {
                (void)parse_stream_parameters(publish->app, publish->tc_url, publish->stream_name);
                if (reject) {
                    server.reject(now, publish->stream, kPublishDenied, "No.", out);
                } else {
                    ++counts.publishing;
                    server.accept_publish(now, publish->stream, out);
                }
            } else if (const auto* play = std::get_if<PlayRequested>(&event)) {
                ++counts.playing;
                server.accept_play(now, play->stream, out);
                const flv::Message m{.kind = flv::MediaKind::kVideo,
                                     .payload = flv::make_payload(Bytes(70'000))};
                server.send_media(play->stream, m, 0, out);
            } else if (const auto* media = std::get_if<MediaMessage>(&event)) {
                PARLEY_CHECK(counts.publishing > 0 && !media->message.bytes().empty());
            } else if (std::holds_alternative<Unpublished>(event)) {
                PARLEY_CHECK(--counts.publishing >= 0);
            } else if (std::holds_alternative<PlayStopped>(event)) {
                PARLEY_CHECK(--counts.playing >= 0);
            } else if (std::holds_alternative<Closed>(event)) {
                ++counts.closed;
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const bool with_handshake = (data[0] & 1) != 0;
    const bool reject = (data[0] & 2) != 0;
    const std::size_t piece = std::min<std::size_t>(data[1] + 1u, kUnauthenticatedReadBudget);
    const ByteView bytes(data + 2, size - 2);

    Instant now = Instant(1s);
    ServerConnection server({}, Rng(1), now);
    Outputs out;
    Counts counts;
    if (with_handshake) {
        Bytes handshake(kHandshakeBytes);
        handshake[0] = 3;
        server.handle_bytes(now, handshake, out);
    }
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        now += 1ms;
        server.handle_bytes(now, bytes.subspan(at, std::min(piece, bytes.size() - at)), out);
        const bool authenticated = server.is_authenticated();
        PARLEY_CHECK(server.memory_bytes() <=
                     (authenticated ? kMaxAuthenticatedMemory : kMaxUnauthenticatedMemory));
        handle_events(server, now, reject, out, counts);
        out.send.clear();
    }
    for (int i = 0; const auto due = server.next_deadline(); ++i) {
        PARLEY_CHECK(i < 4);
        now = *due;
        server.handle_timeout(now, out);
    }
    if (!server.is_closed()) server.close(now, CloseReason::kLocal, out);
    handle_events(server, now, reject, out, counts);
    PARLEY_CHECK(counts.publishing == 0 && counts.playing == 0 && counts.closed == 1);
    return 0;
}
