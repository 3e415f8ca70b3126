// Memory to be reused.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/arithmetic.h"

namespace axsim {

// Memory of no defined contents at a multiple of 64 bytes, at least kSlack bytes longer than asked for: vectors may run
// over the end. It grows when it must, and then forgets what it held.
template <class T>
class Scratch {
  public:
    static constexpr std::size_t kSlack = 64;

    T *of(std::size_t size) {
        const std::size_t lines = ceil_div(size * sizeof(T) + kSlack, sizeof(Line));
        if (lines > lines_) {
            memory_.reset();
            memory_.reset(new Line[lines]);
            lines_ = lines;
        }
        return get();
    }
    T *get() const { return reinterpret_cast<T *>(memory_.get()); }

  private:
    struct alignas(64) Line {
        std::uint8_t bytes[64];
    };
    std::unique_ptr<Line[]> memory_;
    std::size_t lines_ = 0;
};

}  // namespace axsim
