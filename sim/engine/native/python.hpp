// The few functions of Python's stable interface that a call needs. They are declared here, since a
// machine with Python and a compiler need not have Python's headers; the process that loads this
// library has the functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" {

struct PyObject;
struct PyThreadState;

// As since Python 3.11.
struct Py_buffer {
  void* buf;
  PyObject* obj;
  std::ptrdiff_t len, itemsize;
  int readonly, ndim;
  char* format;
  std::ptrdiff_t *shape, *strides, *suboffsets;
  void* internal;
};

int PyObject_GetBuffer(PyObject* object, Py_buffer* view, int flags);
void PyBuffer_Release(Py_buffer* view);
std::ptrdiff_t PyTuple_Size(PyObject* tuple);
PyObject* PyTuple_GetItem(PyObject* tuple, std::ptrdiff_t index);
PyThreadState* PyEval_SaveThread();
void PyEval_RestoreThread(PyThreadState* state);

}  // extern "C"

namespace lutloom {

// The memory of arrays, borrowed while this exists. Whoever makes it holds Python's lock.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  ~Memory() {
    for (Py_buffer& view : views_) PyBuffer_Release(&view);
  }

  // Borrow what the arrays of `tuple` hold, contiguous. False where one can't be borrowed, with
  // Python's exception set, or takes another number of bytes than `bytes` says for each.
  bool borrow(PyObject* tuple, const std::vector<std::int64_t>& bytes, std::int64_t images,
              bool to_write) {
    if (PyTuple_Size(tuple) != static_cast<std::ptrdiff_t>(bytes.size())) return false;
    views_.reserve(views_.size() + bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      Py_buffer view;
      if (PyObject_GetBuffer(PyTuple_GetItem(tuple, i), &view, to_write ? 1 : 0) != 0) return false;
      views_.push_back(view);
      if (view.len != images * bytes[i]) return false;
    }
    return true;
  }

  std::vector<std::uint8_t*> pointers() const {
    std::vector<std::uint8_t*> found;
    for (const Py_buffer& view : views_) found.push_back(static_cast<std::uint8_t*>(view.buf));
    return found;
  }

 private:
  std::vector<Py_buffer> views_;
};

// Python's lock given away while this exists, if `is_wanted`.
class Unlocked {
 public:
  explicit Unlocked(bool is_wanted) : state_(is_wanted ? PyEval_SaveThread() : nullptr) {}
  Unlocked(const Unlocked&) = delete;
  ~Unlocked() {
    if (state_ != nullptr) PyEval_RestoreThread(state_);
  }

 private:
  PyThreadState* state_;
};

}  // namespace lutloom
