// Text frames into a Hub with one member that publishes, one that subscribes, and one stranger. The
// input is cut at line feeds; the first byte of a line says who sends it, `T` runs the clock, `C`
// brings connections up, `X` fails one.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/access_token.h"
#include "base/bytes.h"
#include "base/check.h"
#include "signalling/hub.h"

namespace {

using namespace parley;
using namespace parley::signalling;

constexpr char kKey[] = "fuzz";

class OneApp final : public AppLookup {
public:
    [[nodiscard]] std::optional<AppSettings> find(std::string_view app_id) const override {
        if (app_id != "app") return std::nullopt;
        return AppSettings{};
    }
};

// The reader is tolerant: this is enough to agree on Opus and H.264.
constexpr std::string_view kCapsdp =
    "v=0\\r\\nm=audio 9 UDP/TLS/RTP/SAVPF 111\\r\\na=mid:0\\r\\na=rtpmap:111 opus/48000/2\\r\\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 108 109\\r\\na=mid:1\\r\\na=rtpmap:108 H264/90000\\r\\n"
    "a=fmtp:108 packetization-mode=1;profile-level-id=42e01f\\r\\na=rtpmap:109 rtx/90000\\r\\n"
    "a=fmtp:109 apt=108\\r\\n"
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\\r\\n";

struct World {
    OneApp apps;
    SeededSecretSource secrets{1};
    Instant now{};
    WallTime wall{Duration(1'700'000'000s)};
    Outputs out;
    std::vector<PeerId> open;
    std::string last_track;
    std::string last_connection;
    Hub hub;

    World()
        : hub(HubConfig{},
              Rng(1),
              secrets,
              apps,
              kKey,
              {sfu::WorkerInfo{WorkerId(1), {{{IpAddress::v4(0x7f000001), 7700}, false}}}},
              dtls::Fingerprint{},
              now,
              wall) {}

    void connect(std::uint64_t session, std::string_view user) {
        hub.handle_open(now, SessionId(session), {}, out);
        if (user.empty()) return;
        auth::AccessClaims claims;
        claims.app_id = "app";
        claims.room_name = "room";
        claims.user_id = user;
        claims.permission = auth::Permission::kAdmin;
        claims.expire_at = wall + 1h;
        std::string text = "auth={\"rpcid\":\"1\",\"token\":\"";
        text += auth::mint_access_token(kKey, claims, "ws://x");
        text += "\",\"capsdp\":\"";
        text += kCapsdp;
        text += "\"}";
        hub.handle_text(now, wall, SessionId(session), text, out);
        settle();
    }

    /// `@T` and `@P` stand for the last track and connection id that anybody was told.
    std::string fill_in(std::string_view line) const {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const std::string_view two = line.substr(i, 2);
            if (two != "@T" && two != "@P") {
                text.push_back(line[i]);
                continue;
            }
            text += two == "@T" ? last_track : last_connection;
            ++i;
        }
        return text;
    }
    static void remember(std::string_view text, std::string_view key, std::string& id) {
        constexpr std::size_t kIdLength = 16;
        const std::size_t at = text.rfind(key);
        if (at == std::string_view::npos || text.size() < at + key.size() + kIdLength) return;
        id = text.substr(at + key.size(), kIdLength);
    }

    void settle() {
        for (const SendText& sent : out.texts) {
            remember(sent.text, "\"trackid\":\"", last_track);
            remember(sent.text, "\"pcid\":\"", last_connection);
        }
        for (const ToWorker& to : out.commands) {
            if (const auto* peer = std::get_if<sfu::OpenPeer>(&to.command)) {
                open.push_back(peer->peer);
            } else if (const auto* closed = std::get_if<sfu::ClosePeer>(&to.command)) {
                PARLEY_CHECK(std::erase(open, closed->peer) == 1);
            }
        }
        PARLEY_CHECK(open.size() == hub.stats().peers);
        out.clear();
    }

    void feed(std::string_view line) {
        if (line.empty()) return;
        const std::string_view rest = line.substr(1);
        switch (line[0]) {
            case 'T':
                now += std::chrono::seconds(1 + rest.size());
                wall += std::chrono::seconds(1 + rest.size());
                hub.handle_timeout(now, wall, out);
                PARLEY_CHECK(!hub.next_deadline() || *hub.next_deadline() > now);
                break;
            case 'C':
                for (const PeerId peer : std::vector<PeerId>(open)) {
                    hub.handle_media_event(now, WorkerId(1), sfu::PeerConnected{peer}, out);
                }
                break;
            case 'X':
                if (open.empty()) break;
                hub.handle_media_event(
                    now, WorkerId(1), sfu::PeerDisconnected{open.back(), {}}, out);
                open.pop_back();
                break;
            default:
                // Time moves a little, so that the rate limit does not end every longer input.
                now += 10ms;
                hub.handle_text(
                    now, wall, SessionId(1 + static_cast<unsigned char>(line[0]) % 3), rest, out);
        }
        settle();
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 65'536) return 0;
    World world;
    world.connect(1, "ann");
    world.connect(2, "bob");
    world.connect(3, "");
    PARLEY_CHECK(world.hub.stats().members == 2);
    std::string_view input = as_text_view({data, size});
    while (!input.empty()) {
        const std::size_t end = input.find('\n');
        world.feed(input.substr(0, end));
        if (end == std::string_view::npos) break;
        input.remove_prefix(end + 1);
    }
    (void)world.hub.dump_state();
    return 0;
}
