#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "convert/gop_cache.h"
#include "convert/player_queue.h"
#include "convert/timeline.h"
#include "gateway/mix_source.h"
#include "gateway/publisher.h"
#include "gateway/track_source.h"

namespace parley::gateway {

/// What a stream was granted to play, by room control.
struct PlayTrack {
    TrackId track;
    std::uint64_t publisher = 0;  ///< tracks of one publisher share a clock
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    sfu::Codec codec = sfu::Codec::kOpus;
    bool simulcast = false;
    /// Of a simulcast track: the one to play, if the encoder sends it.
    sfu::Layer layer = sfu::Layer::kHigh;
};

/// The sound of everybody in a room but one, for a stream that follows who comes and goes.
struct RoomSound {
    std::uint64_t room = 0;
    std::uint64_t listener = 0;  ///< does not hear himself
    std::vector<MixInput> inputs;
};

struct FoundTracks {
    StreamId stream;
    std::vector<sfu::MediaKind> kinds;
};
struct StreamFailed {
    StreamId stream;
    const char* reason = "";
};

struct StreamWarning {
    StreamId stream;
    const char* text = "";
};

struct GatewayOutputs {
    std::vector<FoundTracks> found;  ///< room control makes tracks of them
    std::vector<StreamId> woken;     ///< players that have something to send
    std::vector<StreamFailed>
        failed;  ///< to be closed with this reason; the gateway has forgotten them
    std::vector<StreamWarning> warnings;  ///< to be told; the stream goes on
    void clear() {
        found.clear();
        woken.clear();
        warnings.clear();
        failed.clear();
    }
};

/// One message for a player, with the time of its own connection.
struct PlayMessage {
    flv::Message message;
    std::int64_t timestamp_ms = 0;
    Instant arrived_at{};  ///< of the media in it; the epoch when there is none
};

struct GatewayCounters {
    std::uint64_t publishers = 0;   ///< now
    std::uint64_t players = 0;      ///< now
    std::uint64_t conversions = 0;  ///< now
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t dropped_frames = 0;  ///< of slow players
    std::uint64_t slow_players = 0;    ///< closed
    std::uint64_t unsupported = 0;     ///< messages of publishers in a codec that is not taken
    std::uint64_t no_conversion = 0;   ///< plays and pictures that no codec was free for
};

/// The media of mini programs on one worker, between the messages of RTMP and FLV connections and
/// the tracks of the node. Pure: time, messages and converted frames come in, frames for players
/// come out.
///
///     RTMP publish ─► Publisher ─┬─► node (WebRTC members)
///                                └─► Feed ─► players
///     WebRTC track ─► node ─► TrackSource ─► Feed ─► players
///
/// A Feed is what one URL names: one or two tracks of a publisher, with the newest group of
/// pictures; all players of the same tracks share it.
class Gateway {
public:
    /// How often `handle_timeout` wants to be called while there is anything to do.
    static constexpr Duration kTick = 10ms;
    /// How long a player's first message waits for the decoder configuration that `onMetaData`
    /// tells of.
    static constexpr Duration kMetadataWait = 1s;
    /// A layer that no codec was free for is asked for again no sooner than this.
    static constexpr Duration kLayerRetry = 1s;
    /// Beyond this a browser's cached pictures are forgotten: it can be asked for a new key frame,
    /// which is sooner at the live edge.
    static constexpr Duration kMaxCachedFromBrowsers = 1s;

    Gateway(sfu::Node& node, media::PacketPool& pool, Conversions& conversions, Rng rng)
        : node_(node), pool_(pool), conversions_(conversions), rng_(rng) {}
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    // Publishing. `ntp` is the wall clock.
    void start_publish(Instant now, NtpTime ntp, StreamId stream);
    void handle_message(Instant now,
                        StreamId stream,
                        const flv::Message& message,
                        sfu::NodeOutputs& node_out,
                        GatewayOutputs& out);
    void stop_publish(StreamId stream);
    /// The node has this track now.
    void handle_track(const sfu::AddLocalTrack& track);

    // Playing.
    /// The first video track counts, and the sound of all; several are mixed. With `room_sound`
    /// that is heard instead of the sound of `tracks`, which may then be none. A mosaic of several
    /// pictures is not there yet.
    /// kUnsupported: no codec is free for what would have to be converted, or a track is not at the
    /// node.
    Result<void> start_play(Instant now,
                            StreamId stream,
                            const std::vector<PlayTrack>& tracks,
                            GatewayOutputs& out,
                            const RoomSound* room_sound = nullptr);
    /// What is heard in a room has changed. Nothing happens when nobody plays it.
    void set_room_sound(Instant now, std::uint64_t room, std::vector<MixInput> inputs);
    void stop_play(StreamId stream);
    /// How a player keeps up.
    struct PlayerView {
        Duration waiting{};
        std::uint64_t dropped_frames = 0;  ///< ever
    };
    [[nodiscard]] std::optional<PlayerView> view_player(StreamId stream) const;
    /// The next message for this player, when its connection can take it; `unsent` bytes are in
    /// memory there.
    std::optional<PlayMessage> take(Instant now, StreamId stream, std::size_t unsent = 0);
    /// The player did not get video for a while (pause, receiveVideo): it goes on at a key frame.
    void handle_resume(Instant now, StreamId stream);

    // What comes of the node and of conversions.
    void handle_tapped(Instant now, std::vector<sfu::Node::Tapped>& packets, GatewayOutputs& out);
    void handle_conversion(Instant now,
                           ConversionResult result,
                           sfu::NodeOutputs& node_out,
                           GatewayOutputs& out);
    void handle_timeout(Instant now, sfu::NodeOutputs& node_out, GatewayOutputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return next_tick_; }

    [[nodiscard]] GatewayCounters counters() const;

private:
    struct SourceKey {
        TrackId track;
        sfu::Layer layer{};
        friend auto operator<=>(const SourceKey&, const SourceKey&) = default;
    };
    /// One mixer: of a room, or of just these tracks.
    struct MixKey {
        std::uint64_t room = 0;
        std::vector<TrackId> tracks;
        friend auto operator<=>(const MixKey&, const MixKey&) = default;
        [[nodiscard]] bool is_set() const { return room != 0 || !tracks.empty(); }
    };
    struct FeedKey {
        SourceKey video;  ///< track 0: none
        SourceKey audio;  ///< the same; of a mix there is none
        MixKey mix;
        std::uint64_t listener = 0;  ///< of a mix: who does not hear himself
        friend auto operator<=>(const FeedKey&, const FeedKey&) = default;
        [[nodiscard]] bool has_video() const { return video.track.is_valid(); }
        [[nodiscard]] bool has_sound() const { return audio.track.is_valid() || mix.is_set(); }
    };
    struct Feed {
        FeedKey key;
        convert::GopCache cache;
        bool is_local = false;       ///< an RTMP publisher's own messages, and nothing else
        bool has_own_sound = false;  ///< as an RTMP publisher sends it, in whatever rate
        convert::FrameRef video_config;
        convert::FrameRef audio_config;
        std::vector<StreamId> players;
        std::vector<StreamId> arrivals;  ///< players of the other layer, until the next key frame
        MixedSound mixed;
        convert::FrameRef newest_picture;  ///< tells the mix what time it is
        Instant opened_at;
    };
    struct Player {
        Feed* feed = nullptr;
        Feed* next = nullptr;     ///< the same with the other layer; it goes there at a key frame
        Instant next_refused_at;  ///< no codec was free for it
        std::optional<PlayTrack> video;
        std::optional<PlayTrack> audio;
        convert::PlayerQueue queue;
        convert::PlayerClock clock;
        Instant joined_at;
        bool video_open = false;  ///< has had the key frame that the following pictures need
        bool announced = false;   ///< `onMetaData` is out
        convert::FrameRef announced_config;
    };
    struct Clock {
        convert::SenderClock clock;
        std::size_t users = 0;
    };
    struct Source {
        std::unique_ptr<TrackSource> source;
        std::uint64_t publisher = 0;
        std::vector<Feed*> feeds;
    };

    struct Mix {
        std::unique_ptr<MixSource> source;
        std::vector<Feed*> feeds;
    };

    /// A track of an RTMP publisher, and the feeds that its frames go to.
    struct LocalTrack {
        StreamId publisher;
        std::vector<Feed*> feeds;
    };

    void tell_refused(StreamId stream,
                      const Publisher& publisher,
                      sfu::MediaKind kind,
                      GatewayOutputs& out);
    [[nodiscard]] Publisher* publisher_of(const PlayTrack& track);
    /// False: it is of an encoder whose codec players do not know, and none is free to convert it.
    [[nodiscard]] bool prepare(Instant now, const PlayTrack* track);
    [[nodiscard]] bool is_local(TrackId track) const { return local_.contains(track); }
    /// The layer to play: another than wanted while the encoder has that one switched off.
    [[nodiscard]] sfu::Layer layer_for(Instant now, const PlayTrack& video) const;
    /// Brings a player on its way to the layer that it should have.
    void follow_layer(Instant now, StreamId stream, Player& player);
    void take_in_arrivals(Instant now, Feed& feed, GatewayOutputs& out);
    void forget_next(StreamId stream, Player& player);
    void close_if_unused(Feed& feed);
    /// Of a browser: an RTMP publisher cannot be asked.
    void want_key_frame(Instant now, const Feed& feed);
    Source* open_source(Instant now, const SourceKey& key, const PlayTrack& track);
    void attach(Source& source, Feed& feed);
    [[nodiscard]] bool open_mix(Instant now, Feed& feed, std::vector<MixInput> inputs);
    bool set_mix_inputs(Instant now, Mix& mix, std::vector<MixInput> inputs);
    void leave_mix(Feed& feed);
    void close_mix_if_unused(const MixKey& key);
    void deliver_mix(Instant now, Mix& mix, ConversionResult result, GatewayOutputs& out);
    [[nodiscard]] std::optional<convert::MediaTime> mix_anchor(Instant now, const Feed& feed) const;
    static void seed(Feed& feed, const Publisher& publisher, sfu::MediaKind media, bool sound_only);
    void close_feed(Feed& feed);
    void detach_all(Feed& feed);
    void detach(const SourceKey& key, Feed& feed);
    Feed* open_feed(Instant now,
                    const FeedKey& key,
                    const PlayTrack* video,
                    const PlayTrack* audio,
                    std::vector<MixInput> mix_inputs = {});
    void spread(Instant now,
                const std::vector<Feed*>& feeds,
                const convert::FrameRef& frame,
                GatewayOutputs& out);
    void push(Instant now,
              StreamId stream,
              Player& player,
              const convert::FrameRef& frame,
              GatewayOutputs& out);
    void deliver(Instant now, Source& source, GatewayOutputs& out);
    [[nodiscard]] PlayMessage metadata(const Player& player) const;
    static void keep_in_feed(Feed& feed, const convert::FrameRef& frame);
    void wake_up(Instant now) {
        if (!next_tick_) next_tick_ = now + kTick;
    }

    sfu::Node& node_;
    media::PacketPool& pool_;
    Conversions& conversions_;
    Rng rng_;
    std::map<StreamId, std::unique_ptr<Publisher>> publishers_;
    std::unordered_map<TrackId, LocalTrack> local_;
    std::map<SourceKey, Source> sources_;
    std::map<std::uint64_t, Clock> clocks_;
    std::map<FeedKey, std::unique_ptr<Feed>> feeds_;
    std::map<StreamId, Player> players_;
    std::unordered_map<ConversionId, StreamId> publisher_conversions_;
    std::unordered_map<ConversionId, SourceKey> source_conversions_;
    std::map<MixKey, Mix> mixes_;
    std::unordered_map<ConversionId, Mix*> mix_conversions_;
    std::unordered_map<TrackId, std::vector<MixSource*>> mixed_;
    std::uint64_t last_conversion_ = 0;
    std::optional<Instant> next_tick_;
    std::vector<convert::FrameRef> frames_;
    GatewayCounters counters_;
};

}  // namespace parley::gateway
