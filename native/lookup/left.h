// Left operands for prepared weights, in the form that the product takes: bytes that stream, or numbers of columns.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lookup/plan.h"
#include "lookup/sums.h"
#include "lookup/weights.h"

namespace axsim {

// Runs of `run` elements, to be followed each by what else the passes of a product need of it: out[outer][pass][run].
template <class T>
std::vector<std::uint8_t> streamed(const T *values, std::size_t outer, std::size_t run, std::size_t passes) {
    require_operands(values, outer * run);
    std::vector<std::uint8_t> bytes(outer * passes * run);
    for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t pass = 0; pass < passes; ++pass) {
            const T *const from = values + o * run;
            std::uint8_t *const to = bytes.data() + (o * passes + pass) * run;
            if (passes == 1)
                for (std::size_t i = 0; i < run; ++i) to[i] = static_cast<std::uint8_t>(from[i]);
            else if (pass == 0)
                for (std::size_t i = 0; i < run; ++i) to[i] = static_cast<std::uint8_t>(from[i] > 0 ? from[i] : 0);
            else
                for (std::size_t i = 0; i < run; ++i) to[i] = static_cast<std::uint8_t>(from[i] < 0 ? -from[i] : 0);
        }
    return bytes;
}

template <class T>
std::vector<std::uint16_t> numbered(const Columns &columns, const T *values, std::size_t outer, std::size_t run) {
    require_operands(values, outer * run);
    std::vector<std::uint16_t> numbers(outer * columns.passes() * run);
    for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t pass = 0; pass < columns.passes(); ++pass) {
            const T *const from = values + o * run;
            std::uint16_t *const to = numbers.data() + (o * columns.passes() + pass) * run;
            const std::uint16_t first = columns.column(0, pass);
            for (std::size_t i = 0; i < run; ++i) to[i] = static_cast<std::uint16_t>(first + known_index(from[i]));
        }
    return numbers;
}

// Calls use(problem) with the product of a, `rows` x depth, and the weights' one matrix; row_stride etc. are the
// output's.
template <class T, class Use>
auto with_rows(const LookupWeights &weights, const T *a, std::size_t rows, const Use &use) {
    const Table &table = weights.table();
    const std::size_t depth = weights.right().depth, columns = weights.right().rows;
    const std::int64_t only = 0;
    const auto product = [&](const Side &left, const Side &right) {
        return use(Lookups{table, left, right, Axis{rows, rows > 0 ? rows : 1, 0, columns},
                           Axis{columns, columns > 0 ? columns : 1, 0, 1}, 1, rows * columns, depth});
    };
    if (fixes_left(table, rows, columns, depth)) {
        const std::size_t passes = table.columns(true).passes();
        const std::vector<std::uint16_t> numbers = numbered(table.columns(true), a, rows, depth);
        const MatrixOperand<std::uint16_t> left(numbers.data(), &only, 0, passes * depth, 1);
        return product({nullptr, &left}, {&weights.stream(), nullptr});
    }
    const std::size_t passes = table.columns(false).passes();
    const auto streams = [&](const std::uint8_t *bytes) {
        const MatrixOperand<std::uint8_t> left(bytes, &only, 0, passes * depth, 1);
        return product({&left, nullptr}, {nullptr, &weights.fixed()});
    };
    if constexpr (sizeof(T) == 1)
        return streams(a);
    else
        return streams(streamed(a, rows, depth, passes).data());
}

// Calls use(problem) with the product of the patches of x and the weights' matrices, one for each group.
template <class T, class Use>
auto with_patches(const LookupWeights &weights, const T *x, const ConvShape &shape, T outside, const Use &use) {
    const Table &table = weights.table();
    const std::size_t filters = weights.right().rows, groups = weights.right().groups, pixels = shape.pixels();
    const std::size_t run = shape.group_channels * shape.height * shape.width, rows = shape.images * pixels;
    const auto passed = [&](std::size_t passes) {
        ConvShape all = shape;
        all.channels *= passes;
        all.group_channels *= passes;
        return all;
    };
    const auto product = [&](const Side &left, const Side &right) {
        return use(Lookups{table, left, right, Axis{rows, pixels > 0 ? pixels : 1, groups * filters * pixels, 1},
                           Axis{filters, filters > 0 ? filters : 1, 0, pixels}, groups, filters * pixels,
                           shape.depth()});
    };
    const std::uint16_t index = index_of(outside);
    if (fixes_left(table, rows, filters, shape.depth())) {
        const Columns &columns = table.columns(true);
        const std::vector<std::uint16_t> numbers = numbered(columns, x, shape.images * groups, run);
        const PatchOperand<std::uint16_t> left(numbers.data(), passed(columns.passes()), columns.column(index, 0),
                                               columns.column(index, columns.passes() - 1));
        return product({nullptr, &left}, {&weights.stream(), nullptr});
    }
    const std::size_t passes = table.columns(false).passes();
    const auto streams = [&](const std::uint8_t *bytes) {
        const bool negative = index >= kSide;
        const auto byte = static_cast<std::uint8_t>(index);
        const PatchOperand<std::uint8_t> left(bytes, passed(passes), passes == 2 && negative ? std::uint8_t{0} : byte,
                                              passes == 2 && !negative ? std::uint8_t{0} : byte);
        return product({&left, nullptr}, {nullptr, &weights.fixed()});
    };
    if constexpr (sizeof(T) == 1)
        return streams(x);
    else
        return streams(streamed(x, shape.images * groups, run, passes).data());
}

}  // namespace axsim
