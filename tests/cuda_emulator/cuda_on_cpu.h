// The vocabulary of CUDA C++ for g++: included before every kernel source. What a kernel may use beyond this
// it has not been tested with.
#pragma once

#include "emulator.h"

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#define __global__ __attribute__((visibility("hidden")))
#define __device__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __constant__ static const

using dim3 = emulator::Index;

#define __syncthreads() emulator::block_barrier(__FILE__, __LINE__)
#define __syncwarp(...) emulator::warp_barrier(emulator::mask_or_all(__VA_ARGS__), __FILE__, __LINE__)
#define __shfl_sync(mask, value, source) emulator::shuffle(mask, value, (source) & 31, __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, lanes) \
    emulator::shuffle(mask, value, static_cast<int>(emulator::lane() ^ (lanes)), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, lanes) \
    emulator::shuffle(mask, value, emulator::within(emulator::lane() + (lanes)), __FILE__, __LINE__)
#define __shfl_up_sync(mask, value, lanes)                                                                       \
    emulator::shuffle(mask, value,                                                                               \
                      emulator::lane() < static_cast<unsigned>(lanes) ? static_cast<int>(emulator::lane())       \
                                                                      : static_cast<int>(emulator::lane() - (lanes)), \
                      __FILE__, __LINE__)
#define __ballot_sync(mask, predicate) emulator::ballot(mask, predicate, __FILE__, __LINE__)
#define __any_sync(mask, predicate) (emulator::ballot(mask, predicate, __FILE__, __LINE__) != 0)
#define __all_sync(mask, predicate) (emulator::ballot(mask, !(predicate), __FILE__, __LINE__) == 0)

#define AXSIM_SHARED(type, name, count)                                                              \
    static char name##_key;                                                                          \
    type(&name)[count] = *static_cast<type(*)[count]>(                                               \
        emulator::shared_array(&name##_key, sizeof(type[count]), alignof(type) > 16 ? alignof(type) : 16, #name))
#define AXSIM_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(emulator::dynamic_shared_memory())

namespace emulator {

constexpr unsigned mask_or_all(unsigned mask = ~0u) { return mask; }

constexpr int first(int one, int = 0) { return one; }

inline int within(unsigned source) { return static_cast<int>(source < 32 ? source : lane()); }

template <class To, class From>
To bits_of(From from)
{
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

template <class T>
T shuffle(unsigned mask, T value, int source, const char* file, int line)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return bits_of<T>(static_cast<Bits>(exchange(mask, bits_of<Bits>(value), source, file, line)));
}

// How Python learns a parameter's type: 'p' and the size of what is pointed to (0: any), 'i', 'u', 'f' and size.
struct Parameter {
    char kind;
    unsigned char size;
    char pointee;
};

template <class T>
constexpr char kind_of()
{
    if constexpr (std::is_floating_point_v<T>) return 'f';
    else if constexpr (std::is_signed_v<T>) return 'i';
    else return 'u';
}

template <class T>
constexpr Parameter parameter()
{
    if constexpr (std::is_pointer_v<T>) {
        using To = std::remove_cv_t<std::remove_pointer_t<T>>;
        if constexpr (std::is_arithmetic_v<To>) return {'p', sizeof(To), kind_of<To>()};
        else return {'p', 0, 0};
    } else {
        static_assert(std::is_arithmetic_v<T>, "kernels take pointers and numbers");
        return {kind_of<T>(), sizeof(T), 0};
    }
}

template <class... P, std::size_t... I>
void call(void (*kernel)(P...), void** arguments, std::index_sequence<I...>)
{
    kernel(*static_cast<P*>(arguments[I])...);
}

template <class... P>
void call(void (*kernel)(P...), void** arguments)
{
    call(kernel, arguments, std::index_sequence_for<P...>{});
}

template <class... P>
std::size_t describe(void (*)(P...), Parameter* into)
{
    const Parameter parameters[] = {parameter<P>()..., Parameter{}};
    std::memcpy(into, parameters, sizeof...(P) * sizeof(Parameter));
    return sizeof...(P);
}

}  // namespace emulator

// What Python calls for the kernel `name`; stands behind the source. `bounds` is (most threads a block, ...).
#define AXSIM_ENTRY(name, bounds)                                                                      \
    extern "C" void axsim_call_##name(void** arguments) { emulator::call(name, arguments); }           \
    extern "C" int axsim_bounds_##name() { return emulator::first bounds; }                            \
    extern "C" std::size_t axsim_describe_##name(emulator::Parameter* into)                            \
    {                                                                                                  \
        return emulator::describe(name, into);                                                         \
    }

// Vectors, aligned as CUDA aligns them.
#define AXSIM_VECTORS(type, name, align2, align4)                                                      \
    struct alignas(align2) name##2 {                                                                   \
        type x, y;                                                                                     \
    };                                                                                                 \
    struct name##3 {                                                                                   \
        type x, y, z;                                                                                  \
    };                                                                                                 \
    struct alignas(align4) name##4 {                                                                   \
        type x, y, z, w;                                                                               \
    };                                                                                                 \
    inline name##2 make_##name##2(type x, type y) { return {x, y}; }                                   \
    inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                        \
    inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
AXSIM_VECTORS(signed char, char, 2, 4)
AXSIM_VECTORS(unsigned char, uchar, 2, 4)
AXSIM_VECTORS(short, short, 4, 8)
AXSIM_VECTORS(unsigned short, ushort, 4, 8)
AXSIM_VECTORS(int, int, 8, 16)
AXSIM_VECTORS(unsigned, uint, 8, 16)
AXSIM_VECTORS(float, float, 8, 16)
#undef AXSIM_VECTORS
struct alignas(16) longlong2 {
    long long x, y;
};
struct alignas(16) ulonglong2 {
    unsigned long long x, y;
};
struct alignas(16) double2 {
    double x, y;
};
inline longlong2 make_longlong2(long long x, long long y) { return {x, y}; }
inline ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) { return {x, y}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

template <class T>
T __ldg(const T* address)
{
    return *address;
}

// Integers.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector)
{
    const std::uint64_t both = static_cast<std::uint64_t>(y) << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i) {
        const unsigned pick = selector >> 4 * i & 15;
        unsigned byte = static_cast<unsigned>(both >> 8 * (pick & 7)) & 255;
        if (pick & 8) byte = byte & 128 ? 255 : 0;
        result |= byte << 8 * i;
    }
    return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift)
{
    const std::uint64_t both = static_cast<std::uint64_t>(high) << 32 | low;
    return static_cast<unsigned>(both << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift)
{
    const std::uint64_t both = static_cast<std::uint64_t>(high) << 32 | low;
    return static_cast<unsigned>(both >> (shift & 31));
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned x, unsigned y)
{
    return static_cast<unsigned>(static_cast<std::uint64_t>(x) * y >> 32);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y)
{
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(x) * y >> 64);
}
inline int __dp4a(int x, int y, int sum)
{
    for (int i = 0; i < 4; ++i)
        sum = static_cast<int>(static_cast<unsigned>(sum) +
                               static_cast<unsigned>(static_cast<signed char>(x >> 8 * i) *
                                                     static_cast<signed char>(y >> 8 * i)));
    return sum;
}
inline unsigned __dp4a(unsigned x, unsigned y, unsigned sum)
{
    for (int i = 0; i < 4; ++i) sum += (x >> 8 * i & 255) * (y >> 8 * i & 255);
    return sum;
}

// min and max as CUDA overloads them: mixed signs give the unsigned type.
template <class A, class B>
auto min(A a, B b)
{
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(std::fmin(a, b));
    else return static_cast<T>(a) < static_cast<T>(b) ? static_cast<T>(a) : static_cast<T>(b);
}
template <class A, class B>
auto max(A a, B b)
{
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(std::fmax(a, b));
    else return static_cast<T>(a) > static_cast<T>(b) ? static_cast<T>(a) : static_cast<T>(b);
}

// Floats.
using std::fma;
using std::isfinite;
using std::isinf;
using std::isnan;
inline double __fma_rn(double x, double y, double z) { return std::fma(x, y, z); }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline float __double2float_rz(double x)
{
    const auto nearest = static_cast<float>(x);
    return std::fabs(static_cast<double>(nearest)) > std::fabs(x) ? std::nextafterf(nearest, 0.0f) : nearest;
}
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
inline double __ll2double_rn(long long x) { return static_cast<double>(x); }
inline double __ull2double_rn(unsigned long long x) { return static_cast<double>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline long long __double_as_longlong(double x) { return emulator::bits_of<long long>(x); }
inline double __longlong_as_double(long long x) { return emulator::bits_of<double>(x); }
inline int __double2hiint(double x) { return static_cast<int>(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return static_cast<int>(__double_as_longlong(x)); }
inline double __hiloint2double(int high, int low)
{
    return emulator::bits_of<double>(static_cast<std::uint64_t>(static_cast<unsigned>(high)) << 32 |
                                     static_cast<unsigned>(low));
}
inline unsigned __float_as_uint(float x) { return emulator::bits_of<unsigned>(x); }
inline int __float_as_int(float x) { return emulator::bits_of<int>(x); }
inline float __uint_as_float(unsigned x) { return emulator::bits_of<float>(x); }
inline float __int_as_float(int x) { return emulator::bits_of<float>(x); }

// Atomics: threads run one at a time.
template <class T, class U>
T atomicAdd(T* address, U value)
{
    const emulator::Atomic atomic;
    const T old = *address;
    if constexpr (std::is_integral_v<T>) {
        using Bits = std::make_unsigned_t<T>;  // sums wrap around
        *address = static_cast<T>(static_cast<Bits>(old) + static_cast<Bits>(static_cast<T>(value)));
    } else {
        *address = old + static_cast<T>(value);
    }
    return old;
}
template <class T, class U>
T atomicMax(T* address, U value)
{
    const emulator::Atomic atomic;
    const T old = *address;
    *address = max(old, static_cast<T>(value));
    return old;
}
template <class T, class U>
T atomicMin(T* address, U value)
{
    const emulator::Atomic atomic;
    const T old = *address;
    *address = min(old, static_cast<T>(value));
    return old;
}
template <class T, class U>
T atomicOr(T* address, U value)
{
    const emulator::Atomic atomic;
    const T old = *address;
    *address = old | static_cast<T>(value);
    return old;
}
