// A parallel loop over numbered tasks.
#pragma once
#include <cstddef>
#include <memory>
#include <type_traits>

namespace axsim {

class Loop;

// Hands a worker its tasks, in rising order where it is alone.
class Next {
  public:
    Next(Loop &loop, std::size_t share) : loop_(loop), share_(share) {}
    // False if no task is left, or a worker has failed.
    bool operator()(std::size_t &task) const;

  private:
    Loop &loop_;
    mutable std::size_t share_;
};

// A call of worker(next), whatever type the worker has: loops are compiled once, not for every worker.
struct Worker {
    void (*call)(const void *worker, const Next &next);
    const void *worker;

    template <class Function>
    static Worker of(const Function &function) {
        return {[](const void *worker, const Next &next) { (*static_cast<const Function *>(worker))(next); },
                std::addressof(function)};
    }
};

// How often, in this process, a second thread or a later one has begun to work in a loop.
std::size_t helps();

void parallel_loop(std::size_t tasks, int workers, const Worker &worker);

// Calls worker(next) on up to `workers` threads, the calling one included. Each worker takes task numbers from
// next() until it returns false. The first exception thrown by a worker stops the others at their next task and is
// rethrown here.
template <class Function>
void parallel_for(std::size_t tasks, int workers, const Function &worker) {
    parallel_loop(tasks, workers, Worker::of(worker));
}

}  // namespace axsim
