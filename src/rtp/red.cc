#include "rtp/red.h"

namespace parley::rtp {

Result<RedView> parse_red(ByteView rtp_payload) {
    ByteReader in(rtp_payload);
    RedView red;
    InlineVector<std::size_t, kMaxRedundantBlocks> sizes;
    for (;;) {
        const std::uint8_t first = in.u8();
        if (!in.ok()) return fail(Errc::kTruncated, "RED header");
        const PayloadType payload_type(first & 0x7F);
        if ((first & 0x80) == 0) {
            red.primary_payload_type = payload_type;
            break;
        }
        const std::uint32_t packed = in.u24();
        const RedBlockView block{.payload_type = payload_type,
                                 .timestamp_offset = static_cast<std::uint16_t>(packed >> 10)};
        if (!red.redundant.try_push_back(block)) return fail(Errc::kTooLarge, "RED blocks");
        sizes.push_back(packed & 0x3FF);
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) red.redundant[i].data = in.view(sizes[i]);
    if (!in.ok()) return fail(Errc::kTruncated, "RED block");
    if (in.at_end()) return fail(Errc::kMalformed, "RED primary block", in.offset());
    red.primary_offset = in.offset();
    red.primary = in.rest();
    return red;
}

}  // namespace parley::rtp
