#include "floating/sums.h"

#include <algorithm>

#include "floating/plan.h"
#include "threads/parallel.h"

namespace axsim::floating {

void compute(const Problem &problem, double *out, int threads) {
    if (problem.empty()) return;
    if (problem.depth == 0) {
        std::fill(out, out + problem.size(), 0.0);
        return;
    }
    const Plan plan = make_plan(problem, threads);
    parallel_for(plan.tiles(), plan.workers, [&](const Next &next) {
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
