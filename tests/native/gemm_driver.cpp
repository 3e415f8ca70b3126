// Compares the kernels of the integer matrix product with triple loops, by themselves and through the whole
// product: `driver SET`. tests/native/test_gemm_kernels.py compiles it with all sets, and with sanitizers.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "factored/kernels.h"
#include "factored/sums.h"

namespace axsim {

const GemmKernels *any_gemm();  // portable_gemm compiled as for a processor without SSE2

namespace {

const GemmKernels *chosen = nullptr;

std::mt19937_64 bits(1);  // the same numbers every time

int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(bits); }

void check(bool right, const char *what, int line) {
    if (right) return;
    std::printf("%s: wrong at line %d\n", what, line);
    std::exit(1);
}
#define CHECK(what, condition) check(condition, what, __LINE__)

// Numbers at the ends of their range as often as between them.
int number(int low, int high) {
    const int kind = between(0, 3);
    return kind == 0 ? low : kind == 1 ? high : between(low, high);
}

std::int64_t part_of(std::uint32_t step, bool bytes, bool is_signed, int i) {
    if (!bytes) return static_cast<std::int16_t>(step >> 16 * i);
    const auto byte = static_cast<std::uint8_t>(step >> 8 * i);
    return is_signed ? std::int64_t{static_cast<std::int8_t>(byte)} : std::int64_t{byte};
}

// The register tile alone. Sums of bytes in 16 bits are full to the last product.
void check_tile(const GemmKernels &set, bool bytes, bool repeated_unsigned, std::size_t steps) {
    const std::size_t sixteen_bits = bytes && set.byte_sums == INT16_MAX ? 1 : 0;
    alignas(64) static std::uint32_t repeated[4096], vectors[8192];
    alignas(64) static std::int32_t sums[kMostGemmRows * kMostGemmColumns];
    const std::size_t chunk = sixteen_bits ? 3 : steps;
    // Three steps of two products each: 6 * 42 * 128 = 32256, and a little more would be too much.
    const int most = sixteen_bits ? 42 : 255, least = -128;
    for (std::size_t i = 0; i < steps * set.rows; ++i) {
        repeated[i] = 0;
        for (int j = 0; j < (bytes ? 4 : 2); ++j) {
            const int value = !bytes ? number(-32768, 32767) : repeated_unsigned ? number(0, most) : number(least, 127);
            repeated[i] |= (static_cast<std::uint32_t>(value) & (bytes ? 255U : 65535U)) << (bytes ? 8 : 16) * j;
        }
    }
    for (std::size_t i = 0; i < steps * set.columns; ++i) {
        vectors[i] = 0;
        for (int j = 0; j < (bytes ? 4 : 2); ++j) {
            const int value = !bytes ? number(-32768, 32767) : repeated_unsigned ? number(least, 127) : number(0, most);
            vectors[i] |= (static_cast<std::uint32_t>(value) & (bytes ? 255U : 65535U)) << (bytes ? 8 : 16) * j;
        }
    }
    (bytes ? set.bytes[repeated_unsigned] : set.words)(repeated, vectors, steps, chunk, sums);
    for (std::size_t r = 0; r < set.rows; ++r)
        for (std::size_t c = 0; c < set.columns; ++c) {
            std::int64_t expected = 0;
            for (std::size_t s = 0; s < steps; ++s)
                for (int j = 0; j < (bytes ? 4 : 2); ++j)
                    expected += part_of(repeated[s * set.rows + r], bytes, !repeated_unsigned, j) *
                                part_of(vectors[s * set.columns + c], bytes, repeated_unsigned, j);
            CHECK(set.name, sums[r * set.columns + c] == static_cast<std::int32_t>(expected));
        }
}

// `odd`: numbers of operands with a sign, 256 of them and their opposites; `ramp`: sums of what the nibbles stand for.
std::vector<std::int16_t> random_numbers(int low, int high, bool ramp, bool odd) {
    std::vector<std::int16_t> numbers;
    for (int v = 0; v < 256; ++v)
        numbers.push_back(static_cast<std::int16_t>(ramp ? v * high / 255 : number(low, high)));
    if (odd)
        for (int v = 0; v < 256; ++v) numbers.push_back(static_cast<std::int16_t>(-numbers[v]));
    return numbers;
}

GemmPart random_part(bool bytes, std::size_t terms, int left_most, int right_most, unsigned shift, std::int64_t sums,
                     bool left_odd = false, bool right_odd = false) {
    GemmPart part{bytes, shift, 0, {}, {}};
    std::int64_t reach = 0;
    for (std::size_t t = 0; t < terms; ++t) {
        const bool ramp = between(0, 2) == 0;
        const auto left = random_numbers(bytes ? 0 : -left_most, left_most, ramp, left_odd);
        const auto right = random_numbers(-right_most, right_most, ramp, right_odd);
        part.left.emplace_back(left.data(), left.size(), bytes, true);
        part.right.emplace_back(right.data(), right.size(), bytes, false);
        reach += std::int64_t{left_most} * right_most;
    }
    part.depth = static_cast<std::size_t>(sums / reach);
    return part;
}

std::int64_t entry(const GemmFactors &factors, std::size_t a, std::size_t b) {
    std::int64_t sum = 0;
    if (!factors.left_sums.empty()) sum += factors.left_sums[a];
    if (!factors.right_sums.empty()) sum += factors.right_sums[b];
    for (const GemmPart &part : factors.parts)
        for (std::size_t t = 0; t < part.terms(); ++t)
            sum += (std::int64_t{part.left[t].words[a]} * part.right[t].words[b]) * (std::int64_t{1} << part.shift);
    return sum;
}

// The whole product; `transposed` stores it with the left operand's rows as neighbours.
template <class Out>
void check_product(const GemmKernels &set, std::size_t m, std::size_t k, std::size_t n, bool transposed, int threads) {
    GemmFactors factors{set.byte_sums, {}, {}, {}};
    factors.parts.push_back(random_part(false, static_cast<std::size_t>(between(1, 3)), 300, 200, 1, INT32_MAX));
    factors.parts.push_back(random_part(false, 1, 30000, 9, 0, INT32_MAX));
    if (set.byte_sums != 0)
        factors.parts.push_back(random_part(true, static_cast<std::size_t>(between(1, 5)), 21, 30, 3, set.byte_sums));
    if (between(0, 1) != 0) factors.parts.erase(factors.parts.begin());
    if (between(0, 1) != 0)
        for (int v = 0; v < 256; ++v) factors.left_sums.push_back(between(-9999, 9999));
    if (between(0, 1) != 0)
        for (int v = 0; v < 256; ++v) factors.right_sums.push_back(between(-9999, 9999));
    std::vector<std::uint8_t> a(m * k), b(k * n);
    for (std::uint8_t &byte : a) byte = static_cast<std::uint8_t>(between(0, 255));
    for (std::uint8_t &byte : b) byte = static_cast<std::uint8_t>(between(0, 255));
    const std::int64_t index = 0;
    const MatrixOperand<std::uint8_t> left(a.data(), &index, m * k, k, 1), right(b.data(), &index, k * n, 1, n);
    const Axis rows{m, m, 0, transposed ? 1 : n}, columns{n, n, 0, transposed ? m : 1};
    std::vector<Out> out(m * n, Out{77});
    multiply(Product<std::uint8_t>{left, right, rows, columns, 1, m * n, k}, factors, out.data(), threads);
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
            std::int64_t expected = 0;
            for (std::size_t t = 0; t < k; ++t) expected += entry(factors, a[i * k + t], b[t * n + j]);
            CHECK(set.name, out[rows.offset(i) + columns.offset(j)] == static_cast<Out>(expected));
        }
}

// Operands with a sign on the sides that are signed; the right one expanded before, or when it is read.
void check_signs(const GemmKernels &set, std::size_t m, std::size_t k, std::size_t n, bool left_signed,
                 bool right_signed, int threads) {
    GemmFactors factors{set.byte_sums, {}, {}, {}, left_signed, right_signed};
    factors.parts.push_back(random_part(false, 2, 300, 200, 1, INT32_MAX, left_signed, right_signed));
    if (set.byte_sums != 0 && !left_signed)
        factors.parts.push_back(random_part(true, 2, 21, 30, 3, set.byte_sums, false, right_signed));
    for (std::size_t v = 0; v < (right_signed ? kIndices : 256); ++v) factors.right_sums.push_back(between(-999, 999));
    const auto drawn = [](std::size_t count, bool is_signed) {
        std::vector<std::uint16_t> indices(count);
        for (auto &index : indices) index = static_cast<std::uint16_t>(between(0, is_signed ? 511 : 255));
        return indices;
    };
    const std::vector<std::uint16_t> a = drawn(m * k, left_signed), b = drawn(k * n, right_signed);
    const std::vector<std::uint8_t> bytes(a.begin(), a.end());
    const std::int64_t index = 0;
    const MatrixOperand<std::uint8_t> of_bytes(bytes.data(), &index, m * k, k, 1);
    const MatrixOperand<std::uint16_t> of_indices(a.data(), &index, m * k, k, 1), right(b.data(), &index, k * n, 1, n);
    const FactorsSide left{left_signed ? nullptr : &of_bytes, left_signed ? &of_indices : nullptr, nullptr};

    const RightMatrices matrices{{1, n, k, 1, n}, b, right_signed};
    const Expansion expansions[2] = {{matrices, factors, set, false}, {matrices, factors, set, true}};
    struct Both : Expansions {
        const Expansion *all;
        const Expansion *expansion(const GemmKernels &, bool in_vectors) const override { return all + in_vectors; }
    } both;
    both.all = expansions;
    for (const Expansions *expanded :
         {static_cast<const Expansions *>(nullptr), static_cast<const Expansions *>(&both)})
        for (const bool transposed : {false, true}) {
            const Axis rows{m, m, 0, transposed ? 1 : n}, columns{n, n, 0, transposed ? m : 1};
            std::vector<std::int32_t> out(m * n, 77);
            multiply(FactoredProduct{factors, left, {nullptr, &right, expanded}, rows, columns, 1, m * n, k},
                     out.data(), threads);
            for (std::size_t i = 0; i < m; ++i)
                for (std::size_t j = 0; j < n; ++j) {
                    std::int64_t expected = 0;
                    for (std::size_t t = 0; t < k; ++t) expected += entry(factors, a[i * k + t], b[t * n + j]);
                    CHECK(set.name, out[rows.offset(i) + columns.offset(j)] == static_cast<std::int32_t>(expected));
                }
        }
}

void check_all(const GemmKernels &set) {
    CHECK(set.name, set.rows <= kMostGemmRows && set.columns <= kMostGemmColumns);
    for (std::size_t steps : {1, 2, 3, 7, 64}) {
        check_tile(set, false, false, steps);
        if (set.byte_sums != 0)
            for (bool repeated_unsigned : {false, true}) check_tile(set, true, repeated_unsigned, steps);
    }
    for (int round = 0; round < 12; ++round) {
        const auto size = [](int most) { return static_cast<std::size_t>(between(1, most)); };
        check_product<std::int32_t>(set, size(40), size(150), size(70), round % 2 != 0, 1 + round % 3);
        check_product<std::int64_t>(set, size(70), size(90), size(40), round % 2 == 0, 1 + round % 2);
    }
    for (int round = 0; round < 8; ++round)
        check_signs(set, static_cast<std::size_t>(between(1, 70)), static_cast<std::size_t>(between(1, 300)),
                    static_cast<std::size_t>(between(1, 60)), round % 2 != 0, round % 4 < 2, 1 + round % 2);
    check_product<std::int64_t>(set, 7, 1700, 5, false, 1);     // several pieces
    check_product<std::int32_t>(set, 130, 300, 190, false, 3);  // several tiles
    std::printf("%s with %zu x %zu sums is right\n", set.name, set.rows, set.columns);
}

const GemmKernels *named(const std::string &name) {
    if (name == "any") return any_gemm();
    if (name == "portable") return portable_gemm();
    if (name == "avx2") return avx2_gemm();
    if (name == "avx512") return avx512_gemm();
    return name == "vnni" ? vnni_gemm() : nullptr;
}

}  // namespace

const GemmKernels &gemm_kernels() { return *chosen; }

}  // namespace axsim

int main(int, char **arguments) {
    axsim::chosen = axsim::named(arguments[1]);
    axsim::check_all(*axsim::chosen);
}
