#include "isa.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace axsim {
namespace {

bool runs(Isa which) {
#if defined(__x86_64__)
    switch (which) {
        case Isa::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
        case Isa::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case Isa::portable:
            break;
    }
#endif
    return which == Isa::portable;
}

Isa named(const std::string &name) {
    const bool wide = name == "avx512";
    if (!wide && name != "avx2" && name != "portable")
        throw std::invalid_argument("AXSIM_ISA is '" + name + "', expected portable, avx2 or avx512");
    const Isa which = wide ? Isa::avx512 : name == "avx2" ? Isa::avx2 : Isa::portable;
    if (!runs(which)) throw std::invalid_argument("AXSIM_ISA is '" + name + "', which this processor does not run");
    return which;
}

const char *forced() {
    const char *name = std::getenv("AXSIM_ISA");
    return name != nullptr && *name != '\0' ? name : nullptr;
}

constexpr int none = -1;
std::atomic<int> preferred{none};

}  // namespace

std::vector<std::string> runnable_isas() {
    std::vector<std::string> names;
    if (runs(Isa::avx512)) names.push_back("avx512");
    if (runs(Isa::avx2)) names.push_back("avx2");
    names.push_back("portable");
    return names;
}

Isa lookup_isa() {
    const int chosen = preferred.load(std::memory_order_relaxed);
    return chosen == none || forced() ? isa() : static_cast<Isa>(chosen);
}

void prefer_isa(const std::string &name) {
    preferred.store(name.empty() ? none : static_cast<int>(named(name)), std::memory_order_relaxed);
}

Isa isa() {
    if (const char *name = forced()) return named(name);
    static const Isa best = runs(Isa::avx512) ? Isa::avx512 : runs(Isa::avx2) ? Isa::avx2 : Isa::portable;
    return best;
}

}  // namespace axsim
