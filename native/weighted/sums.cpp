#include "weighted/sums.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/arithmetic.h"
#include "common/scratch.h"
#include "threads/parallel.h"
#include "weighted/kernels.h"

namespace axsim::weighted {
namespace {

constexpr std::size_t kColumns = kPieces * kLanes;  // of a strip
constexpr std::size_t kTerms = 4;                   // whose strips are in use at a time: a block of g serves them all
constexpr std::size_t kTaskRows = 4096;             // of a task of sum_left: a line that was gathered serves so many
constexpr double kLookupsPerWorker = 3e5;           // about 0.1 ms, twice the cost of a thread

int worthwhile_workers(const Problem &p, int threads) {
    const double lookups = static_cast<double>(p.batch) * static_cast<double>(p.rows) * static_cast<double>(p.terms) *
                           static_cast<double>(p.columns);
    return static_cast<int>(std::clamp(lookups / kLookupsPerWorker, 1.0, static_cast<double>(std::max(threads, 1))));
}

// Table entries of one term and some columns, gathered when they are first asked for.
struct Strip {
    const std::uint16_t *index;
    const float *zero;
    float *lines;
    std::uint8_t *ready;
};

// The strips of up to kTerms terms.
class Strips {
  public:
    explicit Strips(const Problem &problem) : problem_(problem) {}

    // Of terms [first, first + count) of a batch, and columns [column, column + columns).
    void begin(std::size_t batch, std::size_t first, std::size_t count, std::size_t column, std::size_t columns) {
        const Problem &p = problem_;
        columns_ = columns;
        width_ = p.columns == 1 ? 1 : round_up(columns, kLanes);
        float *lines = lines_.of(kTerms * p.values * kColumns);
        std::uint8_t *ready = ready_.of(kTerms * p.values);
        std::memset(ready, 0, count * p.values);
        for (std::size_t t = 0; t < count; ++t)
            strips_[t] = {p.right + (batch * p.terms + first + t) * p.columns + column,
                          p.zero == nullptr ? nullptr : p.zero + batch * p.columns + column,
                          lines + t * p.values * kColumns, ready + t * p.values};
        operands_ = p.left.operands + p.left.origins[batch];
        terms_ = p.left.terms + first;
    }

    // The left operands of rows [row, row + count) for a term, whose lines are then there.
    void values(std::size_t term, std::size_t row, std::size_t count, std::uint16_t *to) const {
        const Strip &strip = strips_[term];
        const std::uint16_t *from = operands_ + terms_[term];
        const std::int64_t *rows = problem_.left.rows + row;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t value = to[i] = from[rows[i]];
            if (!strip.ready[value]) gather(strip, value);
        }
    }
    const float *lines(std::size_t term) const { return strips_[term].lines; }
    std::size_t width() const { return width_; }

  private:
    // One load for each entry: instructions that gather took longer on the one processor where it was measured (EPYC,
    // Zen 4).
    void gather(const Strip &strip, std::size_t value) const {
        const float *from = problem_.table + value * problem_.right_values;
        float *to = strip.lines + value * width_;
        strip.ready[value] = 1;
        for (std::size_t j = 0; j < columns_; ++j) to[j] = from[strip.index[j]];
        if (strip.zero != nullptr)
            for (std::size_t j = 0; j < columns_; ++j) to[j] -= strip.zero[j];
        std::fill(to + columns_, to + width_, 0.0F);
    }

    const Problem &problem_;
    Scratch<float> lines_;
    Scratch<std::uint8_t> ready_;
    Strip strips_[kTerms];
    std::size_t columns_ = 0, width_ = 0;
    const std::uint16_t *operands_ = nullptr;
    const std::int64_t *terms_ = nullptr;
};

// Calls each(column, columns) for the columns of each strip.
template <class Each>
void for_each_strip(const Problem &p, const Each &each) {
    for (std::size_t column = 0; column < p.columns; column += kColumns)
        each(column, std::min(kColumns, p.columns - column));
}

}  // namespace

std::size_t Problem::width() const { return columns == 1 ? 1 : round_up(columns, kLanes); }

void sum_left(const Problem &p, float *out, int threads) {
    if (p.batch == 0 || p.rows == 0 || p.terms == 0 || p.columns == 0) return;
    const Kernels &set = kernels();
    // Tasks share no element of out.
    const std::size_t terms = round_up(kTerms, p.left.together), rows = round_up(kTaskRows, p.left.joint);
    const std::size_t term_tasks = ceil_div(p.terms, terms), row_tasks = ceil_div(p.rows, rows);
    const std::size_t width = p.width();
    const auto one = [&](Strips &strips, std::size_t task) {
        const std::size_t batch = task / (term_tasks * row_tasks);
        const std::size_t first_term = task / row_tasks % term_tasks * terms, first_row = task % row_tasks * rows;
        const std::size_t last_term = std::min(p.terms, first_term + terms),
                          last_row = std::min(p.rows, first_row + rows);
        std::uint16_t values[kBlock];
        float sums[kBlock];
        for_each_strip(p, [&](std::size_t column, std::size_t columns) {
            for (std::size_t term = first_term; term < last_term; term += kTerms) {
                const std::size_t count = std::min(kTerms, last_term - term);
                strips.begin(batch, term, count, column, columns);
                for (std::size_t row = first_row; row < last_row; row += kBlock) {
                    const std::size_t block = std::min(kBlock, last_row - row);
                    const float *g = p.g + (batch * p.rows + row) * width + column;
                    for (std::size_t t = 0; t < count; ++t) {
                        strips.values(t, row, block, values);
                        const float *lines = strips.lines(t);
                        if (width == 1)
                            for (std::size_t i = 0; i < block; ++i) sums[i] = g[i] * lines[values[i]];
                        else
                            set.dots[strips.width() / kLanes - 1](g, width, values, lines, block, sums);
                        float *to = out + p.left.origins[batch] + p.left.terms[term + t];
                        for (std::size_t i = 0; i < block; ++i) to[p.left.rows[row + i]] += sums[i];
                    }
                }
            }
        });
    };
    parallel_for(p.batch * term_tasks * row_tasks, worthwhile_workers(p, threads), [&](const Next &next) {
        Strips strips(p);
        for (std::size_t task; next(task);) one(strips, task);
    });
}

void sum_right(const Problem &p, float *out, int threads) {
    if (p.batch == 0 || p.terms == 0 || p.columns == 0) return;
    const Kernels &set = kernels();
    const std::size_t term_tasks = ceil_div(p.terms, kTerms), strip_tasks = ceil_div(p.columns, kColumns);
    const std::size_t width = p.width();
    const auto one = [&](Strips &strips, std::size_t task) {
        const std::size_t batch = task / (term_tasks * strip_tasks);
        const std::size_t term = task / strip_tasks % term_tasks * kTerms, column = task % strip_tasks * kColumns;
        const std::size_t count = std::min(kTerms, p.terms - term), columns = std::min(kColumns, p.columns - column);
        std::uint16_t values[kBlock];
        float sums[kColumns];
        double totals[kTerms][kColumns] = {};
        strips.begin(batch, term, count, column, columns);
        for (std::size_t row = 0; row < p.rows; row += kBlock) {
            const std::size_t block = std::min(kBlock, p.rows - row);
            const float *g = p.g + (batch * p.rows + row) * width + column;
            for (std::size_t t = 0; t < count; ++t) {
                strips.values(t, row, block, values);
                const float *lines = strips.lines(t);
                if (width == 1) {
                    sums[0] = 0;
                    for (std::size_t i = 0; i < block; ++i) sums[0] += g[i] * lines[values[i]];
                } else {
                    set.columns[strips.width() / kLanes - 1](g, width, values, lines, block, sums);
                }
                for (std::size_t j = 0; j < columns; ++j) totals[t][j] += double{sums[j]};
            }
        }
        for (std::size_t t = 0; t < count; ++t)
            for (std::size_t j = 0; j < columns; ++j)
                out[(batch * p.terms + term + t) * p.columns + column + j] = static_cast<float>(totals[t][j]);
    };
    parallel_for(p.batch * term_tasks * strip_tasks, worthwhile_workers(p, threads), [&](const Next &next) {
        Strips strips(p);
        for (std::size_t task; next(task);) one(strips, task);
    });
}

}  // namespace axsim::weighted
