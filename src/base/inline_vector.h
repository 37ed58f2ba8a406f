#pragma once

#include <array>
#include <cstddef>

#include "base/check.h"

namespace parley {

/// A vector of at most `N` values inside the object: no heap, and the bound is part of the type.
template <class T, std::size_t N>
class InlineVector {
public:
    using value_type = T;
    static constexpr std::size_t kCapacity = N;

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] bool full() const { return size_ == N; }
    /// False, and nothing added, when full.
    bool try_push_back(const T& value) {
        if (full()) return false;
        items_[size_++] = value;
        return true;
    }
    void push_back(const T& value) { PARLEY_CHECK(try_push_back(value)); }
    void pop_back() { --size_; }
    void clear() { size_ = 0; }
    T& operator[](std::size_t i) { return items_[i]; }
    const T& operator[](std::size_t i) const { return items_[i]; }
    T* begin() { return items_.data(); }
    T* end() { return items_.data() + size_; }
    const T* begin() const { return items_.data(); }
    const T* end() const { return items_.data() + size_; }
    T* data() { return items_.data(); }
    const T* data() const { return items_.data(); }
    T& back() { return items_[size_ - 1]; }

private:
    std::array<T, N> items_{};
    std::size_t size_ = 0;
};

}  // namespace parley
