package org.xenolith.xen.build;

import java.lang.foreign.MemorySegment;
import org.xenolith.cpu.GuestMemory;

/** A new domain's memory by pseudo-physical address, and what of it is allocated so far, from pfn 0 upwards. */
final class GuestRam {
  private final GuestMemory memory;
  private final long[] p2m;
  private long next;

  GuestRam(GuestMemory memory, long[] p2m) {
    this.memory = memory;
    this.p2m = p2m;
  }

  /** Frames in all. */
  long frames() {
    return p2m.length;
  }

  /** The next pfn to allocate. */
  long next() {
    return next;
  }

  long mfn(long pfn) {
    return p2m[Math.toIntExact(pfn)];
  }

  /** Allocates {@code count} frames for a thing and returns the first's pfn. */
  long allocate(long count, String what) {
    if (count < 0 || count > p2m.length - next) {
      throw new BuildException(
          "not enough memory: %s needs %d KiB, and %d of the domain's %d KiB are left"
              .formatted(what, count * 4, (p2m.length - next) * 4, p2m.length * 4L),
          "give the guest more memory");
    }
    long pfn = next;
    next += count;
    return pfn;
  }

  /** Allocates frames for bytes, page by page, writes them, and returns the first pfn. */
  long allocate(MemorySegment bytes, String what) {
    long pfn = allocate(pages(bytes.byteSize()), what);
    write(pfn << GuestMemory.FRAME_SHIFT, bytes);
    return pfn;
  }

  /** Pages that {@code bytes} take. */
  static long pages(long bytes) {
    return (bytes + GuestMemory.FRAME_SIZE - 1) >>> GuestMemory.FRAME_SHIFT;
  }

  /** Writes bytes at a pseudo-physical address. */
  void write(long address, MemorySegment bytes) {
    for (long done = 0; done < bytes.byteSize(); ) {
      long at = address + done;
      long n = Math.min(bytes.byteSize() - done, GuestMemory.FRAME_SIZE - (at & GuestMemory.FRAME_SIZE - 1));
      memory.write(machine(at), bytes.asSlice(done, n));
      done += n;
    }
  }

  void writeLong(long address, long value) {
    memory.writeLong(machine(address), value);
  }

  void writeInt(long address, int value) {
    memory.writeInt(machine(address), value);
  }

  void fill(long pfn, byte value) {
    memory.fill(mfn(pfn) << GuestMemory.FRAME_SHIFT, GuestMemory.FRAME_SIZE, value);
  }

  /**
   * Fills all memory with what somebody else left there, as the seed makes it up: whatever the builder does not write is unspecified, and a
   * kernel that counts on zeros is to fail here rather than on one machine in a hundred.
   */
  void fillWithLeftovers(long seed) {
    long state = seed;
    for (long mfn : p2m) {
      for (int n = 0; n < GuestMemory.FRAME_SIZE; n += Long.BYTES) {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state += 0x9e3779b97f4a7c15L;
        long z = (state ^ state >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        memory.writeLong((mfn << GuestMemory.FRAME_SHIFT) + n, z ^ z >>> 31);
      }
    }
  }

  /** Clears bytes at a pseudo-physical address. */
  void clear(long address, long bytes) {
    for (long done = 0; done < bytes; ) {
      long at = address + done;
      long n = Math.min(bytes - done, GuestMemory.FRAME_SIZE - (at & GuestMemory.FRAME_SIZE - 1));
      memory.fill(machine(at), n, (byte) 0);
      done += n;
    }
  }

  private long machine(long address) {
    return mfn(address >>> GuestMemory.FRAME_SHIFT) << GuestMemory.FRAME_SHIFT | address & GuestMemory.FRAME_SIZE - 1;
  }
}
