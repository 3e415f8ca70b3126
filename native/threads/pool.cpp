#include "threads/pool.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <system_error>
#include <thread>

namespace axsim {
namespace {

using Clock = std::chrono::steady_clock;

// How long to look for the next event before sleeping until it: about what it takes to fall asleep and wake up.
constexpr auto kPatience = std::chrono::microseconds(30);

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Whether `holds` became true within kPatience.
template <class Condition>
bool soon(const Condition &holds) {
    const auto end = Clock::now() + kPatience;
    do {
        for (int i = 0; i < 32; ++i) {
            if (holds()) return true;
            pause();
        }
    } while (Clock::now() < end);
    return holds();
}

// Signals are for the threads of the program.
class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_;
};

}  // namespace

// One thread, which lives as long as the process. Its states: idle -> (caller) posted -> (thread) busy -> (thread)
// idle; and posted -> (caller) idle if the caller takes the work back before the thread has begun.
class Helper {
  public:
    // Throws std::system_error if the system gives no thread.
    Helper() {
        const SignalsBlocked blocked;
        std::thread([this] { work(); }).detach();
    }

    void post(void (*body)(void *), void *context) {
        body_ = body;
        context_ = context;
        set(State::posted);
    }

    // Takes the work back, or waits until it is done.
    void finish() {
        State posted = State::posted;
        if (state_.compare_exchange_strong(posted, State::idle, std::memory_order_relaxed)) return;
        wait_for(State::idle);
    }

  private:
    enum class State { idle, posted, busy };

    void work() {
        for (;;) {
            wait_for(State::posted);
            State posted = State::posted;
            if (!state_.compare_exchange_strong(posted, State::busy, std::memory_order_acquire)) continue;
            body_(context_);
            set(State::idle);
        }
    }

    void set(State state) {
        {
            const std::lock_guard<std::mutex> hold(lock_);
            state_.store(state, std::memory_order_release);
        }
        changed_.notify_one();  // caller and thread never both wait
    }

    void wait_for(State state) {
        const auto reached = [&] { return state_.load(std::memory_order_acquire) == state; };
        if (soon(reached)) return;
        std::unique_lock<std::mutex> hold(lock_);
        changed_.wait(hold, reached);
    }

    std::atomic<State> state_{State::idle};
    void (*body_)(void *) = nullptr;
    void *context_ = nullptr;
    std::mutex lock_;
    std::condition_variable changed_;
};

std::vector<Helper *> Pool::borrow(int count) {
    std::vector<Helper *> borrowed;
    const std::lock_guard<std::mutex> hold(lock_);
    for (int i = 0; i < count; ++i) {
        if (idle_.empty()) {
            try {
                borrowed.push_back(new Helper);
            } catch (const std::system_error &) {
                break;
            }
        } else {
            borrowed.push_back(idle_.back());
            idle_.pop_back();
        }
    }
    return borrowed;
}

void Pool::give_back(const std::vector<Helper *> &helpers) {
    const std::lock_guard<std::mutex> hold(lock_);
    idle_.insert(idle_.end(), helpers.rbegin(), helpers.rend());
}

void Pool::run_together(int helpers, void (*body)(void *), void *context) {
    const std::vector<Helper *> borrowed = borrow(helpers);
    for (Helper *helper : borrowed) helper->post(body, context);
    body(context);
    for (Helper *helper : borrowed) helper->finish();
    give_back(borrowed);
}

}  // namespace axsim
