#include "gateway/gateway.h"

#include <algorithm>
#include <utility>

#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/avc_config.h"
#include "flv/metadata.h"
#include "flv/video_tag.h"
#include "media/h264.h"

namespace parley::gateway {
namespace {

using convert::Frame;
using convert::FrameKind;
using convert::FrameRef;

constexpr std::uint32_t kConvertedSampleRate = 48'000;
constexpr const char* kNoCodec = "no codec is free to convert this track";

flv::SharedPayload payload_of(const FrameRef& frame) { return {frame, &frame->data}; }

convert::GopCache::Config cache_config(bool local) {
    convert::GopCache::Config config;
    if (!local) config.max_duration = Gateway::kMaxCachedFromBrowsers;
    return config;
}

}  // namespace

Gateway::~Gateway() = default;

// ---- Publishing

void Gateway::start_publish(Instant now, NtpTime ntp, StreamId stream) {
    const Publisher::ConversionIds ids{ConversionId(++last_conversion_),
                                       ConversionId(++last_conversion_)};
    publisher_conversions_[ids.audio] = publisher_conversions_[ids.video] = stream;
    publishers_[stream] = std::make_unique<Publisher>(
        Publisher::Context{node_, pool_, conversions_, ntp}, stream, ids, now, rng_.next_u32());
    wake_up(now);
}

void Gateway::handle_message(Instant now,
                             StreamId stream,
                             const flv::Message& message,
                             sfu::NodeOutputs& node_out,
                             GatewayOutputs& out) {
    const auto at = publishers_.find(stream);
    if (at == publishers_.end()) return;
    Publisher& publisher = *at->second;
    const FrameRef frame = publisher.handle_message(now, message, node_out);
    std::vector<sfu::MediaKind> kinds = publisher.take_found(now);
    if (!kinds.empty()) out.found.push_back({stream, std::move(kinds)});
    while (const auto refused = publisher.take_refused()) {
        tell_refused(stream, publisher, *refused, out);
    }
    if (!frame) return;
    ++counters_.frames_in;
    const auto kind =
        frame->kind == FrameKind::kAudio ? sfu::MediaKind::kAudio : sfu::MediaKind::kVideo;
    const std::optional<TrackId> track = publisher.track(kind);
    if (!track) return;
    if (const auto local = local_.find(*track); local != local_.end()) {
        spread(now, local->second.feeds, frame, out);
    }
}

void Gateway::tell_refused(StreamId stream,
                           const Publisher& publisher,
                           sfu::MediaKind kind,
                           GatewayOutputs& out) {
    ++counters_.no_conversion;
    const bool is_video = kind == sfu::MediaKind::kVideo;
    out.warnings.push_back({stream,
                            is_video ? "no codec is free: the others do not see these pictures"
                                     : "no codec is free: the others do not hear this sound"});
    if (!is_video || publisher.is_for_players()) return;
    // They would wait for pictures that do not come.
    std::vector<StreamId> blind;
    for (const auto& [key, feed] : feeds_) {
        if (key.video.track != publisher.track(kind)) continue;
        blind.insert(blind.end(), feed->players.begin(), feed->players.end());
    }
    for (const StreamId player : blind) {
        out.failed.push_back({player, kNoCodec});
        stop_play(player);
    }
}

bool Gateway::prepare(Instant now, const PlayTrack* track) {
    if (track == nullptr || is_local(track->track)) return true;
    Publisher* const publisher = publisher_of(*track);
    return publisher == nullptr || publisher->prepare(now, track->kind);
}

Publisher* Gateway::publisher_of(const PlayTrack& track) {
    for (const auto& [stream, publisher] : publishers_) {
        if (publisher->track(track.kind) == track.track) return publisher.get();
    }
    return nullptr;
}

void Gateway::stop_publish(StreamId stream) {
    const auto at = publishers_.find(stream);
    if (at == publishers_.end()) return;
    publisher_conversions_.erase(at->second->conversions().audio);
    publisher_conversions_.erase(at->second->conversions().video);
    std::erase_if(local_, [&](const auto& entry) { return entry.second.publisher == stream; });
    counters_.unsupported += at->second->counters().unsupported;
    publishers_.erase(at);
}

void Gateway::handle_track(const sfu::AddLocalTrack& track) {
    const auto at = publishers_.find(track.source);
    if (at == publishers_.end()) return;
    at->second->handle_track(track);
    if (at->second->is_for_players()) local_[track.track].publisher = track.source;
}

// ---- Playing

Result<void> Gateway::start_play(Instant now,
                                 StreamId stream,
                                 const std::vector<PlayTrack>& tracks,
                                 GatewayOutputs& out,
                                 const RoomSound* room_sound) {
    const PlayTrack* video = nullptr;
    const PlayTrack* audio = nullptr;
    FeedKey key;
    std::vector<MixInput> inputs;
    for (const PlayTrack& track : tracks) {
        if (track.kind == sfu::MediaKind::kAudio) inputs.push_back({track.track, 0});
        const PlayTrack*& place = track.kind == sfu::MediaKind::kVideo ? video : audio;
        if (place == nullptr) place = &track;
    }
    if (room_sound != nullptr) {
        key.mix.room = room_sound->room;
        key.listener = room_sound->listener;
        inputs = room_sound->inputs;
        set_room_sound(now, room_sound->room, inputs);
    } else if (inputs.size() > 1) {
        for (const MixInput& input : inputs) key.mix.tracks.push_back(input.track);
        std::ranges::sort(key.mix.tracks);
    }
    if (key.mix.is_set()) audio = nullptr;
    if (audio != nullptr) key.audio.track = audio->track;
    if (video != nullptr) {
        key.video.track = video->track;
        if (video->simulcast) key.video.layer = layer_for(now, *video);
    }
    Feed* feed = open_feed(now, key, video, audio, std::move(inputs));
    const bool is_prepared = feed != nullptr && prepare(now, video) && prepare(now, audio);
    if (!is_prepared) {
        if (feed != nullptr) close_if_unused(*feed);
        ++counters_.no_conversion;
        return fail(Errc::kUnsupported, kNoCodec);
    }
    feed->players.push_back(stream);
    Player& player = players_[stream];
    player.feed = feed;
    if (video != nullptr) player.video = *video;
    if (audio != nullptr) player.audio = *audio;
    player.joined_at = now;
    if (feed->is_local) {
        // An encoder's own frames come in the order of their times: nothing is gained by waiting.
        convert::PlayerQueue::Config config;
        config.max_picture_hold = Duration{};
        config.max_sound_hold = Duration{};
        player.queue = convert::PlayerQueue(config);
    }
    player.queue.set_expected(key.has_sound(), key.has_video());
    std::vector<FrameRef> start;
    feed->cache.append_start(start);
    player.video_open = feed->cache.has_key_frame();
    player.queue.push_start(now, start);
    if (!start.empty()) out.woken.push_back(stream);
    if (video != nullptr && !player.video_open) want_key_frame(now, *feed);
    wake_up(now);
    return {};
}

sfu::Layer Gateway::layer_for(Instant now, const PlayTrack& video) const {
    const sfu::Layer other =
        video.layer == sfu::Layer::kHigh ? sfu::Layer::kLow : sfu::Layer::kHigh;
    const bool missing =
        !node_.is_active(now, video.track, video.layer) && node_.is_active(now, video.track, other);
    return missing ? other : video.layer;
}

void Gateway::follow_layer(Instant now, StreamId stream, Player& player) {
    if (!player.video || !player.video->simulcast) return;
    const sfu::Layer layer = layer_for(now, *player.video);
    const Feed& goal = player.next != nullptr ? *player.next : *player.feed;
    if (goal.key.video.layer == layer) return;
    forget_next(stream, player);
    if (player.feed->key.video.layer == layer) return;
    FeedKey key = player.feed->key;
    key.video.layer = layer;
    // Without a codec for it the player keeps what it has, and it is tried again.
    if (now - player.next_refused_at < kLayerRetry) return;
    player.next = open_feed(now, key, &*player.video, player.audio ? &*player.audio : nullptr);
    if (player.next == nullptr) {
        player.next_refused_at = now;
        ++counters_.no_conversion;
        return;
    }
    player.next->arrivals.push_back(stream);
    want_key_frame(now, *player.next);
}

void Gateway::take_in_arrivals(Instant now, Feed& feed, GatewayOutputs& out) {
    for (const StreamId stream : std::exchange(feed.arrivals, {})) {
        Player& player = players_.at(stream);
        Feed& before = *player.feed;
        std::erase(before.players, stream);
        feed.players.push_back(stream);
        player.feed = &feed;
        player.next = nullptr;
        if (feed.video_config) push(now, stream, player, feed.video_config, out);
        close_if_unused(before);
    }
}

void Gateway::forget_next(StreamId stream, Player& player) {
    Feed* const next = std::exchange(player.next, nullptr);
    if (next == nullptr) return;
    std::erase(next->arrivals, stream);
    close_if_unused(*next);
}

void Gateway::close_if_unused(Feed& feed) {
    if (feed.players.empty() && feed.arrivals.empty()) close_feed(feed);
}

Gateway::Feed* Gateway::open_feed(Instant now,
                                  const FeedKey& key,
                                  const PlayTrack* video,
                                  const PlayTrack* audio,
                                  std::vector<MixInput> mix_inputs) {
    if (const auto at = feeds_.find(key); at != feeds_.end()) return at->second.get();
    const bool mixes = key.mix.is_set();
    const bool local = (video != nullptr && is_local(key.video.track)) ||
                       (audio != nullptr && is_local(key.audio.track));
    auto feed = std::make_unique<Feed>();
    feed->key = key;
    feed->cache = convert::GopCache(cache_config(local));
    feed->is_local = local && !mixes && (video == nullptr || is_local(key.video.track)) &&
                     (audio == nullptr || is_local(key.audio.track));
    feed->has_own_sound = audio != nullptr && !mixes && is_local(key.audio.track);
    feed->opened_at = now;
    if (mixes && !open_mix(now, *feed, std::move(mix_inputs))) return nullptr;
    for (const auto& [source_key, track] : {std::pair(key.video, video), {key.audio, audio}}) {
        if (track == nullptr) continue;
        if (is_local(track->track)) {
            LocalTrack& source = local_.at(track->track);
            source.feeds.push_back(feed.get());
            seed(*feed, *publishers_.at(source.publisher), track->kind, video == nullptr);
            continue;
        }
        Source* source = open_source(now, source_key, *track);
        if (source == nullptr) {
            detach_all(*feed);
            return nullptr;
        }
        attach(*source, *feed);
    }
    Feed* out = feed.get();
    feeds_.emplace(key, std::move(feed));
    return out;
}

void Gateway::seed(Feed& feed, const Publisher& publisher, sfu::MediaKind media, bool sound_only) {
    const FrameKind kind = media == sfu::MediaKind::kVideo ? FrameKind::kVideo : FrameKind::kAudio;
    std::vector<FrameRef> start;
    publisher.cache().append_start(start);
    for (const FrameRef& frame : start) {
        if (frame->kind != kind) continue;
        if (!frame->is_config && sound_only) {
            continue;  // it starts at the live edge
        }
        keep_in_feed(feed, frame);
    }
}

bool Gateway::open_mix(Instant now, Feed& feed, std::vector<MixInput> inputs) {
    const MixKey& key = feed.key.mix;
    Mix& mix = mixes_[key];
    if (!mix.source) {
        const ConversionId conversion(++last_conversion_);
        mix.source = MixSource::create(node_, conversions_, conversion);
        if (!mix.source) {
            mixes_.erase(key);
            return false;
        }
        mix_conversions_[conversion] = &mix;
        // Tracks of a room may come here later than the word of them; those of a URL are here.
        const bool all_here = set_mix_inputs(now, mix, std::move(inputs));
        if (!all_here && key.room == 0) {
            close_mix_if_unused(key);
            return false;
        }
    }
    if (!mix.source->add_output(feed.key.listener)) return false;
    mix.feeds.push_back(&feed);
    return true;
}

bool Gateway::set_mix_inputs(Instant now, Mix& mix, std::vector<MixInput> inputs) {
    MixSource* const source = mix.source.get();
    for (const MixInput& input : source->inputs()) {
        const auto at = mixed_.find(input.track);
        std::erase(at->second, source);
        if (at->second.empty()) mixed_.erase(at);
    }
    const bool all_here = source->set_inputs(now, std::move(inputs));
    for (const MixInput& input : source->inputs()) mixed_[input.track].push_back(source);
    return all_here;
}

void Gateway::set_room_sound(Instant now, std::uint64_t room, std::vector<MixInput> inputs) {
    const auto at = mixes_.find(MixKey{room, {}});
    if (at != mixes_.end()) set_mix_inputs(now, at->second, std::move(inputs));
}

void Gateway::leave_mix(Feed& feed) {
    const auto at = mixes_.find(feed.key.mix);
    if (at == mixes_.end() || std::erase(at->second.feeds, &feed) == 0) return;
    at->second.source->remove_output(feed.key.listener);
    close_mix_if_unused(feed.key.mix);
}

void Gateway::close_mix_if_unused(const MixKey& key) {
    const auto at = mixes_.find(key);
    if (!at->second.source->is_unused()) return;
    set_mix_inputs(Instant{}, at->second, {});
    mix_conversions_.erase(at->second.source->conversion());
    mixes_.erase(at);
}

std::optional<convert::MediaTime> Gateway::mix_anchor(Instant now, const Feed& feed) const {
    if (const FrameRef& picture = feed.newest_picture) {
        return picture->dts + (now - picture->arrived_at);
    }
    // Sound waits for the first picture, so that both are on one clock; not for ever.
    const bool waits = feed.key.has_video() && now - feed.opened_at < kMetadataWait;
    if (waits) return std::nullopt;
    return convert::MediaTime{};
}

void Gateway::deliver_mix(Instant now, Mix& mix, ConversionResult result, GatewayOutputs& out) {
    for (ConvertedFrame& converted : result.frames) {
        mix.source->handle_frame(converted);
        for (Feed* feed : mix.feeds) {
            if (feed->key.listener != converted.output) continue;
            feed->mixed.handle_frame(now,
                                     converted,
                                     mix.source->config(converted.output),
                                     mix_anchor(now, *feed),
                                     frames_);
            counters_.frames_in += frames_.size();
            for (const FrameRef& frame : std::exchange(frames_, {})) {
                spread(now, {feed}, frame, out);
            }
        }
    }
}

Gateway::Source* Gateway::open_source(Instant now, const SourceKey& key, const PlayTrack& track) {
    if (const auto at = sources_.find(key); at != sources_.end()) return &at->second;
    Clock& clock = clocks_[track.publisher];
    if (const Publisher* const publisher = publisher_of(track);
        publisher != nullptr && clock.users == 0) {
        clock.clock = publisher->sender_clock();
    }
    const ConversionId conversion(++last_conversion_);
    auto source = TrackSource::create(
        node_,
        conversions_,
        conversion,
        {track.track, key.layer, track.kind, track.codec, node_.payload_types_of(track.track)},
        clock.clock,
        now);
    if (!source) {
        if (clock.users == 0) clocks_.erase(track.publisher);
        return nullptr;
    }
    ++clock.users;
    source_conversions_[conversion] = key;
    Source& added = sources_[key];
    added.source = std::move(source);
    added.publisher = track.publisher;
    return &added;
}

void Gateway::attach(Source& source, Feed& feed) {
    source.feeds.push_back(&feed);
    const FrameRef& config = source.source->config();
    if (!config) return;
    (config->kind == FrameKind::kVideo ? feed.video_config : feed.audio_config) = config;
    feed.cache.handle_frame(config);
}

void Gateway::detach(const SourceKey& key, Feed& feed) {
    if (const auto local = local_.find(key.track); local != local_.end()) {
        std::erase(local->second.feeds, &feed);
    }
    const auto at = sources_.find(key);
    if (at == sources_.end()) return;
    std::erase(at->second.feeds, &feed);
    if (!at->second.feeds.empty()) return;
    source_conversions_.erase(at->second.source->conversion());
    const std::uint64_t publisher = at->second.publisher;
    sources_.erase(at);
    if (const auto clock = clocks_.find(publisher); --clock->second.users == 0)
        clocks_.erase(clock);
}

void Gateway::detach_all(Feed& feed) {
    if (feed.key.mix.is_set()) leave_mix(feed);
    detach(feed.key.audio, feed);
    detach(feed.key.video, feed);
}

void Gateway::close_feed(Feed& feed) {
    detach_all(feed);
    feeds_.erase(FeedKey(feed.key));
}

void Gateway::stop_play(StreamId stream) {
    const auto at = players_.find(stream);
    if (at == players_.end()) return;
    Feed& feed = *at->second.feed;
    counters_.dropped_frames += at->second.queue.stats().dropped_frames;
    forget_next(stream, at->second);
    players_.erase(at);
    std::erase(feed.players, stream);
    close_if_unused(feed);
}

void Gateway::handle_resume(Instant now, StreamId stream) {
    const auto at = players_.find(stream);
    if (at == players_.end()) return;
    Player& player = at->second;
    player.video_open = false;
    want_key_frame(now, *player.feed);
}

void Gateway::want_key_frame(Instant now, const Feed& feed) {
    if (const auto source = sources_.find(feed.key.video); source != sources_.end()) {
        source->second.source->want_key_frame(now);
    }
}

PlayMessage Gateway::metadata(const Player& player) const {
    flv::Metadata metadata;
    metadata.encoder = "parley";
    const Feed& feed = *player.feed;
    if (feed.key.has_video()) {
        metadata.video_codec_id = 7;
        if (feed.video_config) {
            const auto tag = flv::parse_video_tag(feed.video_config->data);
            const auto avc = tag ? flv::parse_avc_config(tag->data)
                                 : Result<flv::AvcConfig>(fail(Errc::kMalformed, ""));
            if (avc && !avc->sps.empty()) {
                if (const auto sps = media::parse_h264_sps(avc->sps.front())) {
                    metadata.width = sps->width;
                    metadata.height = sps->height;
                }
            }
        }
    }
    if (feed.key.has_sound()) {
        metadata.audio_codec_id = 10;
        if (!feed.has_own_sound) {
            metadata.audio_sample_rate_hz = kConvertedSampleRate;
            metadata.stereo = true;
        } else if (feed.audio_config) {
            const auto tag = flv::parse_audio_tag(feed.audio_config->data);
            if (const auto aac = tag ? flv::parse_aac_config(tag->data)
                                     : Result<flv::AacConfig>(fail(Errc::kMalformed, ""))) {
                metadata.audio_sample_rate_hz = aac->output_sample_rate_hz();
                if (aac->output_channels() != 0) metadata.stereo = aac->output_channels() > 1;
            }
        }
    }
    PlayMessage out;
    out.message.kind = flv::MediaKind::kData;
    out.message.payload = flv::make_payload(flv::write_metadata(metadata));
    return out;
}

std::optional<PlayMessage> Gateway::take(Instant now, StreamId stream, std::size_t unsent) {
    const auto at = players_.find(stream);
    if (at == players_.end()) return std::nullopt;
    Player& player = at->second;
    const Feed& feed = *player.feed;
    if (!player.queue.has_ready()) return std::nullopt;
    // What our own encoder makes of sound is known before it has made any, and it needs 100 ms.
    const bool lacks = (feed.key.has_video() && !feed.video_config) ||
                       (feed.has_own_sound && !feed.audio_config);
    if (!player.announced) {
        if (lacks && now - player.joined_at < kMetadataWait) return std::nullopt;
        player.announced = true;
        player.announced_config = feed.video_config;
        return metadata(player);
    }
    const FrameRef frame = player.queue.take(now, unsent);
    if (!frame) return std::nullopt;
    PlayMessage out;
    out.message.kind =
        frame->kind == FrameKind::kAudio ? flv::MediaKind::kAudio : flv::MediaKind::kVideo;
    out.message.payload = payload_of(frame);
    const convert::PlayerClock::Times times = player.clock.map(*frame);
    out.message.timestamp_ms = out.timestamp_ms = times.ext_dts_ms;
    out.arrived_at = frame->arrived_at;
    ++counters_.frames_out;
    return out;
}

// ---- Frames to players

void Gateway::push(
    Instant now, StreamId stream, Player& player, const FrameRef& frame, GatewayOutputs& out) {
    if (frame->kind == FrameKind::kVideo && !frame->is_config && !player.video_open) {
        if (!frame->is_key) return;
        player.video_open = true;
    }
    player.queue.push(now, frame);
    out.woken.push_back(stream);
}

void Gateway::keep_in_feed(Feed& feed, const FrameRef& frame) {
    if (frame->is_config) {
        (frame->kind == FrameKind::kVideo ? feed.video_config : feed.audio_config) = frame;
    } else if (frame->kind == FrameKind::kVideo) {
        feed.newest_picture = frame;
    }
    feed.cache.handle_frame(frame);
}

void Gateway::spread(Instant now,
                     const std::vector<Feed*>& feeds,
                     const FrameRef& frame,
                     GatewayOutputs& out) {
    for (Feed* feed : feeds) {
        if (frame->is_key) take_in_arrivals(now, *feed, out);
        keep_in_feed(*feed, frame);
        for (const StreamId id : feed->players) push(now, id, players_.at(id), frame, out);
    }
}

void Gateway::deliver(Instant now, Source& source, GatewayOutputs& out) {
    for (const FrameRef& frame : frames_) spread(now, source.feeds, frame, out);
    counters_.frames_in += frames_.size();
    frames_.clear();
}

void Gateway::handle_tapped(Instant now,
                            std::vector<sfu::Node::Tapped>& packets,
                            GatewayOutputs& out) {
    for (sfu::Node::Tapped& tapped : packets) {
        if (const auto mixed = mixed_.find(tapped.track); mixed != mixed_.end()) {
            for (MixSource* mix : mixed->second)
                mix->handle_packet(now, tapped.track, tapped.packet);
        }
        const auto at = sources_.find({tapped.track, tapped.layer});
        if (at == sources_.end()) continue;
        at->second.source->handle_packet(now, std::move(tapped.packet), frames_);
        deliver(now, at->second, out);
    }
    packets.clear();
}

void Gateway::handle_conversion(Instant now,
                                ConversionResult result,
                                sfu::NodeOutputs& node_out,
                                GatewayOutputs& out) {
    if (const auto at = publisher_conversions_.find(result.id);
        at != publisher_conversions_.end()) {
        publishers_.at(at->second)->handle_conversion(now, result, node_out);
        return;
    }
    if (const auto at = mix_conversions_.find(result.id); at != mix_conversions_.end()) {
        return deliver_mix(now, *at->second, std::move(result), out);
    }
    const auto key = source_conversions_.find(result.id);
    if (key == source_conversions_.end()) return;
    Source& source = sources_.at(key->second);
    source.source->handle_conversion(now, std::move(result), frames_);
    deliver(now, source, out);
}

void Gateway::handle_timeout(Instant now, sfu::NodeOutputs& node_out, GatewayOutputs& out) {
    if (!next_tick_ || now < *next_tick_) return;
    next_tick_.reset();
    if (publishers_.empty() && players_.empty()) return;
    next_tick_ = now + kTick;
    for (auto& [stream, publisher] : publishers_) {
        publisher->handle_timeout(now, node_out);
        std::vector<sfu::MediaKind> kinds = publisher->take_found(now);
        if (!kinds.empty()) out.found.push_back({stream, std::move(kinds)});
        if (publisher->is_useless(now))
            out.failed.push_back({stream, "no sound or picture in a codec that is taken"});
    }
    for (auto& [key, source] : sources_) {
        source.source->handle_timeout(now, frames_);
        deliver(now, source, out);
    }
    for (const auto& [key, mix] : mixes_) mix.source->handle_timeout(now);
    for (auto& [stream, player] : players_) {
        follow_layer(now, stream, player);
        if (player.queue.waits_for_key_frame()) want_key_frame(now, *player.feed);
        player.queue.handle_timeout(now);
        if (player.queue.has_ready()) out.woken.push_back(stream);
        if (player.queue.close_reason() == convert::PlayerQueue::CloseReason::kNone) continue;
        ++counters_.slow_players;
        out.failed.push_back({stream, convert::to_text(player.queue.close_reason())});
    }
    for (const StreamFailed& failed : out.failed) {
        stop_publish(failed.stream);
        stop_play(failed.stream);
    }
}

std::optional<Gateway::PlayerView> Gateway::view_player(StreamId stream) const {
    const auto at = players_.find(stream);
    if (at == players_.end()) return std::nullopt;
    const convert::PlayerQueue& queue = at->second.queue;
    return PlayerView{queue.waiting(), queue.stats().dropped_frames};
}

GatewayCounters Gateway::counters() const {
    GatewayCounters out = counters_;
    out.publishers = publishers_.size();
    out.players = players_.size();
    for (const auto& [stream, player] : players_)
        out.dropped_frames += player.queue.stats().dropped_frames;
    for (const auto& [stream, publisher] : publishers_)
        out.conversions += publisher->open_conversions();
    out.conversions += mixes_.size();
    for (const auto& [key, source] : sources_)
        out.conversions += source.source->is_converting() ? 1 : 0;
    return out;
}

}  // namespace parley::gateway
