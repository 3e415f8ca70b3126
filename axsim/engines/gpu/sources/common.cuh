// What every kernel may use beside CUDA's own built-ins. There are no standard headers here: NVRTC, which
// compiles these files at run time, has none.
#pragma once

using int8 = signed char;
using uint8 = unsigned char;
using int16 = short;
using uint16 = unsigned short;
using int32 = int;
using uint32 = unsigned int;
using int64 = long long;
using uint64 = unsigned long long;

// The CPU emulator of the tests has these macros of its own.
#ifndef AXSIM_EMULATED
// A shared array of a fixed size; aligned for the widest loads.
#define AXSIM_SHARED(type, name, count) __shared__ __align__(16) type name[count]
// The shared memory that the launch asked for, as type*; its size is known to the launch alone.
#define AXSIM_DYNAMIC_SHARED(type, name)                              \
    extern __shared__ __align__(16) unsigned char axsim_dynamic_shared[]; \
    type* const name = reinterpret_cast<type*>(axsim_dynamic_shared)
#endif

// How many pieces of `size` it takes to cover `count`.
template <class T>
__device__ __forceinline__ constexpr T divide_up(T count, T size)
{
    return (count + size - 1) / size;
}
