#include "convert/gop_cache.h"

#include <algorithm>
#include <utility>

namespace parley::convert {

void GopCache::handle_frame(FrameRef frame) {
    const bool is_video = frame->kind == FrameKind::kVideo;
    if (frame->is_config) {
        FrameRef& config = is_video ? video_config_ : audio_config_;
        // The cached pictures belong to the old one.
        if (is_video && config && config->data != frame->data) clear_frames();
        config = std::move(frame);
        return;
    }
    if (is_video) {
        seen_video_ = true;
        if (frame->is_key) {
            clear_frames();
            has_key_frame_ = true;
            ++stats_.groups;
        }
    }
    if (seen_video_ && !has_key_frame_) return;
    bytes_ += frame->memory_bytes();
    frames_.push_back(std::move(frame));
    const auto duration = [this] { return frames_.back()->dts - frames_.front()->dts; };
    if (!seen_video_) {
        while (frames_.size() > 1 &&
               (duration() > config_.audio_only || bytes_ > config_.max_bytes)) {
            drop_front();
        }
    } else if (bytes_ > config_.max_bytes || duration() > config_.max_duration) {
        clear_frames();
        ++stats_.forgotten;
    }
}

void GopCache::append_start(std::vector<FrameRef>& out) const {
    if (video_config_) out.push_back(video_config_);
    if (audio_config_) out.push_back(audio_config_);
    if (frames_.empty()) return;
    // By their times, but no picture before one that it follows: a sender's first report may set
    // its clock back behind what was guessed until then.
    std::vector<std::pair<MediaTime, FrameRef>> start;
    MediaTime newest[2] = {frames_.front()->dts, frames_.front()->dts};
    for (const FrameRef& frame : frames_) {
        const bool is_sound = frame->kind == FrameKind::kAudio;
        // Converted sound comes late: what belongs before the first picture is no part of the
        // start.
        if (is_sound && has_key_frame_ && frame->dts < frames_.front()->dts) continue;
        MediaTime& at = newest[is_sound ? 0 : 1];
        at = std::max(at, frame->dts);
        start.emplace_back(at, frame);
    }
    std::stable_sort(start.begin(), start.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first < b.first : a.second->kind > b.second->kind;
    });
    for (auto& [at, frame] : start) out.push_back(std::move(frame));
}

void GopCache::forget(FrameKind kind) {
    if (kind == FrameKind::kVideo) {
        video_config_.reset();
        seen_video_ = false;
        clear_frames();
        return;
    }
    audio_config_.reset();
    std::erase_if(frames_, [&](const FrameRef& frame) {
        if (frame->kind != kind) return false;
        bytes_ -= frame->memory_bytes();
        return true;
    });
}

void GopCache::clear_frames() {
    frames_.clear();
    bytes_ = 0;
    has_key_frame_ = false;
}

void GopCache::drop_front() {
    bytes_ -= frames_.front()->memory_bytes();
    frames_.pop_front();
}

}  // namespace parley::convert
