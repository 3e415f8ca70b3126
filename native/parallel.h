// A parallel loop over numbered tasks. Threads live for one call only: nothing survives a fork, and nothing
// competes with another library's pool.
#pragma once
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace axsim {

// Calls worker(next) on `workers` threads, the calling one included. Each worker takes task numbers from
// next(), in rising order, until it returns false, so a slow core takes fewer. The first exception thrown by
// a worker stops the others at their next task and is rethrown here.
template <class Worker>
void parallel_for(std::size_t tasks, int workers, const Worker &worker) {
    std::atomic<std::size_t> counter{0};
    std::exception_ptr error;
    std::mutex error_lock;

    const auto next = [&](std::size_t &task) {
        task = counter.fetch_add(1, std::memory_order_relaxed);
        return task < tasks;
    };
    const auto guarded = [&] {
        try {
            worker(next);
        } catch (...) {
            counter.store(tasks, std::memory_order_relaxed);
            const std::lock_guard<std::mutex> hold(error_lock);
            if (!error) error = std::current_exception();
        }
    };

    std::vector<std::thread> threads;
    threads.reserve(workers > 1 ? static_cast<std::size_t>(workers - 1) : 0);
    for (int i = 1; i < workers; ++i) {
        try {
            threads.emplace_back(guarded);
        } catch (const std::system_error &) {
            break;  // the system gives no more threads: those that run take every task
        }
    }
    guarded();
    for (std::thread &thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace axsim
