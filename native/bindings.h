#pragma once
#include <nanobind/nanobind.h>

void bind_integer(nanobind::module_ &m);
