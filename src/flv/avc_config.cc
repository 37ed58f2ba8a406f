#include "flv/avc_config.h"

#include "media/h264.h"

namespace parley::flv {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kProfileHigh = 100;
constexpr std::size_t kMaxSpsInRecord = 31;

Result<void> read_parameter_sets(ByteReader& in,
                                 std::size_t count,
                                 media::NalType type,
                                 std::vector<Bytes>& sets) {
    for (std::size_t i = 0; i < count; ++i) {
        const ByteView nal = in.view(in.u16());
        if (!in.ok()) return fail(Errc::kTruncated, "AVC parameter set", in.offset());
        if (nal.empty() || media::nal_type(nal[0]) != type) {
            return fail(Errc::kMalformed, "AVC parameter set", in.offset());
        }
        sets.push_back(to_bytes(nal));
    }
    return {};
}

void put_parameter_sets(Bytes& out, const std::vector<Bytes>& sets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = sets[i].size() & 0xFFFF;
        out.push_back(static_cast<std::uint8_t>(size >> 8));
        out.push_back(static_cast<std::uint8_t>(size));
        out.insert(out.end(), sets[i].begin(), sets[i].begin() + static_cast<std::ptrdiff_t>(size));
    }
}

}  // namespace

Result<AvcConfig> parse_avc_config(ByteView bytes) {
    ByteReader in(bytes);
    AvcConfig config;
    const std::uint8_t version = in.u8();
    config.profile_idc = in.u8();
    config.constraint_flags = in.u8();
    config.level_idc = in.u8();
    config.nal_length_size = static_cast<std::uint8_t>((in.u8() & 3) + 1);
    const std::size_t sps_count = in.u8() & 0x1Fu;
    if (!in.ok()) return fail(Errc::kTruncated, "AVC configuration");
    if (version != kRecordVersion) return fail(Errc::kMalformed, "AVC configuration version");
    if (config.nal_length_size == 3) return fail(Errc::kMalformed, "AVC length field");
    if (sps_count == 0) return fail(Errc::kMalformed, "AVC configuration without SPS");
    if (const auto done = read_parameter_sets(in, sps_count, media::NalType::kSps, config.sps);
        !done) {
        return tl::unexpected(done.error());
    }
    const std::size_t pps_count = in.u8();
    if (!in.ok()) return fail(Errc::kTruncated, "AVC configuration");
    if (pps_count > AvcConfig::kMaxParameterSets)
        return fail(Errc::kTooLarge, "AVC picture parameter sets");
    if (const auto done = read_parameter_sets(in, pps_count, media::NalType::kPps, config.pps);
        !done) {
        return tl::unexpected(done.error());
    }
    return config;
}

Bytes write_avc_config(const AvcConfig& config) {
    const std::size_t sps_count = std::min(config.sps.size(), kMaxSpsInRecord);
    const std::size_t pps_count = std::min(config.pps.size(), AvcConfig::kMaxParameterSets);
    Bytes out{kRecordVersion,
              config.profile_idc,
              config.constraint_flags,
              config.level_idc,
              static_cast<std::uint8_t>(0xFC | (config.nal_length_size - 1)),
              static_cast<std::uint8_t>(0xE0 | sps_count)};
    put_parameter_sets(out, config.sps, sps_count);
    out.push_back(static_cast<std::uint8_t>(pps_count));
    put_parameter_sets(out, config.pps, pps_count);
    if (config.profile_idc == kProfileHigh) {
        // chroma_format 1, bit depths 8, no SPS extension: the only ones that this profile has in
        // the field.
        const std::uint8_t extension[] = {0xFD, 0xF8, 0xF8, 0x00};
        out.insert(out.end(), std::begin(extension), std::end(extension));
    }
    return out;
}

Result<AvcConfig> make_avc_config(ByteView sps, ByteView pps) {
    if (sps.size() < 4 || media::nal_type(sps[0]) != media::NalType::kSps)
        return fail(Errc::kMalformed, "SPS");
    if (pps.empty() || media::nal_type(pps[0]) != media::NalType::kPps)
        return fail(Errc::kMalformed, "PPS");
    return AvcConfig{.profile_idc = sps[1],
                     .constraint_flags = sps[2],
                     .level_idc = sps[3],
                     .sps = {to_bytes(sps)},
                     .pps = {to_bytes(pps)}};
}

}  // namespace parley::flv
