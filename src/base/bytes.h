#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace parley {

/// Borrowed bytes. Wire formats use `uint8_t`, because every C library on the path does.
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

inline ByteView as_bytes_view(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text_view(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

/// Reads big-endian fields from borrowed bytes. Fails stickily: after the first read past the end every
/// read returns zero or an empty view and `ok()` is false, so a group of fields is read and checked once.
class ByteReader {
public:
    explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t offset() const { return offset_; }
    [[nodiscard]] std::size_t remaining() const { return ok_ ? bytes_.size() - offset_ : 0; }
    [[nodiscard]] bool at_end() const { return remaining() == 0; }

    std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian(2)); }
    std::uint32_t u24() { return static_cast<std::uint32_t>(big_endian(3)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian(4)); }
    std::uint64_t u64() { return big_endian(8); }

    /// The next `size` bytes, borrowed; empty (and not ok) when there are fewer.
    ByteView view(std::size_t size) {
        if (!take(size)) return {};
        return bytes_.subspan(offset_ - size, size);
    }
    ByteView rest() { return view(remaining()); }
    void skip(std::size_t size) { (void)take(size); }

private:
    bool take(std::size_t size) {
        if (!ok_ || bytes_.size() - offset_ < size) {
            ok_ = false;
            return false;
        }
        offset_ += size;
        return true;
    }
    std::uint64_t big_endian(std::size_t size) {
        if (!take(size)) return 0;
        std::uint64_t value = 0;
        for (std::size_t i = offset_ - size; i < offset_; ++i) value = value << 8 | bytes_[i];
        return value;
    }

    ByteView bytes_;
    std::size_t offset_ = 0;
    bool ok_ = true;
};

/// Writes big-endian fields into borrowed memory. Fails stickily when the memory is full.
class ByteWriter {
public:
    explicit ByteWriter(MutableByteView memory) : memory_(memory) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t size() const { return offset_; }
    [[nodiscard]] std::size_t remaining() const { return ok_ ? memory_.size() - offset_ : 0; }
    [[nodiscard]] ByteView written() const { return memory_.first(offset_); }

    void u8(std::uint8_t value) { big_endian(value, 1); }
    void u16(std::uint16_t value) { big_endian(value, 2); }
    void u24(std::uint32_t value) { big_endian(value, 3); }
    void u32(std::uint32_t value) { big_endian(value, 4); }
    void u64(std::uint64_t value) { big_endian(value, 8); }

    void bytes(ByteView source) {
        if (!reserve(source.size())) return;
        if (!source.empty()) std::memcpy(memory_.data() + offset_, source.data(), source.size());
        offset_ += source.size();
    }
    void text(std::string_view source) { bytes(as_bytes_view(source)); }
    void fill(std::uint8_t value, std::size_t count) {
        if (!reserve(count)) return;
        std::memset(memory_.data() + offset_, value, count);
        offset_ += count;
    }
    /// Overwrites a 16-bit field written earlier, such as a length that is known only at the end.
    void patch_u16(std::size_t offset, std::uint16_t value) {
        if (!ok_ || offset + 2 > offset_) {
            ok_ = false;
            return;
        }
        memory_[offset] = static_cast<std::uint8_t>(value >> 8);
        memory_[offset + 1] = static_cast<std::uint8_t>(value);
    }

private:
    bool reserve(std::size_t size) {
        if (!ok_ || memory_.size() - offset_ < size) {
            ok_ = false;
            return false;
        }
        return true;
    }
    void big_endian(std::uint64_t value, std::size_t size) {
        if (!reserve(size)) return;
        for (std::size_t i = 0; i < size; ++i) {
            memory_[offset_ + i] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
        }
        offset_ += size;
    }

    MutableByteView memory_;
    std::size_t offset_ = 0;
    bool ok_ = true;
};

/// Big-endian loads and stores at a place whose bounds the caller has already checked.
inline std::uint16_t load_u16(const std::uint8_t* at) {
    return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline std::uint32_t load_u32(const std::uint8_t* at) {
    return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
           static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}
inline void store_u16(std::uint8_t* at, std::uint16_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
inline void store_u32(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 24);
    at[1] = static_cast<std::uint8_t>(value >> 16);
    at[2] = static_cast<std::uint8_t>(value >> 8);
    at[3] = static_cast<std::uint8_t>(value);
}

}  // namespace parley
