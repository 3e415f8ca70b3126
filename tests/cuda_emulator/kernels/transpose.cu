// Tiles are read by rows and written by columns through shared memory: a kernel with everything that a launch
// has, to try runtimes with. Bound by memory; the column more than TILE avoids bank conflicts.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    transpose(const int32* __restrict__ in, int32* __restrict__ out, int32 rows, int32 columns)
{
    AXSIM_SHARED(int32, tile, TILE*(TILE + 1));
    const int32 x = static_cast<int32>(threadIdx.x), y = static_cast<int32>(threadIdx.y);
    const int32 row = static_cast<int32>(blockIdx.y) * TILE, column = static_cast<int32>(blockIdx.x) * TILE;
    if (row + y < rows && column + x < columns) tile[y * (TILE + 1) + x] = in[(row + y) * columns + column + x];
    __syncthreads();
    if (column + y < columns && row + x < rows) out[(column + y) * rows + row + x] = tile[x * (TILE + 1) + y];
}
