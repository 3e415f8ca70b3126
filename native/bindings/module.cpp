// Python bindings: the module axsim._native, a file for each family of kernels.
#include <nanobind/nanobind.h>

#include "bindings/bindings.h"
#include "common/float_mode.h"

NB_MODULE(_native, m) {
    m.doc() = "Compiled kernels of axsim.";
    nanobind::set_leak_warnings(false);  // a daemon thread that the interpreter's end finds here keeps its arguments
    m.def("enter_float_mode", &axsim::enter_float_mode,
          "Set this thread's default floating-point mode; returns the mode that it had.");
    m.def("leave_float_mode", &axsim::set_float_mode, nanobind::arg("mode"), "Set this thread's floating-point mode.");
    axsim::bindings::lookup::add(m);
    axsim::bindings::factored::add(m);
    axsim::bindings::floating::add(m);
    axsim::bindings::prepared::add(m);
    axsim::bindings::quantise::add(m);
    axsim::bindings::weighted::add(m);
}
