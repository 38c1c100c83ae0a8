package org.xenolith.xen.event;

import java.util.HashSet;
import java.util.Set;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.TestDomain;

/** A domain with event channels, and short names for their hypercalls. */
final class EventFixture {
  static final int BIND_INTERDOMAIN = 0, BIND_VIRQ = 1, BIND_PIRQ = 2, CLOSE = 3, SEND = 4, STATUS = 5, ALLOC_UNBOUND = 6, BIND_IPI = 7;
  static final int BIND_VCPU = 8, UNMASK = 9, RESET = 10, INIT_CONTROL = 11, EXPAND_ARRAY = 12, SET_PRIORITY = 13;
  static final long PENDING = (TestDomain.SHARED_INFO_MFN << 12) + 0x800, MASK = (TestDomain.SHARED_INFO_MFN << 12) + 0xa00;

  final TestDomain test;
  final GuestMemory memory;
  final EventChannels channels;

  /** Frames in use by Xen, and those that it may not have. */
  final Set<Long> held = new HashSet<>();

  final Set<Long> refused = new HashSet<>();

  EventFixture(int vcpus) {
    test = new TestDomain(vcpus);
    memory = test.memory;
    channels =
        new EventChannels(
            test.domain,
            new GuestFrames() {
              @Override
              public long hold(long gfn) {
                if (gfn < 0 || gfn >= memory.frames() || refused.contains(gfn)) {
                  return -1;
                }
                held.add(gfn);
                return gfn;
              }

              @Override
              public void release(long mfn) {
                held.remove(mfn);
              }
            });
  }

  /** Issues a call whose structure holds 32-bit words. */
  long call(int operation, int... words) {
    for (int i = 0; i < words.length; i++) {
      memory.writeInt(TestDomain.ARGUMENTS + 4L * i, words[i]);
    }
    return channels.call(test.vcpu(0), new long[] {operation, TestDomain.ARGUMENTS, 0, 0, 0});
  }

  /** A word of the structure after the call. */
  int answer(int word) {
    return memory.readInt(TestDomain.ARGUMENTS + 4L * word);
  }

  int bindIpi(int vcpu) {
    if (call(BIND_IPI, vcpu) != 0) {
      throw new AssertionError("bind_ipi");
    }
    return answer(1);
  }

  long initControl(int vcpu, long gfn, int offset) {
    return call(INIT_CONTROL, (int) gfn, (int) (gfn >> 32), offset, vcpu, 0);
  }

  long expandArray(long gfn) {
    return call(EXPAND_ARRAY, (int) gfn, (int) (gfn >> 32));
  }

  boolean upcallPending(int vcpu) {
    return test.vcpu(vcpu).eventsPending();
  }

  long pendingSelector(int vcpu) {
    return memory.readLong(test.vcpu(vcpu).vcpuInfoPa + 8);
  }

  boolean pendingBit(int port) {
    return (memory.readLong(PENDING + (port >> 6) * 8L) & 1L << port) != 0;
  }

  void mask(int port, boolean masked) {
    long pa = MASK + (port >> 6) * 8L;
    long word = memory.readLong(pa);
    memory.writeLong(pa, masked ? word | 1L << port : word & ~(1L << port));
  }
}
