#include "flv/codec_config.h"

#include <gtest/gtest.h>

namespace parley::flv {
namespace {

Bytes hevc_record() {
    Bytes record(23, 0);
    record[0] = 1;
    record[21] = 0xFF;
    record[22] = 3;
    for (const std::uint8_t type : Bytes{32, 33, 34}) {
        for (const std::uint8_t byte : {std::uint8_t{type},
                                        std::uint8_t{0},
                                        std::uint8_t{1},
                                        std::uint8_t{0},
                                        std::uint8_t{2},
                                        std::uint8_t{7},
                                        std::uint8_t{7}})
            record.push_back(byte);
    }
    return record;
}

Bytes opus_head(std::uint8_t channels) {
    return {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, channels, 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0};
}

TEST(CodecConfig, HevcHasAllItsUnits) {
    const Bytes record = hevc_record();
    EXPECT_TRUE(is_hevc_config(record));
    for (std::size_t size = 0; size < record.size(); ++size)
        EXPECT_FALSE(is_hevc_config(ByteView(record).first(size))) << size;
    Bytes no_pps = record;
    no_pps[37] = 39;
    EXPECT_FALSE(is_hevc_config(no_pps));
    Bytes other = record;
    other[0] = 0;
    EXPECT_FALSE(is_hevc_config(other));
    Bytes lies = record;
    lies[22] = 0xFF;
    EXPECT_FALSE(is_hevc_config(lies));
    EXPECT_FALSE(is_hevc_config(Bytes(1 << 20, 1)));
}

TEST(CodecConfig, Av1SaysWhatItIs) {
    EXPECT_TRUE(is_av1_config(Bytes{0x81, 0x05, 0x0C, 0x00}));
    EXPECT_FALSE(is_av1_config(Bytes{0x81, 0x05, 0x0C}));
    EXPECT_FALSE(is_av1_config(Bytes{0x01, 0x05, 0x0C, 0x00}));
}

TEST(CodecConfig, OpusIsMonoOrStereo) {
    EXPECT_TRUE(is_opus_config(opus_head(1)));
    EXPECT_TRUE(is_opus_config(opus_head(2)));
    EXPECT_FALSE(is_opus_config(opus_head(0)));
    EXPECT_FALSE(is_opus_config(opus_head(6)));
    const Bytes head = opus_head(2);
    for (std::size_t size = 0; size < head.size(); ++size)
        EXPECT_FALSE(is_opus_config(ByteView(head).first(size)));
    Bytes other = head;
    other[7] = 'x';
    EXPECT_FALSE(is_opus_config(other));
}

}  // namespace
}  // namespace parley::flv
