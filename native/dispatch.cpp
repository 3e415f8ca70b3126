// Chooses the kernels. The portable ones run everywhere.
#include "kernels.h"

namespace axsim {

const KernelSet &kernels() { return portable_kernels(); }

}  // namespace axsim
