#include "common/isa.h"

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

Isa best() {
#if defined(__x86_64__)
    __builtin_cpu_init();  // static objects may be made before the compiler's own
#endif
    for (const Named &known : kBestFirst)
        if (runs(known.isa)) return known.isa;
    return Isa::portable;
}

std::string quoted_runnable_isas() {
    std::string names;
    for (const std::string &name : runnable_isas()) names += (names.empty() ? "'" : ", '") + name + "'";
    return names;
}

Isa named(const std::string &name) {
    for (const Named &known : kBestFirst)
        if (name == known.name && runs(known.isa)) return known.isa;
    bool exists = false;
    for (const Named &known : kBestFirst) exists = exists || name == known.name;
    throw std::invalid_argument("AXSIM_ISA is '" + name + "', " +
                                (exists ? "which this processor does not run" : "which is no instruction set") +
                                "; expected one of those that run here: " + quoted_runnable_isas());
}

const char *forced() {
    const char *name = std::getenv("AXSIM_ISA");
    return name != nullptr && *name != '\0' ? name : nullptr;
}

// Not a static object of a function: a child that was forked while another thread made it would wait for ever.
const Isa best_isa = best();

}  // namespace

bool has_vnni() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

std::vector<std::string> runnable_isas() {
    std::vector<std::string> names;
    for (const Named &known : kBestFirst)
        if (runs(known.isa)) names.emplace_back(known.name);
    return names;
}

Isa isa() {
    if (const char *name = forced()) return named(name);
    return best_isa;
}

}  // namespace axsim
