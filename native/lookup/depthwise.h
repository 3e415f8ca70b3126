// Convolution with one input channel to a filter: too few terms a patch for the other kernels to pay.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/shapes.h"
#include "lookup/table.h"

namespace axsim {

// Whether compute_depthwise takes this convolution.
bool fits_depthwise(const Table &table, const ConvShape &shape, std::size_t filters);

// out (images, filters, out_height, out_width); w is (filters, 1, kernel_height, kernel_width), numbers of columns, and
// filter f reads channel f * channels / filters. A pixel outside the image is `outside`. Out is int32 (sums modulo
// 2**32) or int64.
template <class Out>
Schedule compute_depthwise(const Table &table, const ConvShape &shape, const std::uint8_t *x, const std::uint16_t *w,
                           std::size_t filters, std::uint8_t outside, Out *out, int threads);

}  // namespace axsim
