// Threads that help a calling thread. Other callers have helpers of their own: nobody waits for anybody's.
#pragma once

namespace axsim {

// Calls body(context) on this thread and, at the same time, once on each of up to `helpers` others; returns when
// every call has. There are fewer helpers where other callers have them already, where the system gives no more
// threads, and where this thread is done before one of them wakes up. body must not throw.
void run_together(int helpers, void (*body)(void *), void *context);

// Where helpers come from now: "OpenMP" where a runtime is loaded (by torch, say) whose own threads can be
// lent, else "own".
const char *helpers_source();

}  // namespace axsim
