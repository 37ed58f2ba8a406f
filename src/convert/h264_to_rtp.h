#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "convert/frame.h"
#include "flv/avc_config.h"
#include "media/packet.h"

namespace parley::convert {

/// RTMP/FLV access units to RTP packets for WebRTC (RFC 6184, packetization mode 1), without
/// touching the pictures:
///
/// - SPS and PPS go in front of every picture that a decoder can start at, in one STAP-A where they
/// fit, and
///   a changed sequence header takes effect with the next access unit. SEI stays; delimiters,
///   filler and end-of-sequence units are dropped.
/// - The RTP timestamp is presentation time at 90 kHz. It grows by at least one tick for each
/// access unit,
///   so that no receiver merges two.
/// - Browsers show pictures in the order they get them. B pictures that nothing refers to are
/// dropped
///   (design section 6); once a B picture is a reference the stream is marked `needs_transcode` and
///   nothing more comes out of it until a different sequence header: feed it to
///   `codec::VideoToH264` instead.
class H264ToRtp {
public:
    static constexpr std::size_t kMaxAccessUnitSize = 4 * 1024 * 1024;
    static constexpr std::size_t kMaxNals = 512;  ///< of one access unit; more is malformed

    struct Config {
        PayloadType payload_type;
        Ssrc ssrc;
        std::uint64_t first_sequence =
            1 << 16;  ///< of the 64-bit counter; the wire has its low 16 bits
        std::uint32_t timestamp_offset = 0;  ///< RTP timestamp of MediaTime zero
        std::size_t max_payload = 1'160;     ///< at most media::Packet::kMaxDatagram - 12
    };
    struct Stats {
        std::uint64_t access_units = 0;
        std::uint64_t packets = 0;
        std::uint64_t dropped_b_frames = 0;
        std::uint64_t malformed = 0;            ///< access units refused, whole
        std::uint64_t no_config = 0;            ///< came before a sequence header
        std::uint64_t refused_reference_b = 0;  ///< came while `needs_transcode`
        std::uint64_t no_memory =
            0;  ///< the packet pool was at its bound; the access unit is not sent
    };
    struct AccessUnit {
        MediaTime pts{};  ///< DTS plus composition time, on the connection's `RtmpTimeline`
        bool is_key_frame = false;  ///< as the FLV tag says; an IDR picture counts without it
        ByteView data;  ///< NAL units behind lengths (AVCC); Annex B is taken too, as some send it
    };

    /// `pool` outlives this.
    H264ToRtp(const Config& config, media::PacketPool& pool) : config_(config), pool_(pool) {
        sequence_ = config.first_sequence;
    }

    /// A sequence header. Errors: those of `flv::parse_avc_config`; the old one then stays.
    [[nodiscard]] Result<void> set_config(ByteView avc_config_record);

    /// Appends complete RTP packets to `out`, every field of them filled; the last has the marker
    /// bit. Nothing is appended for a dropped B picture. Errors: kNotFound (no sequence header
    /// yet), kMalformed, kTooLarge, kUnsupported (`needs_transcode`), kBusy (pool).
    [[nodiscard]] Result<void> handle_access_unit(Instant now,
                                                  const AccessUnit& in,
                                                  std::vector<media::PacketRef>& out);

    [[nodiscard]] bool has_config() const { return has_config_; }
    [[nodiscard]] bool needs_transcode() const { return needs_transcode_; }
    /// RTP timestamp for a time of this track, for sender reports.
    [[nodiscard]] std::uint32_t rtp_timestamp_at(MediaTime time) const;
    [[nodiscard]] std::uint64_t next_sequence() const { return sequence_; }
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    [[nodiscard]] Result<void> collect_nals(ByteView data);
    void learn_parameter_sets();
    [[nodiscard]] bool packetize(Instant now,
                                 std::uint32_t timestamp,
                                 bool is_key,
                                 std::vector<media::PacketRef>& out);

    Config config_;
    media::PacketPool& pool_;
    flv::AvcConfig avc_;
    bool has_config_ = false;
    bool needs_transcode_ = false;
    std::uint64_t sequence_ = 0;
    std::optional<std::int64_t> last_ticks_;  ///< 90 kHz since MediaTime zero
    std::vector<ByteView> nals_;              ///< of the access unit in hand; kept for its capacity
    std::vector<ByteView> ordered_;
    Stats stats_;
};

}  // namespace parley::convert
