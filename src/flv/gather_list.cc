#include "flv/gather_list.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace parley::flv {

void GatherList::append_copy(ByteView bytes) {
    if (bytes.size() <= kMaxHead) {
        append(bytes, nullptr, 0, 0);
    } else {
        append({}, make_payload(to_bytes(bytes)), 0, bytes.size());
    }
}

void GatherList::append(ByteView head,
                        const SharedPayload& payload,
                        std::size_t offset,
                        std::size_t size,
                        ByteView tail) {
    PARLEY_CHECK(head.size() <= kMaxHead && tail.size() <= kMaxTail);
    PARLEY_CHECK(size == 0 || (payload && offset + size <= payload->size()));
    if (head.size() + size + tail.size() == 0) return;
    // What is gone is moved over only when it is at least half, so that each piece moves a bounded
    // number of times.
    if (first_ != 0 && pieces_.size() == pieces_.capacity() && first_ * 2 >= pieces_.size()) {
        pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    Piece& piece = pieces_.emplace_back();
    if (size != 0) piece.payload = payload;
    piece.offset = static_cast<std::uint32_t>(offset);
    piece.size = static_cast<std::uint32_t>(size);
    piece.head_size = static_cast<std::uint8_t>(head.size());
    piece.tail_size = static_cast<std::uint8_t>(tail.size());
    std::copy(head.begin(), head.end(), piece.own.begin());
    std::copy(
        tail.begin(), tail.end(), piece.own.begin() + static_cast<std::ptrdiff_t>(head.size()));
    size_bytes_ += piece.total();
}

std::size_t GatherList::memory_bytes() const {
    std::size_t bytes = pieces_.capacity() * sizeof(Piece);
    const Bytes* last = nullptr;
    for (std::size_t i = first_; i < pieces_.size(); ++i) {
        // The pieces of one message stand together.
        const Bytes* const payload = pieces_[i].payload.get();
        if (payload != nullptr && payload != last) bytes += payload->capacity();
        last = payload;
    }
    return bytes;
}

void GatherList::append(GatherList&& other) {
    if (empty()) {
        std::swap(*this, other);
    } else if (other.first_consumed_ == 0) {
        pieces_.insert(pieces_.end(),
                       std::make_move_iterator(other.pieces_.begin() +
                                               static_cast<std::ptrdiff_t>(other.first_)),
                       std::make_move_iterator(other.pieces_.end()));
        size_bytes_ += other.size_bytes_;
    } else {
        append_copy(other.flatten());  // half a piece cannot stand in the middle
    }
    other.clear();
}

std::size_t GatherList::views(std::span<ByteView> out) const {
    std::size_t count = 0;
    std::size_t skip = first_consumed_;
    const auto add = [&](ByteView part) {
        const std::size_t gone = std::min(skip, part.size());
        skip -= gone;
        if (gone != part.size() && count < out.size()) out[count++] = part.subspan(gone);
    };
    for (std::size_t i = first_; i < pieces_.size() && count < out.size(); ++i) {
        const Piece& piece = pieces_[i];
        const ByteView own(piece.own);
        add(own.first(piece.head_size));
        if (piece.size != 0) add(ByteView(*piece.payload).subspan(piece.offset, piece.size));
        add(own.subspan(piece.head_size, piece.tail_size));
    }
    return count;
}

void GatherList::consume(std::size_t bytes) {
    PARLEY_CHECK(bytes <= size_bytes_);
    size_bytes_ -= bytes;
    bytes += first_consumed_;
    while (first_ < pieces_.size() && bytes >= pieces_[first_].total()) {
        bytes -= pieces_[first_].total();
        pieces_[first_].payload.reset();
        ++first_;
    }
    first_consumed_ = bytes;
    if (first_ == pieces_.size()) {
        pieces_.clear();
        first_ = 0;
    }
}

void GatherList::clear() {
    pieces_.clear();
    first_ = 0;
    first_consumed_ = 0;
    size_bytes_ = 0;
}

Bytes GatherList::flatten() const {
    Bytes out;
    out.reserve(size_bytes_);
    for (std::size_t i = first_; i < pieces_.size(); ++i) {
        const Piece& piece = pieces_[i];
        const auto own = piece.own.begin();
        out.insert(out.end(), own, own + piece.head_size);
        if (piece.size != 0) {
            const auto at = piece.payload->begin() + piece.offset;
            out.insert(out.end(), at, at + piece.size);
        }
        out.insert(out.end(), own + piece.head_size, own + piece.head_size + piece.tail_size);
    }
    out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(first_consumed_));
    return out;
}

}  // namespace parley::flv
