// Python bindings: the module axsim._native. Each kernel file binds its own functions.
#include <nanobind/nanobind.h>

#include "bindings.h"

NB_MODULE(_native, m) {
    m.doc() = "Compiled kernels of axsim.";
    bind_integer(m);
    bind_quantise(m);
    bind_floating(m);
    bind_gemm(m);
}
