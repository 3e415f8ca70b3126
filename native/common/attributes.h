// What the compiler is told about single functions.
//
// Files for one instruction set must define nothing that the linker could take for another file's copy of it: their
// functions are in unnamed namespaces, and what they share with other files is always inlined.
// tests/native/test_linkage.py holds them to it.
#pragma once

#define AXSIM_INLINE inline __attribute__((always_inline))

// Inlined, a function's __restrict promises are lost, and with them its vectorisation.
#define AXSIM_APART __attribute__((noinline))

// GCC turns scalar look-ups into vector inserts, at a quarter of the speed.
#if defined(__GNUC__) && !defined(__clang__)
#define AXSIM_SCALAR __attribute__((optimize("no-tree-vectorize", "no-tree-slp-vectorize")))
#else
#define AXSIM_SCALAR
#endif
