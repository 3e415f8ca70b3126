// Helper threads of our own, asleep between calls.
#pragma once
#include <mutex>
#include <vector>

namespace axsim {

class Helper;

class Pool {
  public:
    // As axsim::run_together, with at most `helpers` helpers.
    void run_together(int helpers, void (*body)(void *), void *context);

  private:
    std::vector<Helper *> borrow(int count);
    void give_back(const std::vector<Helper *> &helpers);

    std::mutex lock_;
    std::vector<Helper *> idle_;  // the one that worked last at the end: it may not be asleep yet
};

}  // namespace axsim
