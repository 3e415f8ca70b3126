// Compares look-up kernels with a plain triple loop: lookup_driver SET...
//
// Linked with the sources of native/ but for the choice by processor, which is made here: so kernels for a processor
// that this one is not can be run through an emulator, and everything under sanitizers. Prints what differs.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lookup/kernels.h"
#include "lookup/sums.h"

namespace {

using axsim::kSide;
using axsim::Panel;

const axsim::KernelSet *chosen = nullptr;
std::mt19937 engine(1);
int failures = 0, checks = 0;

std::uint8_t random_byte() { return static_cast<std::uint8_t>(engine() >> 7); }

struct Range {
    std::int32_t least, most;
};
constexpr Range kNarrow{0, 65535}, kSigned{-40000, 20000}, kWide{-65535, 65535};

std::vector<std::int32_t> random_values(Range range) {
    std::uniform_int_distribution<std::int32_t> entry(range.least, range.most);
    std::vector<std::int32_t> values(kSide * kSide);
    for (std::int32_t &value : values) value = entry(engine);
    values[0] = range.most;  // what a padded term would add
    values[1] = range.least;
    return values;
}

void expect(bool equal, const char *what, std::size_t rows, std::size_t depth, std::size_t lanes) {
    ++checks;
    if (equal) return;
    if (++failures <= 20)
        std::printf("%s: %s differs at %zu rows, %zu terms, %zu lanes\n", chosen->name, what, rows, depth, lanes);
}

// Memory of exactly this size, so that a sanitizer sees every step beyond it; aligned as kernels ask.
template <class T>
std::unique_ptr<T, decltype(&std::free)> exactly(std::size_t count) {
    void *memory = nullptr;
    if (posix_memalign(&memory, 64, count * sizeof(T)) != 0) std::abort();
    std::memset(memory, 0xA5, count * sizeof(T));
    return {static_cast<T *>(memory), &std::free};
}

// A packed operand; the elements that no term has are as random as the others. There may be more rows in memory.
template <class T>
struct Packed {
    std::unique_ptr<T, decltype(&std::free)> elements;
    axsim::PanelOf<T> panel;

    Packed(std::size_t rows, std::size_t depth, std::size_t stride)
        : elements(exactly<T>(Panel::size(stride, depth))), panel{elements.get(), rows, depth, stride} {
        for (std::size_t i = 0; i < Panel::size(stride, depth); ++i) elements.get()[i] = random_byte();
    }
};

template <class Entry>
void check_kernel(const Entry *entries, const axsim::Kernel<Entry> &kernel, std::size_t rows, std::size_t depth,
                  std::size_t count) {
    const Packed<std::uint8_t> stream(rows, depth, rows + depth % 2);
    const Packed<std::uint16_t> fixed(count, depth, count + rows % 2);
    std::vector<std::uint32_t> expected(rows * count);
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t k = 0; k < depth; ++k)
            for (std::size_t lane = 0; lane < count; ++lane)
                expected[r * count + lane] +=
                    static_cast<std::uint32_t>(entries[*fixed.panel.at(lane, k) * kSide + *stream.panel.at(r, k)]);

    const auto equal = [&](const std::uint32_t *sums, std::size_t width, std::size_t lane, std::size_t lanes) {
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t j = 0; j < lanes; ++j)
                if (sums[r * width + j] != expected[r * count + lane + j]) return false;
        return true;
    };
    const auto check = [&](const axsim::WideKernel<Entry> &wide, const char *what) {
        const auto running = exactly<std::uint64_t>(rows * wide.lanes / 3);
        const std::size_t apart = rows + 3;
        const auto sums = exactly<std::uint32_t>(rows * wide.lanes), lines = exactly<std::uint32_t>(apart * wide.lanes);
        for (std::size_t lane = 0, lanes; lane < count; lane += lanes) {
            lanes = count - lane < wide.lanes ? count - lane : wide.lanes;
            wide.run(entries, stream.panel, fixed.panel, lane, lanes, running.get(), sums.get(), 0);
            expect(equal(sums.get(), wide.lanes, lane, lanes), what, rows, depth, lanes);
            if (!wide.knows_apart) continue;
            wide.run(entries, stream.panel, fixed.panel, lane, lanes, running.get(), lines.get(), apart);
            for (std::size_t j = 0; j < lanes; ++j)
                for (std::size_t r = 0; r < rows; ++r) sums.get()[r * wide.lanes + j] = lines.get()[j * apart + r];
            expect(equal(sums.get(), wide.lanes, lane, lanes), "lines of the kernel", rows, depth, lanes);
        }
    };
    check(kernel.wide, "the wide kernel");
    check(kernel.narrow, "the narrow kernel");
    check(kernel.brief, "the brief kernel");
    const auto sums = exactly<std::uint32_t>(rows);
    kernel.single(entries, stream.panel, fixed.panel, count - 1, sums.get());
    expect(equal(sums.get(), 1, count - 1, 1), "the single kernel", rows, depth, 1);
}

// The kernel for both passes of a signed operand that streams.
void check_paired(const std::uint16_t *entries, const axsim::WideKernel<std::uint16_t> &paired, std::size_t rows,
                  std::size_t depth, std::size_t count) {
    const Packed<std::uint8_t> stream(rows, 2 * depth, rows + count % 2);
    const Packed<std::uint16_t> fixed(count, 2 * depth, count + rows % 2);
    const auto byte = [&](std::size_t r, std::size_t k) -> std::uint8_t & {
        return stream.elements.get()[stream.panel.at(r, k) - stream.panel.elements];
    };
    std::vector<std::uint32_t> expected(rows * count, static_cast<std::uint32_t>(65535 * depth));
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t k = 0; k < depth; ++k) {
            const bool negative = engine() % 2 == 0 && byte(r, depth + k) != 0;
            byte(r, negative ? k : depth + k) = 0;
            for (std::size_t lane = 0; lane < count; ++lane) {
                const std::uint16_t *column = entries + *fixed.panel.at(lane, k) * kSide;
                const std::uint32_t entry = column[byte(r, negative ? depth + k : k)];
                expected[r * count + lane] += negative ? -entry : entry;
            }
        }
    const std::size_t apart = rows + 3;
    const auto running = exactly<std::uint64_t>(rows * paired.lanes / 3);
    const auto sums = exactly<std::uint32_t>(rows * paired.lanes), lines = exactly<std::uint32_t>(apart * paired.lanes);
    for (std::size_t lane = 0, lanes; lane < count; lane += lanes) {
        lanes = count - lane < paired.lanes ? count - lane : paired.lanes;
        paired.run(entries, stream.panel, fixed.panel, lane, lanes, running.get(), sums.get(), 0);
        paired.run(entries, stream.panel, fixed.panel, lane, lanes, running.get(), lines.get(), apart);
        bool equal = true;
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t j = 0; j < lanes; ++j)
                equal = equal && sums.get()[r * paired.lanes + j] == expected[r * count + lane + j] &&
                        lines.get()[j * apart + r] == expected[r * count + lane + j];
        expect(equal, "the paired kernel", rows, depth, lanes);
    }
}

void check_kernels(bool thorough) {
    const axsim::Table narrow(random_values(kNarrow).data()), wide(random_values(kWide).data());
    std::vector<std::int32_t> largest(kSide * kSide, 65535);  // sums as full as they can be
    largest[3 * kSide + 5] = 0;
    const axsim::Table most(largest.data());
    const auto each = [&](std::size_t rows, std::size_t depth, std::size_t count) {
        check_kernel(narrow.columns(false).entries<std::uint16_t>(), chosen->small, rows, depth, count);
        check_kernel(most.columns(true).entries<std::uint16_t>(), chosen->small, rows, depth, count);
        check_kernel(wide.columns(false).entries<std::int32_t>(), chosen->plain, rows, depth, count);
    };
    for (std::size_t rows : {1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 191, 192, 193, 255, 256, 257, 321, 513})
        for (std::size_t depth : {1, 4, 33, 130}) each(rows, depth, rows % 5 + 1);
    for (std::size_t depth : {2, 3, 5, 6, 7, 8, 31, 32, 63, 64, 65, 127, 128, 129, 255, 256, 257, 258, 385, 1100})
        each(70, depth, 3);
    for (std::size_t count = 1; count <= 26; ++count) each(66, 9, count);
    if (chosen->small.paired.run != nullptr)
        for (const axsim::Table *table : {&narrow, &most})
            for (std::size_t rows : {1, 17, 64, 65, 129, 200, 256, 257, 330})
                for (std::size_t depth : {4, 60, 64, 68, 132})
                    check_paired(table->columns(false).entries<std::uint16_t>(), chosen->small.paired, rows, depth,
                                 rows % 30 + 1);
    if (!thorough) return;
    for (std::size_t rows = 1; rows <= 300; ++rows) each(rows, rows % 13 + 1, 2);
    for (std::size_t depth = 1; depth <= 300; ++depth) each(65, depth, 2);
}

void check_products() {
    const std::size_t shapes[][3] = {{1, 1, 1},     {3, 5, 2},     {64, 64, 64}, {65, 3, 130},  {130, 70, 65},
                                     {300, 257, 9}, {9, 257, 300}, {1, 2049, 3}, {600, 2, 481}, {1100, 33, 30}};
    for (const Range range : {kNarrow, kSigned, kWide})
        for (const auto &[m, depth, n] : shapes)
            for (int threads : {1, 3}) {
                const std::vector<std::int32_t> values = random_values(range);
                const axsim::Table table(values.data());
                std::vector<std::uint8_t> a(m * depth), b(depth * n);
                for (std::uint8_t &byte : a) byte = random_byte();
                for (std::uint8_t &byte : b) byte = random_byte();
                const std::int64_t only = 0;
                const axsim::MatrixOperand<std::uint8_t> left(a.data(), &only, a.size(), depth, 1),
                    right(b.data(), &only, b.size(), 1, n);
                const axsim::Product<std::uint8_t> product{left, right, {m, m, 0, n}, {n, n, 0, 1}, 1, m * n, depth};
                std::vector<std::int64_t> out(m * n), expected(m * n);
                axsim::compute(product, table, out.data(), threads);
                for (std::size_t i = 0; i < m; ++i)
                    for (std::size_t k = 0; k < depth; ++k)
                        for (std::size_t j = 0; j < n; ++j)
                            expected[i * n + j] += values[a[i * depth + k] * kSide + b[k * n + j]];
                expect(out == expected, "the product", m, depth, n);
            }
}

const axsim::KernelSet *find(const std::string &name) {
    for (const axsim::KernelSet *set : {axsim::portable_kernels(), axsim::avx2_kernels(), axsim::avx512_kernels(),
                                        axsim::vbmi_kernels(), axsim::neon_kernels()})
        if (set != nullptr && name == set->name) return set;
    return nullptr;
}

}  // namespace

const axsim::KernelSet &axsim::kernels() { return *chosen; }

int main(int count, char **names) {
    bool thorough = false;
    for (int i = 1; i < count; ++i) {
        if (std::string(names[i]) == "--thorough") {
            thorough = true;
            continue;
        }
        chosen = find(names[i]);
        if (chosen == nullptr) {
            std::printf("there is no set of kernels named %s\n", names[i]);
            return 2;
        }
        const int before = checks;
        check_kernels(thorough);
        check_products();
        std::printf("%s: %d checks\n", chosen->name, checks - before);
    }
    std::printf("%d failures\n", failures);
    return failures == 0 && checks > 0 ? 0 : 1;
}
