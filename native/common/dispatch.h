// The kernels of a family for the instruction set in use.
#pragma once
#include "common/isa.h"

namespace axsim {

// What each instruction set's file of a family has: nothing (nullptr) where the compiler does not know the set. A
// family has `portable` and whatever else pays.
template <class Kernels>
struct Family {
    using Get = const Kernels *(*)();
    Get portable, avx2 = nullptr, avx512 = nullptr, vnni = nullptr, vbmi = nullptr, neon = nullptr;

    // The kernels of the best set that the family has and that `isa` includes.
    const Kernels &choose(Isa isa) const {
        for (const auto &[get, included] : {Choice{vbmi, isa == Isa::vbmi},
                                            {vnni, wide(isa) && has_vnni()},
                                            {avx512, wide(isa)},
                                            {avx2, wide(isa) || isa == Isa::avx2},
                                            {neon, isa == Isa::neon}})
            if (included && get != nullptr)
                if (const Kernels *kernels = get()) return *kernels;
        return *portable();
    }

  private:
    struct Choice {
        Get get;
        bool included;
    };
    static bool wide(Isa isa) { return isa == Isa::vbmi || isa == Isa::avx512; }
};

}  // namespace axsim
