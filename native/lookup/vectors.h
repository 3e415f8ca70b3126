// Vectors for the look-up kernels.
#pragma once
#include <cstddef>

namespace axsim {
namespace {

// Values side by side (a vector extension of GCC and Clang; they cut it to the registers at hand). Left to
// vectorise plain loops, GCC works across rows, with a shuffle for every look-up.
template <class T, std::size_t Count>
struct Vector {
    typedef T type __attribute__((vector_size(Count * sizeof(T)), may_alias));
};

}  // namespace
}  // namespace axsim
