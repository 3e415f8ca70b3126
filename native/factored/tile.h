// The register tile of the integer matrix product. Each instruction-set file includes this header with vectors of
// its own and so compiles a copy with its own compiler flags; the unnamed namespace keeps the linker from merging
// the copies.
#pragma once
#include <cstddef>
#include <cstdint>

#include "factored/kernels.h"

namespace axsim {
namespace {

// Rows * Vectors sums stay in registers; a step takes Vectors loads and Rows broadcasts. `Dot` says what the
// vectors are and how the products of a step are added:
//     Register, zero(), load(p), repeat(number), store(p, sums),
//     multiply_add(sum, repeated, vector)
//     widen(sum): 32-bit sums
//     add(x, y): of 32-bit sums
template <class Dot, std::size_t Rows, std::size_t Vectors>
void multiply(const std::uint32_t *repeated, const std::uint32_t *vectors, std::size_t steps, std::size_t chunk,
              std::int32_t *sums) {
    using Register = typename Dot::Register;
    constexpr std::size_t kLanes = sizeof(Register) / sizeof(std::int32_t), kColumns = Vectors * kLanes;
    for (std::size_t done = 0; done < steps; done += chunk) {
        Register sum[Rows][Vectors];
        for (std::size_t i = 0; i < Rows; ++i)
            for (std::size_t j = 0; j < Vectors; ++j) sum[i][j] = Dot::zero();
        const std::size_t end = steps - done < chunk ? steps : done + chunk;
        for (std::size_t step = done; step < end; ++step, repeated += Rows, vectors += kColumns) {
            Register vector[Vectors];
            for (std::size_t j = 0; j < Vectors; ++j) vector[j] = Dot::load(vectors + j * kLanes);
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Rows; ++i) {
                const Register number = Dot::repeat(repeated[i]);
#pragma GCC unroll 4
                for (std::size_t j = 0; j < Vectors; ++j) {
                    Register next = Dot::multiply_add(sum[i][j], number, vector[j]);
                    Dot::fix(next);
                    sum[i][j] = next;
                }
            }
        }
        for (std::size_t i = 0; i < Rows; ++i)
            for (std::size_t j = 0; j < Vectors; ++j) {
                std::int32_t *to = sums + i * kColumns + j * kLanes;
                const Register wide = Dot::widen(sum[i][j]);
                Dot::store(to, done == 0 ? wide : Dot::add(Dot::load(to), wide));
            }
    }
}

}  // namespace
}  // namespace axsim
