#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "media/packet.h"
#include "rtcp/clock_mapping.h"
#include "rtcp/packets.h"
#include "rtcp/reception.h"
#include "rtp/nack_generator.h"
#include "sfu/key_frame_requester.h"
#include "sfu/key_frame.h"
#include "sfu/packet_history.h"
#include "sfu/usage.h"

namespace parley::sfu {

/// The receiving end of one encoding of a track: history, loss repair, reports, clock.
class InboundStream {
public:
    struct Config {
        Ssrc ssrc;
        Ssrc rtx_ssrc;  ///< 0: not known (yet)
        std::uint32_t clock_rate = 90'000;
        bool is_video = true;
        bool nack = true;
    };
    /// About 2 s of 4 Mb/s; audio is 50 packets a second.
    static constexpr std::size_t kVideoHistory = 1'024;
    static constexpr std::size_t kAudioHistory = 128;
    static constexpr Duration kHistoryAge = 2s;
    /// No packet for so long: the encoder has switched the layer off.
    static constexpr Duration kSilentAfter = 1500ms;

    explicit InboundStream(const Config& config);

    /// False: a duplicate, or too old to be of use. `recovered`: it came by RTX.
    bool handle_packet(const media::PacketRef& packet, bool recovered);
    void handle_sender_report(Instant now, const rtcp::SenderInfo& info);

    void set_video_size(VideoSize size) {
        video_size_ = size;
        tier_ = tier_of(size.width, size.height);
    }
    /// As the newest key frame says; nullopt: not known.
    [[nodiscard]] std::optional<VideoSize> size_of_video() const { return video_size_; }
    [[nodiscard]] VideoTier tier() const { return tier_; }
    /// What the network lost since the last call.
    LossCount take_loss() {
        loss_.handle_totals(reception_.expected(), reception_.cumulative_lost());
        return loss_.take();
    }
    void take_active(MediaTime& to) { active_.move_to(to, config_.is_video); }

    [[nodiscard]] Ssrc ssrc() const { return config_.ssrc; }
    [[nodiscard]] Ssrc rtx_ssrc() const { return config_.rtx_ssrc; }
    void set_rtx_ssrc(Ssrc ssrc) { config_.rtx_ssrc = ssrc; }
    [[nodiscard]] const PacketHistory& history() const { return history_; }
    [[nodiscard]] rtp::NackGenerator& nack() { return nack_; }
    [[nodiscard]] bool wants_nack() const { return config_.nack; }
    [[nodiscard]] rtcp::ReceptionStats& reception() { return reception_; }
    [[nodiscard]] const rtcp::ClockMapping& clock() const { return clock_; }
    [[nodiscard]] KeyFrameRequester& key_frames() { return key_frames_; }
    [[nodiscard]] bool is_active(Instant now) const {
        return last_packet_ && now - *last_packet_ < kSilentAfter;
    }
    [[nodiscard]] bool has_started() const { return last_packet_.has_value(); }

private:
    Config config_;
    PacketHistory history_;
    rtp::NackGenerator nack_;
    rtcp::ReceptionStats reception_;
    rtcp::ClockMapping clock_;
    KeyFrameRequester key_frames_;
    std::optional<Instant> last_packet_;
    std::optional<VideoSize> video_size_;
    VideoTier tier_ = VideoTier::kSd;
    ActiveTime active_;
    LossMeter loss_;
};

}  // namespace parley::sfu
