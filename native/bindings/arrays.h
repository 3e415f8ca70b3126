// Arrays as Python hands them over, and what their shapes must be: checked here, for all bindings.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <type_traits>

#include "bindings/interpreter.h"

namespace axsim {

namespace nb = nanobind;

template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T>
using InOut = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using AnyIn = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using AnyOut = nb::ndarray<nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Pair = std::array<std::size_t, 2>;  // vertical, horizontal

inline void require(bool condition, const char *message) {
    if (!condition) throw std::invalid_argument(message);
}

// Calls run with the array's data as the type it has, which is First or Second.
template <class First, class Second, class Any, class Run>
auto with_type(Any &array, const char *message, const Run &run) {
    constexpr bool kConst = std::is_const_v<std::remove_pointer_t<decltype(array.data())>>;
    using A = std::conditional_t<kConst, const First, First>;
    using B = std::conditional_t<kConst, const Second, Second>;
    if (array.dtype() == nb::dtype<First>()) return run(static_cast<A *>(array.data()));
    require(array.dtype() == nb::dtype<Second>(), message);
    return run(static_cast<B *>(array.data()));
}

}  // namespace axsim
