package org.xenolith.cpu;

/** A platform with nothing on it, for tests to add to. */
class TestPlatform implements Platform {
  @Override
  public long in(int port, int size) {
    return NONE.in(port, size);
  }

  @Override
  public void out(int port, int size, long value) {}

  @Override
  public boolean readMsr(int msr, long[] value) {
    return false;
  }

  @Override
  public boolean writeMsr(int msr, long value) {
    return false;
  }

  @Override
  public int taskPriority() {
    return 0;
  }

  @Override
  public void setTaskPriority(int priority) {}
}
