// A parallel loop over numbered tasks.
#pragma once
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

#include "team.h"

namespace axsim {

// The tasks of a loop, shared out in advance: neighbours go to the same worker, who may reuse what it has prepared
// for them. Whoever is done with its share, or finds that nobody has begun with another, goes on with that.
class Shares {
  public:
    Shares(std::size_t tasks, int workers) : shares_(static_cast<std::size_t>(workers)) {
        const std::size_t count = shares_.size(), each = tasks / count, longer = tasks % count;
        std::size_t begin = 0;
        for (std::size_t i = 0; i < count; ++i) {
            shares_[i].next.store(begin, std::memory_order_relaxed);
            begin += each + (i < longer ? 1 : 0);
            shares_[i].end = begin;
        }
    }

    // The next task of `share`, or else of one after it; `share` becomes that one. False if none is left.
    bool take(std::size_t &share, std::size_t &task) {
        for (std::size_t seen = 0; seen < shares_.size(); ++seen) {
            task = shares_[share].next.fetch_add(1, std::memory_order_relaxed);
            if (task < shares_[share].end) return true;
            share = share + 1 < shares_.size() ? share + 1 : 0;
        }
        return false;
    }

  private:
    struct alignas(64) Share {  // a cache line each
        std::atomic<std::size_t> next;
        std::size_t end;
    };
    std::vector<Share> shares_;
};

// Calls worker(next) on up to `workers` threads, the calling one included. Each worker takes task numbers from
// next() until it returns false; one worker alone gets them in rising order. The first exception thrown by a worker
// stops the others at their next task and is rethrown here.
template <class Worker>
void parallel_for(std::size_t tasks, int workers, const Worker &worker) {
    struct Loop {
        const Worker &worker;
        Shares shares;
        std::atomic<std::size_t> arrived{0};
        std::atomic<bool> failed{false};
        std::mutex error_lock;
        std::exception_ptr error;

        void work() {
            std::size_t share = arrived.fetch_add(1, std::memory_order_relaxed);
            const auto next = [&](std::size_t &task) {
                return !failed.load(std::memory_order_relaxed) && shares.take(share, task);
            };
            try {
                worker(next);
            } catch (...) {
                failed.store(true, std::memory_order_relaxed);
                const std::lock_guard<std::mutex> hold(error_lock);
                if (!error) error = std::current_exception();
            }
        }
    };

    if (workers < 1) workers = 1;
    Loop loop{worker, {tasks, workers}, {}, {}, {}, {}};
    if (workers == 1)
        loop.work();
    else
        run_together(workers - 1, [](void *data) { static_cast<Loop *>(data)->work(); }, &loop);
    if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace axsim
