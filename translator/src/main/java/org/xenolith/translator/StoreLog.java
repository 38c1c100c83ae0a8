package org.xenolith.translator;

import java.util.Arrays;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.DataWatcher;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;

/** What the stores of a few instructions replaced, so that they can be undone. */
final class StoreLog implements DataWatcher {
  private final GuestMemory memory;
  private long[] addresses = new long[256];
  private long[] before = new long[256];
  private long[] after = new long[256];
  private int[] sizes = new int[256];
  private int count;
  private boolean outside;

  StoreLog(GuestMemory memory) {
    this.memory = memory;
  }

  void clear() {
    count = 0;
    outside = false;
  }

  /** Whether something other than RAM was read or written: that cannot be done twice. */
  boolean reachedOutside() {
    return outside;
  }

  @Override
  public void accessed(Cpu cpu, long va, long pa, int size, int access) {
    if (pa < 0) {
      outside = true;
    } else if (access == Mmu.WRITE) {
      if (count == sizes.length) {
        addresses = Arrays.copyOf(addresses, 2 * count);
        before = Arrays.copyOf(before, 2 * count);
        after = Arrays.copyOf(after, 2 * count);
        sizes = Arrays.copyOf(sizes, 2 * count);
      }
      addresses[count] = pa;
      sizes[count] = size;
      before[count++] = read(pa, size);
    }
  }

  /** Puts memory back, and remembers what it was. */
  void undo() {
    for (int n = 0; n < count; n++) {
      after[n] = read(addresses[n], sizes[n]);
    }
    for (int n = count - 1; n >= 0; n--) {
      switch (sizes[n]) {
        case 1 -> memory.writeByte(addresses[n], (byte) before[n]);
        case 2 -> memory.writeShort(addresses[n], (short) before[n]);
        case 4 -> memory.writeInt(addresses[n], (int) before[n]);
        default -> memory.writeLong(addresses[n], before[n]);
      }
    }
  }

  /** A place that does not have now what it had before {@link #undo}, as text, or null. */
  String difference() {
    for (int n = 0; n < count; n++) {
      long now = read(addresses[n], sizes[n]);
      if (now != after[n]) {
        return "%d bytes at machine address 0x%x: %x, not %x".formatted(sizes[n], addresses[n], now, after[n]);
      }
    }
    return null;
  }

  private long read(long pa, int size) {
    return switch (size) {
      case 1 -> memory.readByte(pa);
      case 2 -> memory.readShort(pa);
      case 4 -> memory.readInt(pa);
      default -> memory.readLong(pa);
    };
  }
}
