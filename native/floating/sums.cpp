#include "floating/sums.h"

#include <algorithm>

#include "floating/plan.h"
#include "threads/parallel.h"

namespace axsim::floating {

void compute(const Problem &problem, const Result &result, int threads) {
    if (problem.empty()) return;
    const Plan plan = make_plan(problem, result, threads);
    parallel_for(plan.tiles(), plan.workers, [&](const Next &next) {
        FormScratch forms;
        SegmentScratch segments;
        for (std::size_t task; next(task);) {
            const Part piece = part(plan, task);
            if (problem.multiplier.segments() > 0)
                compute_segment_part(plan, piece, segments);
            else
                compute_form_part(plan, piece, forms);
        }
    });
}

}  // namespace axsim::floating
