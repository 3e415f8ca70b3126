// Stands before the compiler's own header of this name: AVX-512 intrinsics, computed by SIMDe with AVX2, and sources
// that include it take the processor for one that has them.
#pragma once
#include_next <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512/setzero.h>
// Below it, for it does not include what it needs.
#include <simde/x86/avx512/blend.h>
#include <simde/x86/avx512/cast.h>
#include <simde/x86/avx512/insert.h>
#include <simde/x86/avx512/loadu.h>
#include <simde/x86/avx512/mov_mask.h>
#include <simde/x86/avx512/permutex2var.h>

#define __AVX512F__ 1
