#pragma once
#include <nanobind/nanobind.h>

// One function for each family of kernels.
namespace axsim::bindings {

namespace lookup {
void add(nanobind::module_ &m);
}
namespace factored {
void add(nanobind::module_ &m);
}
namespace floating {
void add(nanobind::module_ &m);
}
namespace prepared {
void add(nanobind::module_ &m);
}
namespace quantise {
void add(nanobind::module_ &m);
}
namespace weighted {
void add(nanobind::module_ &m);
}

}  // namespace axsim::bindings
