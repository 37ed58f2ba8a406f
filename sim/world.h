#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "rtp/sequence.h"
#include "sim/checker.h"
#include "sim/event_queue.h"
#include "sim/link.h"
#include "sim/phone.h"
#include "sim/pipe.h"
#include "sim/plan.h"
#include "sim/server.h"
#include "sim/web_client.h"

namespace parley::sim {

/// What the wall clock shows when a world begins.
inline constexpr WallTime kWallStart{Duration(1'700'000'000s)};

/// A deliberate breach of each rule, so that tests can show that the rule is watched.
enum class Sabotage : std::uint8_t {
    kNone,
    kRepeatIndex,      ///< the server sends one SRTP packet twice
    kUnprovenAddress,  ///< and one to an address that nobody has proven
    kAnswerNobody,     ///< a STUN answer without a question
    kForeignMedia,     ///< a peer is subscribed to what it never asked for
    kWrongSource,      ///< a subscription is connected to another track
    kLoseRoomEvent,
    kLoseMute,  ///< every message that says "muted"
    kRepeatRoomEvent,
    kLoseAnswer,
    kRepeatAnswer,
    kLosePacket,      ///< in a world without faults
    kUnexplainedGap,  ///< a packet that arrived is not sent on
    kStarve,          ///< after healing, one subscriber gets no video
    kLeakPeer,        ///< a worker is not told that a connection is closed
    kStuckDeadline,
    kOversize,  ///< a datagram beyond the MTU
    kStallAll,  ///< while one player is held up, none gets anything
    kRepeatPlayed,
    kLosePlayed,
    kLosePushed,   ///< a picture of a phone is not sent on
    kForeignPlay,  ///< a player gets another member's track
    kLeakStream,   ///< control is not told that a stream has ended
};

struct Outcome {
    std::vector<std::string> failures;
    std::uint64_t trace_hash = 0;
    std::uint64_t events = 0;
    Duration recovered_after{};  ///< after the network healed
};

/// One world: a server, its clients, the links between them and what happens to them, all by one
/// seed.
///
/// Until `Plan::heals_at` links are as bad as planned and incidents happen. Then everything must
/// work again within `Plan::recovers_within`: every client is in its room and believes what the
/// server knows, decodes every track that it wants, and no connection is left over. At last
/// everybody leaves, and nothing may stay.
class World final : private Network, private PhoneNetwork, private ServerHost {
public:
    explicit World(const Plan& plan, Sabotage sabotage = Sabotage::kNone, bool print = false);
    Outcome run();

private:
    struct Socket {
        std::size_t client = 0;
        std::uint64_t generation = 0;
        bool is_cut = false;        ///< nothing passes any more, and nobody was told
        bool server_knows = false;  ///< opened there and not yet closed
        std::size_t undelivered = 0;
    };
    struct Seat {
        Plan::Member plan;
        std::unique_ptr<WebClient> client;
        std::unique_ptr<Link> up;
        std::unique_ptr<Link> down;
        bool has_left = false;
    };
    struct PhoneSeat {
        Plan::Phone plan;
        std::unique_ptr<Phone> phone;
        std::set<std::uint64_t> sessions;  ///< all that it ever had
        std::set<std::uint64_t> known;     ///< opened at the server and not yet closed
        bool has_left = false;
    };
    /// A phone's RTMP connection.
    struct StreamLink {
        std::size_t phone = 0;
        Pipe up;
        Pipe down;
        bool is_open = false;  ///< at the server
        bool is_lost = false;  ///< the phone has given it up, and the server was not told
    };
    struct Owner {
        std::string user;
        std::string room;
        NodeClock clock;
        bool suffers = false;
    };
    static constexpr std::uint64_t kPhoneSession = std::uint64_t{1} << 40;

    /// What the server has sent under one key and SSRC.
    struct SentStream {
        rtp::SequenceUnwrapper unwrapper{1};
        std::set<rtp::ExtSeq> recent;
        std::optional<rtp::ExtSeq> first;
        rtp::ExtSeq highest = 0;
        std::uint64_t count = 0;
    };

    // Network.
    std::uint64_t open_socket(WebClient& client) override;
    void send_text(std::uint64_t socket, std::string text) override;
    void close_socket(std::uint64_t socket) override;
    Path fresh_path(const WebClient& client, bool tcp) override;
    void send_datagram(const WebClient& client, const MediaPeer& peer, Bytes datagram) override;
    Ssrc fresh_ssrc(std::uint32_t source) override;
    std::uint32_t fresh_serial() override { return ++last_serial_; }

    // PhoneNetwork.
    std::uint64_t open_session(const Phone& phone) override;
    void say(const Phone& phone, std::uint64_t session, std::string text) override;
    std::uint64_t open_stream(const Phone& phone) override;
    void close_stream(std::uint64_t stream) override;

    // ServerHost.
    void send_datagram(std::size_t worker, const Path& to, ByteView datagram) override;
    void refuse_datagram(const Path& from, ByteView datagram) override;
    void send_text(signalling::SessionId session, std::string text) override;
    void close_session(signalling::SessionId session, std::uint16_t code) override;
    void wake_at(Instant at) override;
    void handle_command(signalling::ToWorker command,
                        std::vector<signalling::ToWorker>& out) override;
    void handle_play(std::vector<gateway::PlayTrack>& tracks) override;
    bool handle_stream_closed() override;

    // Phones (phones.cc).
    void add_phones(std::uint32_t& last_source);
    [[nodiscard]] PhoneSeat& seat_of(const Phone& phone);
    [[nodiscard]] PhoneSeat* seat_of_session(signalling::SessionId session);
    void tell_phone(PhoneSeat& seat, std::uint64_t session, std::string text);
    void close_phone(PhoneSeat& seat, std::uint64_t session);
    void cut_phones();
    void lose_stream(std::uint64_t stream, bool tell);
    void tick_phone(std::size_t phone);
    void carry(std::uint64_t stream);
    void plan_phone_incident();
    void happen(PhoneIncident incident, std::size_t phone);
    void quicken(std::size_t phone);
    void heal_phones();
    [[nodiscard]] std::string missing_of(const PhoneSeat& seat) const;
    [[nodiscard]] std::string missing_phones(const Seat& seat) const;
    void check_players();
    void check_untouched();
    void check_no_streams();
    void sabotage_streams();

    void start_server();
    void stop_server(bool politely);
    void tick(std::size_t seat);
    void plan_incident();
    void happen(Incident incident, std::size_t seat);
    void cut(std::uint64_t socket, bool tell);
    void send_garbage();
    void heal();
    void run_until(Instant end);

    void deliver_up(std::uint64_t generation,
                    std::uint16_t port,
                    const Path& from,
                    const Bytes& datagram);
    void deliver_down(std::size_t seat, const Path& to, const Bytes& datagram);
    void check_sent(const Path& to, ByteView datagram);
    void check_sent_rtp(std::uint32_t serial, ByteView datagram);
    void count_lost(ByteView datagram);
    bool sabotage_datagram(std::size_t worker, const Path& to, ByteView datagram);
    /// Empty when everything works; else the first thing that does not.
    [[nodiscard]] std::string what_is_missing() const;
    [[nodiscard]] std::string missing_media(const Seat& seat) const;
    [[nodiscard]] std::string missing_truth() const;
    void check_streams();
    void check_clean();
    void check_empty();
    [[nodiscard]] std::size_t seat_of(const WebClient& client) const;
    /// Once, from the n-th time on that it is asked for this sabotage.
    bool strikes(Sabotage kind, std::uint64_t at);

    Plan plan_;
    Sabotage sabotage_;
    std::uint64_t sabotage_chances_ = 0;
    bool struck_ = false;
    Rng rng_;
    Checker checker_;
    Trace trace_;
    EventQueue queue_;
    Instant now_{};
    bool healed_ = false;
    Instant incidents_end_;
    // Once in a world is enough of these.
    bool server_may_stop_ = true;
    bool consent_may_be_lost_ = true;

    std::unique_ptr<Server> server_;
    std::uint64_t generation_ = 0;
    Duration server_leap_{};
    std::vector<Seat> seats_;
    std::map<std::uint64_t, Socket> sockets_;
    std::uint64_t last_socket_ = 0;
    std::uint32_t last_serial_ = 0;
    std::uint32_t last_ssrc_ = 1'000;
    std::uint16_t last_port_ = 10'000;
    std::uint32_t last_connection_ = 0;

    std::string asked_;         // rpcid of the request that the server is handling
    std::size_t answered_ = 0;  // how often it has answered it

    std::map<Path, std::size_t> owner_of_path_;
    std::map<Path, std::uint32_t> serial_of_path_;
    std::set<Path> proven_;
    std::map<Path, std::uint64_t> questions_;
    std::map<Path, std::uint64_t> answers_;
    std::map<std::uint32_t, std::map<Ssrc, SentStream>> sent_;  // by serial
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> rtcp_index_;
    std::map<Ssrc, std::uint32_t> source_of_ssrc_;
    std::map<std::uint32_t, std::uint64_t> lost_;  // of each source, before the server had it
    std::map<std::uint32_t, Owner> owners_;        // of each source
    std::vector<PhoneSeat> phones_;
    Rng phone_rng_{0};
    std::map<std::uint64_t, StreamLink> links_;
    std::uint64_t last_stream_ = 0;
    std::vector<gateway::PlayTrack> allowed_;  // for sabotage
    std::map<TrackId, sfu::AddTrack> tracks_;  // for sabotage
    std::vector<PeerId> subscribers_;          // for sabotage
};

/// The whole of one seed.
Outcome run_seed(std::uint64_t seed, Sabotage sabotage = Sabotage::kNone, bool print = false);

}  // namespace parley::sim
