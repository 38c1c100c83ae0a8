package org.xenolith.xen.grant;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;

/**
 * A domain's grant table: frames of Xen's that the domain maps, in one of two formats (public header grant_table.h, struct grant_entry_v1
 * and grant_entry_v2). Version 2 keeps what Xen says of an entry in status frames of its own.
 */
final class GrantTable {
  /** Frames that a table may have (opt_max_grant_frames). */
  static final int MAX_FRAMES = 64;

  /** Entries at the front that the toolstack uses (GNTTAB_NR_RESERVED_ENTRIES). */
  static final int RESERVED = 8;

  static final int TYPE_MASK = 3, INVALID = 0, PERMIT_ACCESS = 1, TRANSITIVE = 3;
  static final int READ_ONLY = 1 << 2, READING = 1 << 3, WRITING = 1 << 4, SUB_PAGE = 1 << 8;
  private static final int V1_SIZE = 8, V2_SIZE = 16, STATUS_SIZE = 2;

  /** Frames of the table for whose entries a status frame has room. */
  static final int STATUS_PER_FRAME = V2_SIZE / STATUS_SIZE;

  private final Domain domain;
  private final GuestMemory memory;
  private final long[] frames = new long[MAX_FRAMES];
  private final long[] statusFrames = new long[statusFramesFor(MAX_FRAMES)];
  private int frameCount;
  private int statusCount;
  private int version = 1;

  /** Entries whose frames the domain itself has mapped. */
  private final Map<Integer, ActiveGrant> active = new HashMap<>();

  /** Makes a table of one frame, version 1. */
  GrantTable(Domain domain) {
    this.domain = domain;
    this.memory = domain.xen.memory;
    if (!grow(1)) {
      throw new IllegalStateException("the machine has no frame left for a grant table");
    }
  }

  int version() {
    return version;
  }

  int frames() {
    return frameCount;
  }

  int statusFrames() {
    return statusCount;
  }

  long frame(int index) {
    return frames[index];
  }

  long statusFrame(int index) {
    return statusFrames[index];
  }

  int entries() {
    return frameCount * GuestMemory.FRAME_SIZE / entrySize();
  }

  private int entrySize() {
    return version == 1 ? V1_SIZE : V2_SIZE;
  }

  private static int statusFramesFor(int frames) {
    return (frames * (GuestMemory.FRAME_SIZE / V2_SIZE) * STATUS_SIZE + GuestMemory.FRAME_SIZE - 1) / GuestMemory.FRAME_SIZE;
  }

  /** Makes the table as large as {@code wanted} frames; false if there is no memory for it. */
  boolean grow(int wanted) {
    while (frameCount < wanted) {
      long mfn = domain.xen.mmu.shareFrame(domain, true);
      if (mfn < 0) {
        return false;
      }
      frames[frameCount++] = mfn;
    }
    return version == 1 || growStatus();
  }

  private boolean growStatus() {
    while (statusCount < statusFramesFor(frameCount)) {
      long mfn = domain.xen.mmu.shareFrame(domain, true);
      if (mfn < 0) {
        return false;
      }
      statusFrames[statusCount++] = mfn;
    }
    return true;
  }

  // ---- Entries ----

  private long entryPa(int ref) {
    int perFrame = GuestMemory.FRAME_SIZE / entrySize();
    return (frames[ref / perFrame] << GuestMemory.FRAME_SHIFT) + (long) (ref % perFrame) * entrySize();
  }

  private long statusPa(int ref) {
    int perFrame = GuestMemory.FRAME_SIZE / STATUS_SIZE;
    return (statusFrames[ref / perFrame] << GuestMemory.FRAME_SHIFT) + (long) (ref % perFrame) * STATUS_SIZE;
  }

  int flags(int ref) {
    return memory.readShort(entryPa(ref)) & 0xffff;
  }

  int domid(int ref) {
    return memory.readShort(entryPa(ref) + 2) & 0xffff;
  }

  long grantedFrame(int ref) {
    return version == 1 ? memory.readInt(entryPa(ref) + 4) & 0xffff_ffffL : memory.readLong(entryPa(ref) + 8);
  }

  /** Of a {@link #SUB_PAGE} entry of version 2: the first byte and the number of bytes granted. */
  int subPageOffset(int ref) {
    return memory.readShort(entryPa(ref) + 4) & 0xffff;
  }

  int subPageLength(int ref) {
    return memory.readShort(entryPa(ref) + 6) & 0xffff;
  }

  /** Shows the grantor that an entry is in use. */
  void setInUse(int ref, boolean writing) {
    long pa = version == 1 ? entryPa(ref) : statusPa(ref);
    memory.writeShort(pa, (short) (memory.readShort(pa) | READING | (writing ? WRITING : 0)));
  }

  private void clearFlags(int ref, int flags) {
    long pa = version == 1 ? entryPa(ref) : statusPa(ref);
    memory.writeShort(pa, (short) (memory.readShort(pa) & ~flags));
  }

  /** Grants a frame to a domain in an entry of version 1, as the toolstack does for the rings that it serves. */
  void grant(int ref, int domid, long mfn) {
    long pa = entryPa(ref);
    memory.writeInt(pa + 4, (int) mfn);
    memory.writeShort(pa + 2, (short) domid);
    memory.writeShort(pa, (short) PERMIT_ACCESS);
  }

  /** Exchanges two entries and their status. */
  void swap(int a, int b) {
    byte[] first = new byte[entrySize()];
    byte[] second = new byte[entrySize()];
    memory.read(entryPa(a), first, 0, first.length);
    memory.read(entryPa(b), second, 0, second.length);
    memory.write(entryPa(a), second, 0, second.length);
    memory.write(entryPa(b), first, 0, first.length);
    if (version == 2) {
      short status = memory.readShort(statusPa(a));
      memory.writeShort(statusPa(a), memory.readShort(statusPa(b)));
      memory.writeShort(statusPa(b), status);
    }
  }

  // ---- Entries in use ----

  /** What is kept for an entry in use, or null. */
  ActiveGrant active(int ref) {
    return active.get(ref);
  }

  /** All entries in use. */
  Collection<ActiveGrant> active() {
    return active.values();
  }

  void setActive(int ref, ActiveGrant grant) {
    active.put(ref, grant);
  }

  /** Brings the entry's flags down to the use that is left, and forgets it if there is none (reduce_status_for_pin). */
  void reduce(int ref, boolean readOnly) {
    ActiveGrant grant = active.get(ref);
    boolean used = grant != null && grant.used();
    boolean written = grant != null && grant.written();
    clearFlags(ref, (used ? 0 : READING) | (readOnly || written ? 0 : WRITING));
    if (!used) {
      active.remove(ref);
    }
  }

  private boolean anyActive() {
    return active.keySet().stream().anyMatch(ref -> ref >= RESERVED);
  }

  // ---- Versions ----

  /** Changes the format: all entries go, but the reserved ones are kept (gnttab_set_version). Returns 0 or a negated error. */
  int setVersion(int wanted) {
    if (wanted == version) {
      return 0;
    }
    if (anyActive()) {
      return -Errno.EBUSY;
    }
    if (wanted == 2 && !growStatus()) {
      return -Errno.ENOMEM;
    }
    int[] flags = new int[RESERVED];
    int[] domids = new int[RESERVED];
    long[] granted = new long[RESERVED];
    for (int ref = 0; ref < RESERVED; ref++) {
      flags[ref] = flags(ref);
      domids[ref] = domid(ref);
      granted[ref] = grantedFrame(ref);
      int type = flags[ref] & TYPE_MASK;
      if (version == 2) {
        if (type == TRANSITIVE || type == PERMIT_ACCESS && granted[ref] >>> 32 != 0) {
          return -Errno.ERANGE;
        }
        flags[ref] = type == PERMIT_ACCESS ? flags[ref] | memory.readShort(statusPa(ref)) & 0xffff : 0;
        if (type != PERMIT_ACCESS) {
          domids[ref] = 0;
          granted[ref] = 0;
        }
      }
    }
    if (wanted == 1 && !dropStatus()) {
      return -Errno.EBUSY;
    }
    for (int i = 0; i < frameCount; i++) {
      memory.fill(frames[i] << GuestMemory.FRAME_SHIFT, GuestMemory.FRAME_SIZE, (byte) 0);
    }
    version = wanted;
    for (int ref = 0; ref < RESERVED; ref++) {
      long pa = entryPa(ref);
      if (version == 1) {
        memory.writeShort(pa, (short) flags[ref]);
        memory.writeShort(pa + 2, (short) domids[ref]);
        memory.writeInt(pa + 4, (int) granted[ref]);
      } else {
        memory.writeShort(statusPa(ref), (short) (flags[ref] & (READING | WRITING)));
        memory.writeShort(pa, (short) (flags[ref] & ~(READING | WRITING)));
        memory.writeShort(pa + 2, (short) domids[ref]);
        memory.writeLong(pa + 8, granted[ref]);
      }
    }
    return 0;
  }

  /** Takes the status frames back, unless the domain still maps one. */
  private boolean dropStatus() {
    for (int i = 0; i < statusCount; i++) {
      domain.frames.unhook(statusFrames[i]);
      if (domain.xen.mmu.isMapped(statusFrames[i])) {
        if (domain.isContainer()) {
          domain.crash("a status frame of the grant table is in use, and the table was to be made anew");
        }
        return false;
      }
    }
    while (statusCount > 0) {
      domain.xen.mmu.takeBackFrame(statusFrames[--statusCount]);
    }
    return true;
  }
}
