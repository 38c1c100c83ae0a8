package org.xenolith.xen.pvh;

import java.lang.foreign.MemorySegment;
import org.xenolith.cpu.GuestMemory;

/** Writes to a container's memory by guest-physical address, as a toolstack does while it builds a domain. All of it must be mapped. */
final class GuestPhysical {
  private final GuestMemory memory;
  private final P2m p2m;

  GuestPhysical(GuestMemory memory, P2m p2m) {
    this.memory = memory;
    this.p2m = p2m;
  }

  private long machine(long gpa) {
    long mfn = p2m.mfnForAccess(gpa >>> GuestMemory.FRAME_SHIFT);
    if (mfn < 0) {
      throw new IllegalStateException("nothing at guest-physical 0x" + Long.toHexString(gpa));
    }
    return mfn << GuestMemory.FRAME_SHIFT | gpa & GuestMemory.FRAME_SIZE - 1;
  }

  void write(long gpa, MemorySegment bytes) {
    for (long done = 0; done < bytes.byteSize(); ) {
      long n = Math.min(bytes.byteSize() - done, GuestMemory.FRAME_SIZE - (gpa + done & GuestMemory.FRAME_SIZE - 1));
      memory.write(machine(gpa + done), bytes.asSlice(done, n));
      done += n;
    }
  }

  void write(long gpa, byte[] bytes) {
    write(gpa, MemorySegment.ofArray(bytes));
  }

  void clear(long gpa, long length) {
    for (long done = 0; done < length; ) {
      long n = Math.min(length - done, GuestMemory.FRAME_SIZE - (gpa + done & GuestMemory.FRAME_SIZE - 1));
      memory.fill(machine(gpa + done), n, (byte) 0);
      done += n;
    }
  }
}
