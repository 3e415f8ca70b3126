#include "float_sums.h"

#include <algorithm>

#include "float_plan.h"
#include "parallel.h"

namespace axsim::floating {

void compute(const Problem &problem, double *out, int threads) {
    if (problem.batch == 0 || problem.left_axis.size == 0 || problem.right_axis.size == 0) return;
    if (problem.depth == 0) {
        std::fill(out, out + problem.batch * problem.left_axis.size * problem.right_axis.size, 0.0);
        return;
    }
    const Plan plan = make_plan(problem, threads);
    parallel_for(plan.tiles(), plan.workers, [&](const auto &next) {
        const DefaultFloatMode mode;
        FormScratch forms;
        SegmentScratch segments;
        for (std::size_t task; next(task);) {
            const Part piece = part(plan, task);
            double *to = out + piece.batch * problem.batch_stride;
            if (problem.multiplier.segments() > 0)
                compute_segment_part(plan, piece, segments, to);
            else
                compute_form_part(plan, piece, forms, to);
        }
    });
}

}  // namespace axsim::floating
