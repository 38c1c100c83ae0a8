package org.xenolith.xen.event;

import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;

/**
 * The two-level ABI: a bit for each port in shared_info, a bit for each word of those in the vcpu's vcpu_info (public header xen.h, Xen's
 * event_2l.c).
 */
final class TwoLevel implements Delivery {
  /** Offsets in struct shared_info of 64-bit guests: 32 vcpu_info of 64 bytes come first. */
  private static final int PENDING = 0x800, MASK = 0xa00;

  private final Domain domain;
  private final GuestMemory memory;

  TwoLevel(Domain domain) {
    this.domain = domain;
    this.memory = domain.xen.memory;
  }

  @Override
  public void setPending(Vcpu vcpu, Channel channel) {
    if (testAndSet(wordPa(PENDING, channel.port), channel.port & 63)) {
      return;
    }
    if (!test(MASK, channel.port)) {
      select(vcpu, channel.port);
    }
    domain.checkPollers(channel.port);
  }

  private void select(Vcpu vcpu, int port) {
    if (vcpu.vcpuInfoPa == 0) {
      return;
    }
    if (!testAndSet(vcpu.vcpuInfoPa + Vcpu.PENDING_SEL, port >>> 6)) {
      vcpu.markEventsPending();
    }
  }

  @Override
  public void clearPending(Channel channel) {
    long pa = wordPa(PENDING, channel.port);
    memory.writeLong(pa, memory.readLong(pa) & ~(1L << channel.port));
  }

  @Override
  public void unmask(Vcpu vcpu, Channel channel) {
    int port = channel.port;
    long pa = wordPa(MASK, port);
    long mask = memory.readLong(pa);
    if ((mask & 1L << port) == 0) {
      return;
    }
    memory.writeLong(pa, mask & ~(1L << port));
    if (test(PENDING, port)) {
      select(vcpu, port);
    }
  }

  @Override
  public boolean isPending(Channel channel) {
    return test(PENDING, channel.port);
  }

  @Override
  public boolean isMasked(Channel channel) {
    return test(MASK, channel.port);
  }

  @Override
  public boolean isBusy(Channel channel) {
    return false;
  }

  @Override
  public int capacity() {
    return 64 * 64;
  }

  private long wordPa(int array, int port) {
    return domain.sharedInfoPa() + array + (port >>> 6) * 8L;
  }

  private boolean test(int array, int port) {
    return (memory.readLong(wordPa(array, port)) & 1L << port) != 0;
  }

  private boolean testAndSet(long pa, int bit) {
    long word = memory.readLong(pa);
    if ((word & 1L << bit) != 0) {
      return true;
    }
    memory.writeLong(pa, word | 1L << bit);
    return false;
  }
}
