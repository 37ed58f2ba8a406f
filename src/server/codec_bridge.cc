#include "server/codec_bridge.h"

#include <algorithm>
#include <utility>

#include "codec/aac_to_opus.h"
#include "codec/audio_mixer.h"
#include "codec/available.h"
#include "codec/opus_to_aac.h"
#include "codec/video_to_h264.h"
#include "flv/video_tag.h"
#include "gateway/mix_source.h"

namespace parley::server {
namespace {

using gateway::ConversionInput;
using gateway::ConversionKind;
using gateway::ConversionResult;

class SoundToOpus final : public CodecBridge::Work {
public:
    void run(ConversionInput& input, ConversionResult& result) override {
        if (!codec_) {
            auto made = codec::AacToOpus::create({});
            if (!made) return;
            codec_ = std::move(*made);
        }
        if (input.what == ConversionInput::What::kConfig) {
            (void)codec_->set_config(input.data);
            return;
        }
        std::vector<codec::OpusFrame> frames;
        if (!codec_->handle_frame(Duration(input.timestamp), input.data, frames)) return;
        for (codec::OpusFrame& frame : frames) {
            result.frames.push_back({frame.timestamp, false, std::move(frame.payload), {}, frame.audio_level});
        }
    }

private:
    std::unique_ptr<codec::AacToOpus> codec_;
};

class SoundToAac final : public CodecBridge::Work {
public:
    void run(ConversionInput& input, ConversionResult& result) override {
        if (!codec_) {
            auto made = codec::OpusToAac::create({});
            if (!made) return;
            codec_ = std::move(*made);
        }
        std::vector<codec::AacFrame> frames;
        const auto timestamp = static_cast<std::uint64_t>(input.timestamp);
        if (input.what == ConversionInput::What::kFillUntil) {
            codec_->fill_until(timestamp, frames);
        } else {
            codec_->handle_packet({timestamp, input.after_loss, input.data}, frames);
        }
        for (codec::AacFrame& frame : frames) {
            gateway::ConvertedFrame converted{frame.timestamp, false, std::move(frame.payload), {}};
            if (!std::exchange(told_, true)) {
                const ByteView config = codec_->audio_specific_config();
                converted.config.assign(config.begin(), config.end());
            }
            result.frames.push_back(std::move(converted));
        }
    }

private:
    std::unique_ptr<codec::OpusToAac> codec_;
    bool told_ = false;
};

class SoundMix final : public CodecBridge::Work {
public:
    void run(ConversionInput& input, ConversionResult& result) override {
        if (!mixer_ && !create()) return;
        if (input.plan != plan_) follow(input.plan);
        for (const ConversionInput::Sound& sound : input.sounds) {
            const auto id = inputs_.find(sound.track);
            if (id == inputs_.end()) continue;
            mixer_->handle_opus(id->second, {sound.timestamp, sound.after_loss, sound.data});
        }
        std::vector<codec::AudioMixer::Mixed> mixed;
        mixer_->advance(Instant(Duration(input.timestamp)), mixed);
        for (codec::AudioMixer::Mixed& one : mixed) {
            const auto output = std::ranges::find_if(
                outputs_, [&](const auto& entry) { return entry.second.id == one.output; });
            if (output == outputs_.end()) continue;
            gateway::ConvertedFrame frame{
                one.frame.timestamp, false, std::move(one.frame.payload), {}};
            frame.output = output->first;
            if (!std::exchange(output->second.told, true))
                frame.config = to_bytes(mixer_->audio_specific_config());
            result.frames.push_back(std::move(frame));
        }
    }

private:
    struct Output {
        codec::AudioMixer::OutputId id = 0;
        bool told = false;  ///< its configuration
    };

    bool create() {
        auto made = codec::AudioMixer::create({.latency = gateway::MixSource::kLatency});
        if (made) mixer_ = std::move(*made);
        return mixer_ != nullptr;
    }
    void follow(std::shared_ptr<const gateway::MixPlan> plan) {
        plan_ = std::move(plan);
        std::erase_if(inputs_, [this](const auto& input) {
            const bool stays = std::ranges::find(plan_->inputs, input.first) != plan_->inputs.end();
            if (!stays) mixer_->remove_input(input.second);
            return !stays;
        });
        for (const TrackId track : plan_->inputs) {
            if (inputs_.contains(track) || !mixer_->add_input(last_id_ + 1)) continue;
            inputs_.emplace(track, ++last_id_);
        }
        std::erase_if(outputs_, [this](const auto& output) {
            const bool stays =
                std::ranges::find(plan_->outputs, output.first, &gateway::MixPlan::Output::id) !=
                plan_->outputs.end();
            if (!stays) mixer_->remove_output(output.second.id);
            return !stays;
        });
        for (const gateway::MixPlan::Output& planned : plan_->outputs) {
            std::vector<codec::AudioMixer::InputId> left_out;
            for (const TrackId track : planned.left_out) {
                const auto input = inputs_.find(track);
                if (input != inputs_.end()) left_out.push_back(input->second);
            }
            if (const auto at = outputs_.find(planned.id); at != outputs_.end()) {
                (void)mixer_->set_left_out(at->second.id, left_out);
            } else if (mixer_->add_output(last_id_ + 1, left_out)) {
                outputs_.emplace(planned.id, Output{++last_id_, false});
            }
        }
    }

    std::unique_ptr<codec::AudioMixer> mixer_;
    std::shared_ptr<const gateway::MixPlan> plan_;
    // The mixer's ids are never used twice: what was removed still fades out.
    std::map<TrackId, codec::AudioMixer::InputId> inputs_;
    std::map<std::uint64_t, Output> outputs_;
    std::uint32_t last_id_ = 0;
};

class PictureToH264 final : public CodecBridge::Work {
public:
    explicit PictureToH264(codec::VideoCodec codec) : input_(codec) {}

    void run(ConversionInput& input, ConversionResult& result) override {
        if (input.what == ConversionInput::What::kConfig) return begin(input);
        if (!codec_ && !create({})) return;
        if (input.what == ConversionInput::What::kKeyFrame) return codec_->request_key_frame();
        std::vector<codec::H264Frame> frames;
        result.wants_key_frame = !codec_->handle_frame(input.timestamp, input.data, frames);
        for (codec::H264Frame& frame : frames) {
            result.frames.push_back({frame.timestamp,
                                     frame.is_key_frame,
                                     std::move(frame.avcc),
                                     std::move(frame.config)});
        }
    }

private:
    bool create(ByteView config) {
        auto made = codec::VideoToH264::create(
            {.input = input_, .bitrate = {}, .config = to_bytes(config)});
        if (made) codec_ = std::move(*made);
        return codec_ != nullptr;
    }
    void begin(const ConversionInput& input) {
        if (!create(input.data)) return;
        for (const convert::FrameRef& frame : input.before) {
            const auto tag = flv::parse_video_tag(frame->data);
            if (tag) codec_->handle_unseen(frame->pts.count(), tag->data);
        }
    }

    codec::VideoCodec input_;
    std::unique_ptr<codec::VideoToH264> codec_;
};

std::size_t size_of(const ConversionInput& input) {
    std::size_t size = input.data.size();
    for (const convert::FrameRef& frame : input.before) size += frame->data.size();
    for (const ConversionInput::Sound& sound : input.sounds) size += sound.data.size();
    return size;
}

/// Room in a conversion's queue, until the job is done or dropped.
class Place {
public:
    Place(std::shared_ptr<std::atomic<std::size_t>> queued, std::size_t size)
        : queued_(std::move(queued)), size_(size) {
        queued_->fetch_add(size_, std::memory_order_relaxed);
    }
    ~Place() {
        if (queued_) queued_->fetch_sub(size_, std::memory_order_relaxed);
    }
    Place(Place&&) = default;
    Place& operator=(Place&&) = delete;

private:
    std::shared_ptr<std::atomic<std::size_t>> queued_;
    std::size_t size_;
};

std::shared_ptr<CodecBridge::Work> make_work(ConversionKind kind) {
    switch (kind) {
        case ConversionKind::kAacToOpus:
            return std::make_shared<SoundToOpus>();
        case ConversionKind::kOpusToAac:
            return std::make_shared<SoundToAac>();
        case ConversionKind::kMixToAac:
            return std::make_shared<SoundMix>();
        case ConversionKind::kVp8ToH264:
            return std::make_shared<PictureToH264>(codec::VideoCodec::kVp8);
        case ConversionKind::kVp9ToH264:
            return std::make_shared<PictureToH264>(codec::VideoCodec::kVp9);
        case ConversionKind::kAv1ToH264:
            return std::make_shared<PictureToH264>(codec::VideoCodec::kAv1);
        case ConversionKind::kHevcToH264:
            return std::make_shared<PictureToH264>(codec::VideoCodec::kHevc);
        case ConversionKind::kH264ToH264:
            return std::make_shared<PictureToH264>(codec::VideoCodec::kH264);
    }
    return nullptr;
}

}  // namespace

CodecBridge::~CodecBridge() {
    for (const auto& [id, entry] : entries_) pool_.close(entry.stream);
}

bool CodecBridge::open(gateway::ConversionId id, ConversionKind kind) {
    if (!codec::is_available()) return false;
    std::shared_ptr<Work> work = make_work(kind);
    if (work == nullptr) return false;
    const codec::Pool::StreamId stream = pool_.open();
    if (stream == 0) return false;
    entries_[id] = {stream, std::move(work), std::make_shared<std::atomic<std::size_t>>(0)};
    return true;
}

void CodecBridge::submit(gateway::ConversionId id, ConversionInput input) {
    const auto at = entries_.find(id);
    if (at == entries_.end()) return;
    Entry& entry = at->second;
    const std::size_t size = size_of(input);
    const std::size_t waiting = entry.queued->load(std::memory_order_relaxed);
    if (waiting != 0 && waiting + size > kMaxQueued) return;
    (void)pool_.submit(entry.stream,
                       [id,
                        work = entry.work,
                        deliver = deliver_,
                        moved = std::move(input),
                        place = Place(entry.queued, size)]() mutable {
                           ConversionResult result;
                           result.id = id;
                           result.arrived_at = moved.arrived_at;
                           work->run(moved, result);
                           if (!result.frames.empty() || result.wants_key_frame)
                               deliver(std::move(result));
                       });
}

void CodecBridge::close(gateway::ConversionId id) {
    const auto at = entries_.find(id);
    if (at == entries_.end()) return;
    pool_.close(at->second.stream);
    entries_.erase(at);
}

}  // namespace parley::server
