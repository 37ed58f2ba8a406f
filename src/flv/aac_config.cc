#include "flv/aac_config.h"

#include <algorithm>
#include <array>

namespace parley::flv {
namespace {

constexpr std::array<std::uint32_t, 13> kAacRates = {96'000,
                                                     88'200,
                                                     64'000,
                                                     48'000,
                                                     44'100,
                                                     32'000,
                                                     24'000,
                                                     22'050,
                                                     16'000,
                                                     12'000,
                                                     11'025,
                                                     8'000,
                                                     7'350};
constexpr std::uint32_t kMaxAacRate = 192'000;
constexpr std::uint32_t kRateEscape = 15;
constexpr std::uint32_t kObjectTypeEscape = 31;
constexpr std::uint32_t kSyncExtensionSbr = 0x2B7;
constexpr std::uint32_t kSyncExtensionPs = 0x548;
constexpr std::array<std::uint8_t, 16> kAacChannels = {
    0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0};

class AacBits {
public:
    explicit AacBits(ByteView bytes) : bytes_(bytes) {}

    std::uint32_t take(std::size_t count) {
        std::uint32_t value = 0;
        for (; count != 0; --count) {
            value <<= 1;
            if (position_ < bytes_.size() * 8) {
                value |= bytes_[position_ / 8] >> (7 - position_ % 8) & 1u;
            } else {
                ok_ = false;
            }
            ++position_;
        }
        return value;
    }
    [[nodiscard]] std::size_t left() const {
        return position_ < bytes_.size() * 8 ? bytes_.size() * 8 - position_ : 0;
    }
    [[nodiscard]] bool ok() const { return ok_; }
    void align() { position_ = (position_ + 7) / 8 * 8; }

private:
    ByteView bytes_;
    std::size_t position_ = 0;
    bool ok_ = true;
};

class AacBitWriter {
public:
    void put(std::uint32_t value, std::size_t count) {
        for (; count != 0; --count) {
            if (used_ % 8 == 0) bytes_.push_back(0);
            bytes_.back() = static_cast<std::uint8_t>(bytes_.back() | (value >> (count - 1) & 1u)
                                                                          << (7 - used_ % 8));
            ++used_;
        }
    }
    Bytes take() { return std::move(bytes_); }

private:
    Bytes bytes_;
    std::size_t used_ = 0;
};

std::uint32_t read_object_type(AacBits& bits) {
    const std::uint32_t type = bits.take(5);
    return type == kObjectTypeEscape ? 32 + bits.take(6) : type;
}

/// 0 where the index is reserved.
std::uint32_t read_rate(AacBits& bits) {
    const std::uint32_t index = bits.take(4);
    if (index == kRateEscape) return bits.take(24);
    return index < kAacRates.size() ? kAacRates[index] : 0;
}

void write_object_type(AacBitWriter& bits, std::uint32_t type) {
    if (type >= kObjectTypeEscape) {
        bits.put(kObjectTypeEscape, 5);
        bits.put(type - 32, 6);
    } else {
        bits.put(type, 5);
    }
}

void write_rate(AacBitWriter& bits, std::uint32_t rate_hz) {
    const auto at = std::find(kAacRates.begin(), kAacRates.end(), rate_hz);
    if (at != kAacRates.end()) {
        bits.put(static_cast<std::uint32_t>(at - kAacRates.begin()), 4);
    } else {
        bits.put(kRateEscape, 4);
        bits.put(rate_hz, 24);
    }
}

bool is_known_object_type(std::uint32_t type) {
    switch (static_cast<AacObjectType>(type)) {
        case AacObjectType::kMain:
        case AacObjectType::kLc:
        case AacObjectType::kSsr:
        case AacObjectType::kLtp:
        case AacObjectType::kEr:
        case AacObjectType::kLd:
        case AacObjectType::kEld:
            return true;
        case AacObjectType::kSbr:
        case AacObjectType::kPs:
            return false;  // as the core of another one
    }
    return false;
}

bool is_low_delay(AacObjectType type) {
    return type == AacObjectType::kLd || type == AacObjectType::kEld;
}

/// program_config_element (ISO/IEC 14496-3 section 4.4.1.1); the number of its channels.
std::uint8_t read_program_config(AacBits& bits) {
    bits.take(4 + 2 + 4);
    const std::uint32_t pairs_or_singles = bits.take(4);
    const std::uint32_t side = bits.take(4);
    const std::uint32_t back = bits.take(4);
    const std::uint32_t lfe = bits.take(2);
    const std::uint32_t data = bits.take(3);
    const std::uint32_t coupling = bits.take(4);
    if (bits.take(1) != 0) bits.take(4);
    if (bits.take(1) != 0) bits.take(4);
    if (bits.take(1) != 0) bits.take(3);
    std::uint32_t channels = lfe;
    for (std::uint32_t i = 0; i < pairs_or_singles + side + back; ++i) {
        channels += bits.take(1) + 1;
        bits.take(4);
    }
    for (std::uint32_t i = 0; i < lfe + data; ++i) bits.take(4);
    for (std::uint32_t i = 0; i < coupling; ++i) bits.take(5);
    bits.align();
    const std::uint32_t comment = bits.take(8);
    for (std::uint32_t i = 0; i < comment; ++i) bits.take(8);
    return static_cast<std::uint8_t>(channels);
}

/// GASpecificConfig (section 4.4.1).
void read_general_audio(AacBits& bits, AacConfig& config) {
    config.frame_length_960 = bits.take(1) != 0;
    if (bits.take(1) != 0) bits.take(14);
    const bool extension = bits.take(1) != 0;
    if (config.channel_config == 0) config.pce_channels = read_program_config(bits);
    const bool error_resilient =
        config.object_type == AacObjectType::kEr || config.object_type == AacObjectType::kLd;
    if (extension) bits.take(error_resilient ? 4 : 1);
    if (error_resilient) bits.take(2);
}

void read_sync_extension(AacBits& bits, AacConfig& config) {
    if (bits.left() < 16 || bits.take(11) != kSyncExtensionSbr) return;
    if (read_object_type(bits) != static_cast<std::uint32_t>(AacObjectType::kSbr)) return;
    if (bits.take(1) == 0) return;
    config.sbr = true;
    config.backward_compatible = true;
    config.extension_sample_rate_hz = read_rate(bits);
    if (bits.left() >= 12 && bits.take(11) == kSyncExtensionPs) config.ps = bits.take(1) != 0;
}

}  // namespace

std::uint8_t AacConfig::output_channels() const {
    if (ps) return 2;
    return channel_config == 0 ? pce_channels : kAacChannels[channel_config & 0x0F];
}

std::uint32_t AacConfig::output_sample_rate_hz() const {
    return sbr && extension_sample_rate_hz != 0 ? extension_sample_rate_hz : sample_rate_hz;
}

std::uint32_t AacConfig::samples_per_frame() const {
    const std::uint32_t core = is_low_delay(object_type) ? (frame_length_960 ? 480 : 512)
                                                         : (frame_length_960 ? 960 : 1024);
    // Downsampled SBR keeps the rate, and with it the number of samples.
    return output_sample_rate_hz() > sample_rate_hz ? core * 2 : core;
}

Result<AacConfig> parse_aac_config(ByteView bytes) {
    AacBits bits(bytes);
    AacConfig config;
    std::uint32_t type = read_object_type(bits);
    config.sample_rate_hz = read_rate(bits);
    config.channel_config = static_cast<std::uint8_t>(bits.take(4));
    if (type == static_cast<std::uint32_t>(AacObjectType::kSbr) ||
        type == static_cast<std::uint32_t>(AacObjectType::kPs)) {
        config.sbr = true;
        config.ps = type == static_cast<std::uint32_t>(AacObjectType::kPs);
        config.extension_sample_rate_hz = read_rate(bits);
        type = read_object_type(bits);
    }
    if (!bits.ok()) return fail(Errc::kTruncated, "AudioSpecificConfig");
    if (!is_known_object_type(type)) return fail(Errc::kUnsupported, "audio object type");
    config.object_type = static_cast<AacObjectType>(type);
    if (config.channel_config != 0 && kAacChannels[config.channel_config] == 0) {
        return fail(Errc::kMalformed, "AAC channel configuration");
    }
    if (config.object_type == AacObjectType::kEld) {
        config.frame_length_960 = bits.take(1) != 0;  // 480 instead of 512
    } else {
        read_general_audio(bits, config);
        if (!config.sbr) read_sync_extension(bits, config);
    }
    if (!bits.ok()) return fail(Errc::kTruncated, "AudioSpecificConfig");
    for (const std::uint32_t rate :
         {config.sample_rate_hz, config.sbr ? config.extension_sample_rate_hz : 1}) {
        if (rate == 0 || rate > kMaxAacRate) return fail(Errc::kMalformed, "AAC sample rate");
    }
    return config;
}

Bytes write_aac_config(const AacConfig& config) {
    if (config.channel_config == 0) return {};
    const auto core = static_cast<std::uint32_t>(config.object_type);
    const bool explicit_first = config.sbr && !config.backward_compatible;
    AacBitWriter bits;
    if (explicit_first) {
        write_object_type(
            bits, static_cast<std::uint32_t>(config.ps ? AacObjectType::kPs : AacObjectType::kSbr));
    } else {
        write_object_type(bits, core);
    }
    write_rate(bits, config.sample_rate_hz);
    bits.put(config.channel_config, 4);
    if (explicit_first) {
        write_rate(bits, config.extension_sample_rate_hz);
        write_object_type(bits, core);
    }
    bits.put(config.frame_length_960 ? 1 : 0, 1);
    if (config.object_type == AacObjectType::kEld) {
        // No resilience tools, no low-delay SBR, no extension (ELDEXT_TERM); epConfig 0.
        bits.put(0, 3 + 1 + 4 + 2);
        return bits.take();
    }
    bits.put(0, 2);  // no core coder, no extension
    if (config.object_type == AacObjectType::kEr || config.object_type == AacObjectType::kLd)
        bits.put(0, 2);
    if (config.sbr && config.backward_compatible) {
        bits.put(kSyncExtensionSbr, 11);
        bits.put(static_cast<std::uint32_t>(AacObjectType::kSbr), 5);
        bits.put(1, 1);
        write_rate(bits, config.extension_sample_rate_hz);
        if (config.ps) {
            bits.put(kSyncExtensionPs, 11);
            bits.put(1, 1);
        }
    }
    return bits.take();
}

}  // namespace parley::flv
