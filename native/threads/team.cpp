#include "threads/team.h"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "threads/pool.h"

namespace axsim {
namespace {

// What a forked child must not use: the threads behind it stayed with the parent.
struct Shared {
    std::atomic<Pool *> pool{nullptr};  // made when needed, never destroyed: its threads outlive static objects
    std::atomic<int> lent{0};           // helpers at work
    std::atomic<bool> forked{false};
};
Shared shared;

void after_fork_in_child() {
    shared.pool.store(nullptr);
    shared.lent.store(0);
    shared.forked.store(true);
}
const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);

Pool &pool() {
    Pool *pool = shared.pool.load(std::memory_order_acquire);
    if (pool == nullptr) {
        Pool *const made = new Pool;
        if (shared.pool.compare_exchange_strong(pool, made, std::memory_order_acq_rel)) return *made;
        delete made;  // another thread was faster: `pool` is its
    }
    return *pool;
}

// An OpenMP runtime keeps its threads spinning for milliseconds after each of its parallel loops, on the very
// cores that helpers need. So where one is loaded for all to see (torch does so), its threads are the helpers: those
// that spin begin at once. All runtimes in use (GCC's, LLVM's, Intel's) have this entry point of GCC's.
struct OpenMp {
    void (*parallel)(void (*)(void *), void *, unsigned threads, unsigned flags);
    int (*max_threads)();
};

OpenMp openmp() {
    if (shared.forked.load(std::memory_order_relaxed)) return {nullptr, nullptr};
    static std::atomic<void *> parallel{nullptr}, max_threads{nullptr};  // looked for until found
    if (parallel.load(std::memory_order_acquire) == nullptr) {
        max_threads.store(dlsym(RTLD_DEFAULT, "omp_get_max_threads"), std::memory_order_relaxed);
        parallel.store(dlsym(RTLD_DEFAULT, "GOMP_parallel"), std::memory_order_release);
    }
    OpenMp found{};
    found.parallel = reinterpret_cast<decltype(found.parallel)>(parallel.load(std::memory_order_acquire));
    found.max_threads = reinterpret_cast<decltype(found.max_threads)>(max_threads.load(std::memory_order_relaxed));
    if (found.max_threads == nullptr) found.parallel = nullptr;
    return found;
}

struct OpenMpCall {
    void (*body)(void *);
    void *context;
    std::atomic<int> places;
};

// A runtime ends threads for which a team has no place, and makes them anew for the next large one; so the team
// is as large as its other users have it, and those threads that have no place here return at once.
void run_together(const OpenMp &runtime, int helpers, void (*body)(void *), void *context) {
    OpenMpCall call{body, context, {helpers + 1}};
    const auto join = [](void *data) {
        auto &own = *static_cast<OpenMpCall *>(data);
        if (own.places.fetch_sub(1, std::memory_order_relaxed) > 0) own.body(own.context);
    };
    runtime.parallel(join, &call, static_cast<unsigned>(std::max(helpers + 1, runtime.max_threads())), 0);
}

// Helpers at work in all calls: no more than there are other processors, or than one call alone asks for.
class Loan {
  public:
    explicit Loan(int wanted) {
        const int processors = static_cast<int>(std::thread::hardware_concurrency());
        const int limit = std::max(wanted, processors - 1);
        int lent = shared.lent.load(std::memory_order_relaxed);
        do size_ = std::clamp(limit - lent, 0, wanted);
        while (!shared.lent.compare_exchange_weak(lent, lent + size_, std::memory_order_relaxed));
    }
    ~Loan() { shared.lent.fetch_sub(size_, std::memory_order_relaxed); }
    Loan(const Loan &) = delete;
    Loan &operator=(const Loan &) = delete;

    int size() const { return size_; }

  private:
    int size_;
};

}  // namespace

void run_together(int helpers, void (*body)(void *), void *context) {
    const Loan loan(helpers);
    if (loan.size() == 0)
        body(context);
    else if (const OpenMp runtime = openmp(); runtime.parallel != nullptr)
        run_together(runtime, loan.size(), body, context);
    else
        pool().run_together(loan.size(), body, context);
}

const char *helpers_source() { return openmp().parallel != nullptr ? "OpenMP" : "own"; }

}  // namespace axsim
