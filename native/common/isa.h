// Which instruction sets this processor runs, and which one the kernels use.
#pragma once
#include <string>
#include <vector>

namespace axsim {

enum class Isa { portable, avx2, avx512, vbmi, neon };

// The best one that processor and compiler have, or the one that the environment variable AXSIM_ISA names.
// Throws std::invalid_argument where it names none, or one that cannot run.
Isa isa();

// Whether this processor has AVX-512's dot products of bytes and words, which processors with AVX-512 have or lack.
bool has_vnni();

// The names of those that this processor runs, best first.
std::vector<std::string> runnable_isas();

}  // namespace axsim
