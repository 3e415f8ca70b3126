// Runs the threads of a block as fibres, one at a time, in a random order between barriers.
//
// A fibre is entered once through ucontext, which makes its stack; from then on _setjmp and _longjmp switch,
// which unlike swapcontext make no system call. Fibres are kept from block to block and launch to launch.
#include "emulator.h"

#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

emulator::Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {
namespace {

constexpr unsigned warp_size = 32;
constexpr std::size_t stack_bytes = 128 << 10;
constexpr std::size_t guard_bytes = 64;
constexpr std::size_t array_alignment = 256;  // of cudaMalloc, and of CuPy's and torch's pools

std::size_t page_size()
{
    static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

std::size_t round_up(std::size_t n, std::size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Pages of memory between two pages that must not be touched.
class Pages {
public:
    explicit Pages(std::size_t bytes)
        : size_(round_up(bytes ? bytes : 1, page_size())),
          whole_(static_cast<unsigned char*>(mmap(nullptr, size_ + 2 * page_size(), PROT_NONE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)))
    {
        if (whole_ == MAP_FAILED || mprotect(begin(), size_, PROT_READ | PROT_WRITE)) {
            std::perror("emulator: no memory");
            std::abort();
        }
    }
    Pages(Pages&& other) noexcept : size_(other.size_), whole_(other.whole_) { other.whole_ = nullptr; }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    Pages& operator=(Pages&&) = delete;
    ~Pages()
    {
        if (whole_) munmap(whole_, size_ + 2 * page_size());
    }

    unsigned char* begin() const { return whole_ + page_size(); }
    unsigned char* end() const { return begin() + size_; }
    bool contains(const unsigned char* p) const { return p >= begin() && p < end(); }
    void protect() const { mprotect(begin(), size_, PROT_READ); }
    // The distance from the pages of an address in a guard page; 0 if it is in neither.
    std::ptrdiff_t overrun(const unsigned char* address) const
    {
        if (address >= end() && address < end() + page_size()) return address - end() + 1;
        return address < begin() && address >= whole_ ? address - begin() : 0;
    }

private:
    std::size_t size_;
    unsigned char* whole_;
};

// Where the device sees an array: it ends as near to the guard page as its alignment allows.
struct Placed {
    Array* array;
    Pages pages;

    explicit Placed(Array* a) : array(a), pages(a->bytes + array_alignment)
    {
        // The address keeps its remainder modulo 16, the widest access.
        const std::size_t wanted = a->misalignment % 16;
        unsigned char* start = pages.end() - a->bytes;
        start -= (reinterpret_cast<std::uintptr_t>(start) - wanted) % 16;
        a->address = start;
        std::memcpy(start, a->host, a->bytes);
        if (a->read_only) pages.protect();
    }
};

enum class State { ready, at_block_barrier, at_warp_barrier, finished };

struct Fibre {
    ucontext_t first;
    std::jmp_buf context;
    bool entered = false;
    State state = State::finished;
    Index index{};
    const char* file = nullptr;
    int line = 0;
    unsigned mask = 0;
    std::uint64_t given = 0;
    std::unique_ptr<Pages> stack;
};

// Who accessed a byte of shared memory last, for races: two accesses by different threads, one of them a
// write, with no barrier between them.
struct Access {
    std::uint32_t epoch = 0, warp_epoch = 0;  // at the time, of the block and of the thread's warp
    std::uint16_t thread = 0, warp = 0;
};
constexpr std::uint16_t several = 0xFFFF;

struct History {
    Access write, read;
};

struct SharedArray {
    const void* key;
    const char* name;
    unsigned char* begin;
    std::size_t bytes;
};

struct Machine {
    LaunchSettings settings{};
    Body body = nullptr;
    void** arguments = nullptr;
    std::vector<Placed> placed;

    std::vector<Fibre> fibres;
    unsigned running = 0;
    std::jmp_buf scheduler;
    std::uint64_t random = 1;

    std::vector<SharedArray> shared;
    std::unique_ptr<Pages> static_shared, dynamic_shared;
    unsigned char* dynamic_begin = nullptr;
    std::size_t static_bytes = 0;

    std::vector<History> static_history, dynamic_history;
    std::uint32_t epoch = 0;  // counts the barriers of all blocks of all launches
    std::vector<std::uint32_t> warp_epochs;
    bool atomic = false;

    sigjmp_buf failure;
    bool in_block = false;
    char message[1024] = "";
    const void* culprit = nullptr;
} machine;

std::uint64_t next_random()
{
    // splitmix64
    std::uint64_t z = machine.random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

unsigned threads() { return blockDim.x * blockDim.y * blockDim.z; }

void to_scheduler()
{
    Fibre& self = machine.fibres[machine.running];
    if (!_setjmp(self.context)) _longjmp(machine.scheduler, 1);
}

void fibre_main()
{
    for (;;) {
        machine.body(machine.arguments);
        machine.fibres[machine.running].state = State::finished;
        to_scheduler();
    }
}

void resume(unsigned i)
{
    machine.running = i;
    Fibre& fibre = machine.fibres[i];
    threadIdx = fibre.index;
    if (_setjmp(machine.scheduler)) return;
    if (fibre.entered) _longjmp(fibre.context, 1);
    fibre.entered = true;
    setcontext(&fibre.first);
}

void make_fibres()
{
    while (machine.fibres.size() < threads()) {
        machine.fibres.emplace_back();
        machine.fibres.back().stack = std::make_unique<Pages>(stack_bytes);
    }
    for (Fibre& fibre : machine.fibres) {
        if (fibre.entered) continue;
        getcontext(&fibre.first);
        fibre.first.uc_stack.ss_sp = fibre.stack->begin();
        fibre.first.uc_stack.ss_size = stack_bytes;
        fibre.first.uc_link = nullptr;
        makecontext(&fibre.first, fibre_main, 0);
    }
}

void wait(State state, unsigned mask, const char* file, int line)
{
    Fibre& self = machine.fibres[machine.running];
    self.state = state;
    self.mask = mask;
    self.file = file;
    self.line = line;
    to_scheduler();
}

void begin_block()
{
    const auto poison = static_cast<unsigned char>(next_random() | 1);
    machine.shared.clear();
    machine.static_bytes = 0;
    const std::size_t dynamic = machine.settings.dynamic_shared;
    if (machine.dynamic_begin) std::memset(machine.dynamic_begin, poison, dynamic);
    ++machine.epoch;
    machine.warp_epochs.assign(threads() / warp_size + 1, 0);
    machine.dynamic_history.resize(machine.dynamic_begin ? machine.dynamic_shared->end() - machine.dynamic_begin : 0);
    unsigned i = 0;
    for (unsigned z = 0; z < blockDim.z; ++z)
        for (unsigned y = 0; y < blockDim.y; ++y)
            for (unsigned x = 0; x < blockDim.x; ++x) {
                machine.fibres[i].index = {x, y, z};
                machine.fibres[i].state = State::ready;
                ++i;
            }
}

// Whether a barrier stands between an access and what the running thread does now.
bool ordered(const Access& access)
{
    const auto warp = static_cast<std::uint16_t>(machine.running / warp_size);
    return access.epoch != machine.epoch || access.thread == machine.running ||
           (access.warp == warp && access.warp_epoch != machine.warp_epochs[warp]);
}

void check_race(History* history, std::size_t count, bool write, const void* culprit)
{
    const auto warp = static_cast<std::uint16_t>(machine.running / warp_size);
    const auto thread = static_cast<std::uint16_t>(machine.running);
    const Access now{machine.epoch, machine.warp_epochs[warp], thread, warp};
    for (History* byte = history; byte != history + count; ++byte) {
        const bool after_write = !ordered(byte->write), after_read = write && !ordered(byte->read);
        if (after_write || after_read) {
            machine.culprit = culprit;
            const Access& other = after_write ? byte->write : byte->read;
            char who[80] = "several threads";
            if (other.thread != several) {
                const Index& index = machine.fibres[other.thread].index;
                std::snprintf(who, sizeof who, "thread (%u, %u, %u)", index.x, index.y, index.z);
            }
            fail("race in shared memory: %s what %s %s, no barrier between", write ? "writes" : "reads", who,
                 after_write ? "wrote" : "read");
        }
        if (write) {
            byte->write = now;
        } else if (byte->read.epoch == now.epoch && byte->read.thread != thread) {
            byte->read.thread = several;
            byte->read.warp_epoch = now.warp_epoch;
            if (byte->read.warp != warp) byte->read.warp = several;
        } else {
            byte->read = now;
        }
    }
}

bool within(const unsigned char* p, std::size_t bytes, const unsigned char* begin, std::size_t size)
{
    return p >= begin && p + bytes <= begin + size;
}

// Every access that a kernel makes to memory, just before it is made.
void on_access(const void* address, std::size_t bytes, bool write, const void* culprit)
{
    if (!machine.in_block) return;
    const auto* p = static_cast<const unsigned char*>(address);
    const LaunchSettings& settings = machine.settings;
    History* history = nullptr;
    if (machine.static_shared && machine.static_shared->contains(p)) {
        for (const SharedArray& array : machine.shared)
            if (within(p, bytes, array.begin, array.bytes))
                history = &machine.static_history[p - machine.static_shared->begin()];
        machine.culprit = culprit;
        if (!history) fail("access between shared arrays");
    } else if (machine.dynamic_begin && machine.dynamic_shared->contains(p)) {
        machine.culprit = culprit;
        if (!within(p, bytes, machine.dynamic_begin, settings.dynamic_shared))
            fail("access outside the %zu bytes of dynamic shared memory", settings.dynamic_shared);
        history = &machine.dynamic_history[p - machine.dynamic_begin];
    } else {
        for (std::size_t i = 0; i < machine.placed.size(); ++i) {
            const Placed& placed = machine.placed[i];
            if (!placed.pages.contains(p)) continue;
            const auto* start = static_cast<const unsigned char*>(placed.array->address);
            machine.culprit = culprit;
            if (!within(p, bytes, start, placed.array->bytes))
                fail("access outside array argument %zu: byte %td of %zu", i, p - start, placed.array->bytes);
            return;
        }
    }
    if (history && !machine.atomic) check_race(history, bytes, write, culprit);
}

const char* describe(const Fibre& fibre, char (&text)[160])
{
    if (fibre.state == State::finished) std::snprintf(text, sizeof text, "ended");
    else
        std::snprintf(text, sizeof text, "waits at %s:%d%s", fibre.file, fibre.line,
                      fibre.state == State::at_warp_barrier ? " for its warp" : "");
    return text;
}

[[noreturn]] void diverged(unsigned i, unsigned j)
{
    char one[160], other[160];
    const Fibre &a = machine.fibres[i], &b = machine.fibres[j];
    fail("barrier that not all threads reach: thread (%u, %u, %u) %s, but thread (%u, %u, %u) %s", a.index.x,
         a.index.y, a.index.z, describe(a, one), b.index.x, b.index.y, b.index.z, describe(b, other));
}

// Lets go the warps all of whose named threads have arrived; whether there were any.
bool release_warps()
{
    bool any = false;
    const unsigned count = threads();
    for (unsigned first = 0; first < count; first += warp_size) {
        for (unsigned i = first; i < count && i < first + warp_size; ++i) {
            const Fibre& waiting = machine.fibres[i];
            if (waiting.state != State::at_warp_barrier) continue;
            bool all = true;
            for (unsigned l = 0; l < warp_size && first + l < count; ++l) {
                if (!(waiting.mask >> l & 1)) continue;
                const Fibre& other = machine.fibres[first + l];
                all = all && other.state == State::at_warp_barrier && other.mask == waiting.mask &&
                      other.line == waiting.line;
            }
            if (!all) continue;
            const unsigned mask = waiting.mask;
            ++machine.warp_epochs[first / warp_size];
            for (unsigned l = 0; l < warp_size && first + l < count; ++l)
                if (mask >> l & 1) machine.fibres[first + l].state = State::ready;
            any = true;
        }
    }
    return any;
}

void run_block()
{
    begin_block();
    machine.in_block = true;
    const unsigned count = threads();
    std::vector<unsigned> order(count);
    for (;;) {
        unsigned ready = 0;
        for (unsigned i = 0; i < count; ++i)
            if (machine.fibres[i].state == State::ready) order[ready++] = i;
        for (unsigned i = ready; i > 1; --i) {
            const auto j = static_cast<unsigned>(next_random() % i);
            std::swap(order[i - 1], order[j]);
        }
        for (unsigned i = 0; i < ready; ++i) resume(order[i]);
        if (release_warps()) continue;
        const Fibre& one = machine.fibres[0];
        for (unsigned i = 1; i < count; ++i) {
            const Fibre& other = machine.fibres[i];
            if (other.state != one.state || (one.state != State::finished && other.line != one.line))
                diverged(0, i);
        }
        if (one.state == State::finished) break;
        ++machine.epoch;
        if (one.state == State::at_warp_barrier) fail("threads of a warp wait for threads that are not there");
        for (unsigned i = 0; i < count; ++i) machine.fibres[i].state = State::ready;
    }
    machine.in_block = false;
}

// The address behind the first byte of the instruction at fault.
const void* program_counter(const void* context)
{
    const auto& machine_context = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return reinterpret_cast<const void*>(machine_context.gregs[REG_RIP] + 1);
#elif defined(__aarch64__)
    return reinterpret_cast<const void*>(machine_context.pc + 1);
#else
    return nullptr;
#endif
}

void on_signal(int number, siginfo_t* info, void* context)
{
    machine.culprit = program_counter(context);
    const auto* address = static_cast<const unsigned char*>(info->si_addr);
    if (number == SIGSEGV) {
        for (std::size_t i = 0; i < machine.placed.size(); ++i) {
            const Placed& placed = machine.placed[i];
            if (placed.pages.overrun(address))
                fail("access outside array argument %zu: byte %td of %zu", i,
                     address - static_cast<unsigned char*>(placed.array->address), placed.array->bytes);
            if (address >= placed.pages.begin() && address < placed.pages.end())
                fail("write to array argument %zu, which is read-only", i);
        }
        if (machine.dynamic_shared && machine.dynamic_shared->overrun(address))
            fail("access outside the %zu bytes of dynamic shared memory", machine.settings.dynamic_shared);
        for (const Fibre& fibre : machine.fibres)
            if (fibre.stack->overrun(address)) fail("local arrays of a thread fill its stack");
        fail("access to address %p, which is in no array", info->si_addr);
    }
    fail("signal %d at %p", number, info->si_addr);
}

constexpr int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

class Handlers {
public:
    Handlers() : stack_(64 << 10)
    {
        stack_t own{};
        own.ss_sp = stack_.begin();
        own.ss_size = stack_.end() - stack_.begin();
        sigaltstack(&own, &old_stack_);
        struct sigaction action {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        for (int i = 0; i < 4; ++i) sigaction(signals[i], &action, &old_[i]);
    }
    ~Handlers()
    {
        for (int i = 0; i < 4; ++i) sigaction(signals[i], &old_[i], nullptr);
        sigaltstack(&old_stack_, nullptr);
    }
    Handlers(const Handlers&) = delete;
    Handlers& operator=(const Handlers&) = delete;

private:
    Pages stack_;
    stack_t old_stack_{};
    struct sigaction old_[4];
};

}  // namespace

void fail(const char* format, ...)
{
    const int used = std::snprintf(machine.message, sizeof machine.message,
                                   "thread (%u, %u, %u) of block (%u, %u, %u): ", threadIdx.x, threadIdx.y,
                                   threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z);
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(machine.message + used, sizeof machine.message - used, format, arguments);
    va_end(arguments);
    siglongjmp(machine.failure, 1);
}

void* shared_array(const void* key, std::size_t bytes, std::size_t alignment, const char* name)
{
    for (const SharedArray& array : machine.shared)
        if (array.key == key) return array.begin;
    if (!machine.static_shared) {
        machine.static_shared = std::make_unique<Pages>(1 << 20);
        machine.static_history.resize(1 << 20);
    }
    unsigned char* from = machine.shared.empty() ? machine.static_shared->begin()
                                                 : machine.shared.back().begin + machine.shared.back().bytes;
    auto begin = from + guard_bytes;
    begin += (alignment - reinterpret_cast<std::uintptr_t>(begin) % alignment) % alignment;
    machine.static_bytes = round_up(machine.static_bytes, alignment) + bytes;
    if (machine.static_bytes > machine.settings.static_limit)
        fail("%zu bytes of static shared memory, %zu are allowed", machine.static_bytes,
             machine.settings.static_limit);
    if (machine.static_bytes + machine.settings.dynamic_shared > machine.settings.total_limit)
        fail("%zu bytes of static and %zu of dynamic shared memory, the device has %zu", machine.static_bytes,
             machine.settings.dynamic_shared, machine.settings.total_limit);
    std::memset(begin, static_cast<int>(next_random() | 1) & 255, bytes);
    machine.shared.push_back({key, name, begin, bytes});
    return begin;
}

void* dynamic_shared_memory()
{
    if (!machine.dynamic_begin) fail("the launch gave no dynamic shared memory");
    return machine.dynamic_begin;
}

Atomic::Atomic() { machine.atomic = true; }
Atomic::~Atomic() { machine.atomic = false; }

void block_barrier(const char* file, int line) { wait(State::at_block_barrier, 0, file, line); }

unsigned lane() { return machine.running % warp_size; }

void warp_barrier(unsigned mask, const char* file, int line)
{
    if (!(mask >> lane() & 1)) fail("%s:%d: the mask %08x does not name the calling thread", file, line, mask);
    wait(State::at_warp_barrier, mask, file, line);
}

std::uint64_t exchange(unsigned mask, std::uint64_t value, int source, const char* file, int line)
{
    const unsigned first = machine.running - lane();
    machine.fibres[machine.running].given = value;
    warp_barrier(mask, file, line);
    if (source < 0 || source >= static_cast<int>(warp_size) || !(mask >> source & 1) || first + source >= threads())
        fail("%s:%d: shuffle from thread %d of the warp, which takes no part", file, line, source);
    const std::uint64_t got = machine.fibres[first + source].given;
    warp_barrier(mask, file, line);
    return got;
}

unsigned ballot(unsigned mask, int predicate, const char* file, int line)
{
    const unsigned first = machine.running - lane();
    machine.fibres[machine.running].given = predicate != 0;
    warp_barrier(mask, file, line);
    unsigned bits = 0;
    for (unsigned l = 0; l < warp_size && first + l < threads(); ++l)
        if (mask >> l & 1) bits |= static_cast<unsigned>(machine.fibres[first + l].given) << l;
    warp_barrier(mask, file, line);
    return bits;
}

}  // namespace emulator

using namespace emulator;

extern "C" const char* emulator_message() { return machine.message; }

extern "C" const char* emulator_culprit(std::size_t* offset)
{
    Dl_info library{};
    if (!machine.culprit || !dladdr(machine.culprit, &library)) return nullptr;
    // What is noted is the address behind the instruction.
    *offset = static_cast<const char*>(machine.culprit) - static_cast<const char*>(library.dli_fbase) - 1;
    return library.dli_fname;
}

extern "C" int emulator_launch(const LaunchSettings* settings, Body body, void** arguments, Array** arrays,
                               std::size_t array_count)
{
    const Handlers handlers;
    machine.settings = *settings;
    machine.body = body;
    machine.arguments = arguments;
    machine.random = settings->seed;
    machine.culprit = nullptr;
    machine.atomic = false;
    machine.in_block = false;
    gridDim = settings->grid;
    blockDim = settings->block;
    machine.placed.clear();
    for (std::size_t i = 0; i < array_count; ++i) machine.placed.emplace_back(arrays[i]);
    machine.dynamic_shared.reset();
    machine.dynamic_begin = nullptr;
    if (settings->dynamic_shared) {
        machine.dynamic_shared = std::make_unique<Pages>(settings->dynamic_shared + 16);
        const auto end = reinterpret_cast<std::uintptr_t>(machine.dynamic_shared->end());
        machine.dynamic_begin = machine.dynamic_shared->end() - settings->dynamic_shared;
        machine.dynamic_begin -= (end - settings->dynamic_shared) % 16;
    }
    make_fibres();
    const int failed = sigsetjmp(machine.failure, 1);
    if (failed) {
        machine.fibres.clear();  // they stand somewhere in the kernel
    } else {
        const std::uint64_t blocks = std::uint64_t{gridDim.x} * gridDim.y * gridDim.z;
        for (std::uint64_t i = 0; i < blocks; ++i) {
            blockIdx = {static_cast<unsigned>(i % gridDim.x), static_cast<unsigned>(i / gridDim.x % gridDim.y),
                        static_cast<unsigned>(i / gridDim.x / gridDim.y)};
            run_block();
        }
        for (std::size_t i = 0; i < array_count; ++i)
            if (!arrays[i]->read_only) std::memcpy(arrays[i]->host, arrays[i]->address, arrays[i]->bytes);
    }
    machine.placed.clear();
    return failed;
}

// What -fsanitize calls, in place of its run-time library: the data of a report begin with where it happened.
namespace {
struct Where {
    const char* file;
    std::uint32_t line, column;
};
struct TypeMismatch {
    Where where;
    const void* type;
    unsigned char log_alignment, kind;
};
[[noreturn]] void undefined(const Where* where, const char* what)
{
    emulator::fail("%s:%u: %s", where->file, where->line, what);
}
}  // namespace

#define AXSIM_REPORT(name, what) \
    extern "C" void __ubsan_handle_##name##_abort(Where* where, ...) { undefined(where, what); }
AXSIM_REPORT(add_overflow, "signed integer overflow in an addition")
AXSIM_REPORT(sub_overflow, "signed integer overflow in a subtraction")
AXSIM_REPORT(mul_overflow, "signed integer overflow in a multiplication")
AXSIM_REPORT(negate_overflow, "signed integer overflow in a negation")
AXSIM_REPORT(divrem_overflow, "division by zero, or overflow in a division")
AXSIM_REPORT(shift_out_of_bounds, "shift by more bits than there are, or of a negative number")
AXSIM_REPORT(out_of_bounds, "index outside an array")

extern "C" void __ubsan_handle_type_mismatch_v1_abort(TypeMismatch* data, void* address)
{
    const std::size_t alignment = std::size_t{1} << data->log_alignment;
    if (reinterpret_cast<std::uintptr_t>(address) % alignment)
        emulator::fail("%s:%u: address %p is not aligned to %zu bytes", data->where.file, data->where.line, address,
                       alignment);
    undefined(&data->where, "access through a pointer that points to no such object");
}

// What -fsanitize=thread calls before every access, in place of its run-time library.
#define AXSIM_ACCESS(bytes)                                                                            \
    extern "C" void __tsan_read##bytes(void* p) { on_access(p, bytes, false, __builtin_return_address(0)); }  \
    extern "C" void __tsan_write##bytes(void* p) { on_access(p, bytes, true, __builtin_return_address(0)); } \
    extern "C" void __tsan_unaligned_read##bytes(void* p) { on_access(p, bytes, false, __builtin_return_address(0)); } \
    extern "C" void __tsan_unaligned_write##bytes(void* p) { on_access(p, bytes, true, __builtin_return_address(0)); }
AXSIM_ACCESS(1)
AXSIM_ACCESS(2)
AXSIM_ACCESS(4)
AXSIM_ACCESS(8)
AXSIM_ACCESS(16)
extern "C" void __tsan_read_range(void* p, std::size_t bytes) { on_access(p, bytes, false, __builtin_return_address(0)); }
extern "C" void __tsan_write_range(void* p, std::size_t bytes) { on_access(p, bytes, true, __builtin_return_address(0)); }
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
