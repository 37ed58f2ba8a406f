#include "gateway/mix_source.h"

#include <algorithm>
#include <utility>

#include "flv/audio_tag.h"

namespace parley::gateway {
std::unique_ptr<MixSource> MixSource::create(sfu::Node& node,
                                             Conversions& conversions,
                                             ConversionId conversion) {
    if (!conversions.open(conversion, ConversionKind::kMixToAac)) return nullptr;
    return std::unique_ptr<MixSource>(new MixSource(node, conversions, conversion));
}

MixSource::~MixSource() {
    for (const auto& [track, input] : tapped_) node_.remove_tap(track, sfu::Layer::kHigh);
    conversions_.close(conversion_);
}

bool MixSource::set_inputs(Instant now, std::vector<MixInput> inputs) {
    if (inputs.size() > kMaxInputs) inputs.resize(kMaxInputs);
    inputs_ = std::move(inputs);
    std::erase_if(tapped_, [this](const auto& tapped) {
        const bool stays =
            std::ranges::find(inputs_, tapped.first, &MixInput::track) != inputs_.end();
        if (!stays) node_.remove_tap(tapped.first, sfu::Layer::kHigh);
        return !stays;
    });
    tap_missing(now);
    make_plan();
    return tapped_.size() == inputs_.size();
}

void MixSource::tap_missing(Instant now) {
    if (tapped_.size() == inputs_.size()) return;
    for (const MixInput& input : inputs_) {
        if (tapped_.contains(input.track)) continue;
        if (!node_.add_tap(now, input.track, sfu::Layer::kHigh)) continue;
        const sfu::Node::PayloadTypes types = node_.payload_types_of(input.track);
        tapped_.emplace(input.track,
                        convert::RtpToOpus::Config{.opus = types.media, .red = types.red});
    }
}

bool MixSource::add_output(std::uint64_t owner) {
    if (!outputs_.contains(owner) && outputs_.size() >= kMaxOutputs) return false;
    ++outputs_[owner].users;
    make_plan();
    return true;
}

void MixSource::remove_output(std::uint64_t owner) {
    const auto at = outputs_.find(owner);
    if (at == outputs_.end() || --at->second.users > 0) return;
    outputs_.erase(at);
    make_plan();
}

void MixSource::make_plan() {
    auto plan = std::make_shared<MixPlan>();
    for (const MixInput& input : inputs_) plan->inputs.push_back(input.track);
    for (const auto& [owner, output] : outputs_) {
        MixPlan::Output& planned = plan->outputs.emplace_back();
        planned.id = owner;
        if (owner == 0) continue;
        for (const MixInput& input : inputs_) {
            if (input.owner == owner) planned.left_out.push_back(input.track);
        }
    }
    plan_ = std::move(plan);
}

void MixSource::collect(TrackId track) {
    for (convert::OpusSample& sample : samples_) {
        pending_.push_back({track, sample.timestamp, sample.after_loss, std::move(sample.data)});
    }
    samples_.clear();
}

void MixSource::handle_packet(Instant now, TrackId track, media::PacketRef packet) {
    const auto input = tapped_.find(track);
    if (input == tapped_.end()) return;
    input->second.handle_packet(now, std::move(packet), samples_);
    collect(track);
}

void MixSource::handle_timeout(Instant now) {
    tap_missing(now);
    for (auto& [track, input] : tapped_) {
        input.handle_timeout(now, samples_);
        collect(track);
    }
    if (now - advanced_at_ < kStep) return;
    advanced_at_ = now;
    ConversionInput input;
    input.what = ConversionInput::What::kMix;
    input.timestamp = now.time_since_epoch().count();
    input.sounds = std::exchange(pending_, {});
    input.plan = plan_;
    conversions_.submit(conversion_, std::move(input));
}

void MixSource::handle_frame(ConvertedFrame& frame) {
    if (frame.config.empty()) return;
    const auto at = outputs_.find(frame.output);
    if (at != outputs_.end()) at->second.config = std::move(frame.config);
}

const Bytes& MixSource::config(std::uint64_t owner) const {
    static const Bytes none;
    const auto at = outputs_.find(owner);
    return at == outputs_.end() ? none : at->second.config;
}

void MixedSound::handle_frame(Instant now,
                              const ConvertedFrame& converted,
                              const Bytes& config,
                              std::optional<convert::MediaTime> anchor,
                              std::vector<convert::FrameRef>& out) {
    if (config.empty() || (!origin_ && !anchor)) return;
    const convert::MediaTime time = convert::sound_time(converted.timestamp);
    const bool is_first = !origin_;
    if (is_first) origin_ = *anchor - MixSource::kLatency - time;
    const auto add = [&](bool is_config, Bytes data) {
        auto frame = std::make_shared<convert::Frame>();
        frame->is_config = is_config;
        frame->dts = frame->pts = *origin_ + time;
        frame->arrived_at = now;
        frame->data = std::move(data);
        out.push_back(std::move(frame));
    };
    if (is_first) add(true, flv::write_aac_sequence_header(config));
    add(false, flv::write_aac_frame(converted.data));
}

}  // namespace parley::gateway
