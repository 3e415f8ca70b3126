// What kernels compiled for the CPU need of the emulator (emulator.cpp), and what Python calls.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulator {

struct Index {
    unsigned x, y, z;
};

// An array argument: where it lies in the host's memory and how its address was aligned (modulo 256).
struct Array {
    void* host;
    std::size_t bytes;
    std::size_t misalignment;
    int read_only;
    void* address;  // where the kernel finds it; filled in by the launch
};

struct LaunchSettings {
    Index grid, block;
    std::size_t dynamic_shared, static_limit, total_limit;
    std::uint64_t seed;
};

using Body = void (*)(void** arguments);

// The place of a __shared__ array, the same for all threads of a block; `key` tells the declarations apart.
void* shared_array(const void* key, std::size_t bytes, std::size_t alignment, const char* name);
void* dynamic_shared_memory();

void block_barrier(const char* file, int line);
void warp_barrier(unsigned mask, const char* file, int line);
// Every thread of the mask gives a value and gets that of thread `source` of its warp.
std::uint64_t exchange(unsigned mask, std::uint64_t value, int source, const char* file, int line);
unsigned ballot(unsigned mask, int predicate, const char* file, int line);
unsigned lane();

// Accesses while one lives are parts of an atomic operation, which takes part in no race.
class Atomic {
public:
    Atomic();
    ~Atomic();
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;
};

[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char* format, ...);

}  // namespace emulator

extern emulator::Index threadIdx, blockIdx, blockDim, gridDim;

// The interface for Python. Returns 0, or 1 with a message in emulator_message(). Where the instruction at fault
// is known, emulator_culprit() is the file that it was loaded from, or else null, and its offset there.
extern "C" int emulator_launch(const emulator::LaunchSettings* settings, emulator::Body body, void** arguments,
                               emulator::Array** arrays, std::size_t array_count);
extern "C" const char* emulator_message();
extern "C" const char* emulator_culprit(std::size_t* offset);
