#include "threads/parallel.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <vector>

#include "common/float_mode.h"
#include "threads/team.h"

namespace axsim {

namespace {
std::atomic<std::size_t> helped{0};
}

// The tasks of a loop, shared out in advance: neighbours go to the same worker, who may reuse what it has prepared
// for them. Whoever is done with its share, or finds that nobody has begun with another, goes on with that.
class Shares {
  public:
    Shares(std::size_t tasks, int workers) : one_{}, many_(workers > 1 ? static_cast<std::size_t>(workers) : 0) {
        shares_ = workers > 1 ? many_.data() : &one_;
        count_ = workers > 1 ? many_.size() : 1;
        const std::size_t each = tasks / count_, longer = tasks % count_;
        std::size_t begin = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            shares_[i].next.store(begin, std::memory_order_relaxed);
            begin += each + (i < longer ? 1 : 0);
            shares_[i].end = begin;
        }
    }

    // The next task of `share`, or else of one after it; `share` becomes that one. False if none is left.
    bool take(std::size_t &share, std::size_t &task) {
        for (std::size_t seen = 0; seen < count_; ++seen) {
            task = shares_[share].next.fetch_add(1, std::memory_order_relaxed);
            if (task < shares_[share].end) return true;
            share = share + 1 < count_ ? share + 1 : 0;
        }
        return false;
    }

  private:
    struct alignas(64) Share {  // a cache line each
        std::atomic<std::size_t> next;
        std::size_t end;
    };
    Share one_;  // a worker alone asks for no memory
    std::vector<Share> many_;
    Share *shares_;
    std::size_t count_;
};

class Loop {
  public:
    Loop(std::size_t tasks, int workers, const Worker &worker) : worker_(worker), shares_(tasks, workers) {}

    void work() {
        const std::size_t place = arrived_.fetch_add(1, std::memory_order_relaxed);
        if (place != 0) helped.fetch_add(1, std::memory_order_relaxed);
        const DefaultFloatMode mode;  // also on threads that are not ours
        const Next next(*this, place);
        try {
            worker_.call(worker_.worker, next);
        } catch (...) {
            failed_.store(true, std::memory_order_relaxed);
            const std::lock_guard<std::mutex> hold(error_lock_);
            if (!error_) error_ = std::current_exception();
        }
    }
    bool take(std::size_t &share, std::size_t &task) {
        return !failed_.load(std::memory_order_relaxed) && shares_.take(share, task);
    }
    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    const Worker &worker_;
    Shares shares_;
    std::atomic<std::size_t> arrived_{0};
    std::atomic<bool> failed_{false};
    std::mutex error_lock_;
    std::exception_ptr error_;
};

bool Next::operator()(std::size_t &task) const { return loop_.take(share_, task); }

std::size_t helps() { return helped.load(std::memory_order_relaxed); }

void parallel_loop(std::size_t tasks, int workers, const Worker &worker) {
    if (workers < 1) workers = 1;
    Loop loop(tasks, workers, worker);
    if (workers == 1)
        loop.work();
    else
        run_together(workers - 1, [](void *data) { static_cast<Loop *>(data)->work(); }, &loop);
    loop.rethrow();
}

}  // namespace axsim
