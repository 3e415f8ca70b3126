// Python bindings: the module axsim._native, a file for each family of kernels.
#include <nanobind/nanobind.h>

#include "bindings/bindings.h"

NB_MODULE(_native, m) {
    m.doc() = "Compiled kernels of axsim.";
    axsim::bindings::lookup::add(m);
    axsim::bindings::factored::add(m);
    axsim::bindings::floating::add(m);
    axsim::bindings::quantise::add(m);
}
