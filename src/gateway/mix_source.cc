#include "gateway/mix_source.h"

#include <utility>

#include "flv/audio_tag.h"

namespace parley::gateway {
std::unique_ptr<MixSource> MixSource::create(sfu::Node& node,
                                             Conversions& conversions,
                                             ConversionId conversion,
                                             const std::vector<TrackId>& tracks,
                                             Instant now) {
    if (!conversions.open(conversion, ConversionKind::kMixToAac)) return nullptr;
    // From here on the destructor gives back what was had.
    std::unique_ptr<MixSource> source(new MixSource(node, conversions, conversion));
    for (const TrackId track : tracks) {
        if (!node.add_tap(now, track, sfu::Layer::kHigh)) return nullptr;
        const sfu::Node::PayloadTypes types = node.payload_types_of(track);
        source->inputs_.emplace(track,
                                convert::RtpToOpus::Config{.opus = types.media, .red = types.red});
    }
    return source;
}

MixSource::~MixSource() {
    for (const auto& [track, input] : inputs_) node_.remove_tap(track, sfu::Layer::kHigh);
    conversions_.close(conversion_);
}

void MixSource::collect(TrackId track) {
    for (convert::OpusSample& sample : samples_) {
        pending_.push_back({track, sample.timestamp, sample.after_loss, std::move(sample.data)});
    }
    samples_.clear();
}

void MixSource::handle_packet(Instant now, TrackId track, media::PacketRef packet) {
    const auto input = inputs_.find(track);
    if (input == inputs_.end()) return;
    input->second.handle_packet(now, std::move(packet), samples_);
    collect(track);
}

void MixSource::handle_timeout(Instant now) {
    for (auto& [track, input] : inputs_) {
        input.handle_timeout(now, samples_);
        collect(track);
    }
    if (now - advanced_at_ < kStep) return;
    advanced_at_ = now;
    ConversionInput input;
    input.what = ConversionInput::What::kMix;
    input.timestamp = now.time_since_epoch().count();
    input.sounds = std::exchange(pending_, {});
    conversions_.submit(conversion_, std::move(input));
}

void MixSource::handle_conversion(Instant now,
                                  ConversionResult result,
                                  std::optional<convert::MediaTime> anchor,
                                  std::vector<convert::FrameRef>& out) {
    for (ConvertedFrame& converted : result.frames) {
        const convert::MediaTime time = convert::sound_time(converted.timestamp);
        if (!converted.config.empty()) config_ = std::move(converted.config);
        if (!origin_ && !anchor) continue;
        if (!origin_) origin_ = *anchor - kLatency - time;
        const auto add = [&](bool is_config, Bytes data) {
            auto frame = std::make_shared<convert::Frame>();
            frame->is_config = is_config;
            frame->dts = frame->pts = *origin_ + time;
            frame->arrived_at = now;
            frame->data = std::move(data);
            out.push_back(std::move(frame));
        };
        if (!config_.empty()) {
            add(true, flv::write_aac_sequence_header(std::exchange(config_, {})));
        }
        add(false, flv::write_aac_frame(converted.data));
    }
}

}  // namespace parley::gateway
