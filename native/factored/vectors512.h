// 64-byte vectors for the register tile; see factored/tile.h.
#pragma once
#include <cstdint>

#include <immintrin.h>

namespace axsim {
namespace {

struct Vectors512 {
    using Register = __m512i;

    static Register zero() { return _mm512_setzero_si512(); }
    static Register load(const void *from) { return _mm512_load_si512(from); }
    static Register repeat(std::uint32_t number) { return _mm512_set1_epi32(static_cast<int>(number)); }
    static void store(void *to, Register sums) { _mm512_store_si512(to, sums); }
    static Register add(Register x, Register y) { return _mm512_add_epi32(x, y); }
    // Keeps GCC from moving all products of a step before all sums.
    static void fix(Register &sum) {
#if defined(AXSIM_EMULATED)  // no register holds it
        static_cast<void>(sum);
#else
        asm volatile("" : "+v"(sum));
#endif
    }
};

}  // namespace
}  // namespace axsim
