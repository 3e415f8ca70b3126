#include "isa.h"

#include <cstdlib>
#include <stdexcept>

namespace axsim {
namespace {

struct Named {
    const char *name;
    Isa isa;
};
constexpr Named kBestFirst[] = {{"vbmi", Isa::vbmi},
                                {"avx512", Isa::avx512},
                                {"avx2", Isa::avx2},
                                {"neon", Isa::neon},
                                {"portable", Isa::portable}};

bool runs(Isa which) {
#if defined(__x86_64__)
    switch (which) {
        case Isa::vbmi:
            return __builtin_cpu_supports("avx512vbmi") && runs(Isa::avx512);
        case Isa::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
        case Isa::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case Isa::neon:
        case Isa::portable:
            break;
    }
#elif defined(__aarch64__)
    if (which == Isa::neon) return true;
#endif
    return which == Isa::portable;
}

Isa named(const std::string &name) {
    for (const Named &known : kBestFirst) {
        if (name != known.name) continue;
        if (runs(known.isa)) return known.isa;
        throw std::invalid_argument("AXSIM_ISA is '" + name + "', which this processor does not run");
    }
    throw std::invalid_argument("AXSIM_ISA is '" + name + "', expected portable, avx2, avx512, vbmi or neon");
}

Isa best() {
    for (const Named &known : kBestFirst)
        if (runs(known.isa)) return known.isa;
    return Isa::portable;
}

}  // namespace

std::vector<std::string> runnable_isas() {
    std::vector<std::string> names;
    for (const Named &known : kBestFirst)
        if (runs(known.isa)) names.emplace_back(known.name);
    return names;
}

Isa isa() {
    if (const char *name = std::getenv("AXSIM_ISA"); name != nullptr && *name != '\0') return named(name);
    static const Isa chosen = best();
    return chosen;
}

}  // namespace axsim
