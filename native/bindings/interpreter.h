// The interpreter's lock, given back while kernels run.
#pragma once
#include <Python.h>
#include <cxxabi.h>
#include <unistd.h>

namespace axsim {

// As nanobind's gil_scoped_release, but safe in a daemon thread. When the interpreter ends, it ends a thread that asks
// for its lock by pthread_exit: an exception that would have to pass through this destructor, through nanobind's
// functions and through Python's, which abort the process on it. Such a thread sleeps here until the process is gone.
class InterpreterReleased {
  public:
    InterpreterReleased() : state_(PyEval_SaveThread()) {}
    ~InterpreterReleased() {
        try {
            PyEval_RestoreThread(state_);
        } catch (const abi::__forced_unwind &) {
            for (;;) pause();
        }
    }
    InterpreterReleased(const InterpreterReleased &) = delete;
    InterpreterReleased &operator=(const InterpreterReleased &) = delete;

  private:
    PyThreadState *state_;
};

}  // namespace axsim
