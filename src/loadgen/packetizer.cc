#include "loadgen/packetizer.h"

#include <algorithm>

namespace parley::loadgen {
namespace {

constexpr std::uint8_t kStapA = 24;
constexpr std::uint8_t kFuA = 28;
constexpr std::uint8_t kStart = 0x80;
constexpr std::uint8_t kEnd = 0x40;

void add_piece(Payloads& out, std::size_t begin) { out.pieces.push_back({begin, out.memory.size() - begin}); }

void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

void fragment(const Bytes& nal, std::size_t max_payload, Payloads& out) {
    const ByteView body = ByteView(nal).subspan(1);
    const std::size_t count = (body.size() + max_payload - 3) / (max_payload - 2);
    std::size_t done = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = (body.size() - done) / (count - i);
        const std::size_t begin = out.memory.size();
        out.memory.push_back(static_cast<std::uint8_t>((nal[0] & 0xE0) | kFuA));
        out.memory.push_back(static_cast<std::uint8_t>((nal[0] & 0x1F) | (i == 0 ? kStart : 0) |
                                                       (i + 1 == count ? kEnd : 0)));
        append(out.memory, body.subspan(done, size));
        add_piece(out, begin);
        done += size;
    }
}

/// Units from `first` on that fit one STAP-A; at least one.
std::size_t count_together(const AccessUnit& unit, std::size_t first, std::size_t max_payload) {
    std::size_t size = 1;
    std::size_t count = 0;
    while (first + count < unit.nal_units.size()) {
        size += 2 + unit.nal_units[first + count].size();
        if (size > max_payload) break;
        ++count;
    }
    return std::max<std::size_t>(count, 1);
}

void inspect_unit(std::uint8_t header, bool at_start, H264PayloadInfo& info) {
    const std::uint8_t type = header & 0x1F;
    if (type == 5) info.has_key_frame = true;
    if (type == 7 || type == 8) info.has_parameter_sets = true;
    if (at_start && (type == 1 || type == 5 || type == 6 || type == 7)) info.starts_picture = true;
}

}  // namespace

void packetize_h264(const AccessUnit& unit, std::size_t max_payload, Payloads& out) {
    out.clear();
    for (std::size_t i = 0; i < unit.nal_units.size();) {
        const Bytes& nal = unit.nal_units[i];
        if (nal.size() > max_payload) {
            fragment(nal, max_payload, out);
            ++i;
            continue;
        }
        const std::size_t begin = out.memory.size();
        const std::size_t count = count_together(unit, i, max_payload);
        if (count == 1) {
            append(out.memory, nal);
        } else {
            out.memory.push_back(static_cast<std::uint8_t>((nal[0] & 0xE0) | kStapA));
            for (std::size_t k = i; k < i + count; ++k) {
                const Bytes& part = unit.nal_units[k];
                out.memory.push_back(static_cast<std::uint8_t>(part.size() >> 8));
                out.memory.push_back(static_cast<std::uint8_t>(part.size()));
                append(out.memory, part);
            }
        }
        add_piece(out, begin);
        i += count;
    }
}

H264PayloadInfo inspect_h264(ByteView payload) {
    H264PayloadInfo info;
    ByteReader in(payload);
    const std::uint8_t header = in.u8();
    const std::uint8_t type = header & 0x1F;  // 0 of an empty payload, which is malformed
    if (type == kFuA) {
        const std::uint8_t fragment_header = in.u8();
        info.malformed = !in.ok() || in.at_end();
        if (!info.malformed) inspect_unit(fragment_header, (fragment_header & kStart) != 0, info);
    } else if (type == kStapA) {
        while (!in.at_end()) {
            const ByteView unit = in.view(in.u16());
            if (!in.ok() || unit.empty()) {
                info.malformed = true;
                break;
            }
            inspect_unit(unit[0], true, info);
        }
    } else if (type >= 1 && type <= 23) {
        inspect_unit(header, true, info);
    } else {
        info.malformed = true;
    }
    return info;
}

}  // namespace parley::loadgen
