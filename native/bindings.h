#pragma once
#include <nanobind/nanobind.h>

void bind_integer(nanobind::module_ &m);
void bind_quantise(nanobind::module_ &m);
void bind_floating(nanobind::module_ &m);
void bind_gemm(nanobind::module_ &m);
