package org.xenolith.xen.grant;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.GrantMappings;

/**
 * The grant_table_op hypercall of a domain without privilege (Xen's grant_table.c). It grants frames to domain 0, whose programs are Java
 * and reach all memory; domain 0 grants nothing, so only the domain's own grants can be mapped. Transfers of frames and transitive grants
 * are not there and stop the run, once everything that Xen checks first is in order.
 */
public final class GrantTables {
  /** Entries in which the toolstack grants the rings of console and store (GNTTAB_RESERVED_*). */
  private static final int CONSOLE_REF = 0, STORE_REF = 1;

  private static final int DOMID_0 = 0, DOMID_SELF = 0x7ff0;

  /** Entries in domain 0's table, of one frame as every domain's at first; all of them invalid. */
  static final int DOM0_ENTRIES = 512;

  /** Results of single operations (GNTST_*). */
  static final int OKAY = 0, GENERAL_ERROR = -1, BAD_DOMAIN = -2, BAD_REF = -3, BAD_HANDLE = -4, BAD_VIRT_ADDR = -5, BAD_DEV_ADDR = -6;

  static final int PERMISSION_DENIED = -8, BAD_PAGE = -9, BAD_COPY_ARG = -10, EAGAIN = -12, NO_SPACE = -13;

  /** In an index of a frame that a container maps: one of the status (XENMAPIDX_grant_table_status). */
  public static final long STATUS_FRAME = 1L << 31;

  private static final int SOURCE_IS_REF = 1, DEST_IS_REF = 2;

  /** After so many operations the vcpu looks at events and its limits, and goes on then. */
  private static final int PREEMPT_AFTER = 1024;

  private final Domain domain;
  private final GrantTable table;
  private final GrantMaps maps;

  /** The argument structure in hand, at most that of a copy. */
  private final byte[] raw = new byte[40];

  private final ByteBuffer arg = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);

  /** Makes a PV domain's table. */
  public GrantTables(Domain domain) {
    this(domain, new GrantMappings(domain.xen.mmu));
  }

  /**
   * Makes a domain's table.
   *
   * @param entries where the domain maps granted frames
   */
  public GrantTables(Domain domain, GrantEntries entries) {
    this.domain = domain;
    this.table = new GrantTable(domain);
    this.maps = new GrantMaps(domain, table, entries);
  }

  GrantTable table() {
    return table;
  }

  /** Grants the rings of console and store, as the domain names their frames, to domain 0 (libxenguest, dom_boot.c). */
  public void grantRings(long consoleFrame, long storeFrame) {
    table.grant(CONSOLE_REF, DOMID_0, consoleFrame);
    table.grant(STORE_REF, DOMID_0, storeFrame);
  }

  /**
   * The frame of the table, or with {@link #STATUS_FRAME} of its status, that a container maps; the table grows to it if it may
   * (gnttab_map_frame_begin).
   *
   * @return a negated {@link Errno} if there is none
   */
  public long frameToMap(long index) {
    boolean status = table.version() == 2 && (index & STATUS_FRAME) != 0;
    long n = index & (status ? STATUS_FRAME - 1 : 0xffff_ffffL);
    int have = status ? table.statusFrames() : table.frames();
    long wanted = status ? (n + 1) * GrantTable.STATUS_PER_FRAME : n + 1;
    if (n >= have && (wanted > GrantTable.MAX_FRAMES || !table.grow((int) wanted))) {
      return -Errno.EINVAL;
    }
    long mfn = status ? table.statusFrame((int) n) : table.frame((int) n);
    if (!domain.xen.mmu.getPage(domain, mfn)) {
      return -Errno.EBUSY;
    }
    domain.xen.mmu.putPage(mfn);
    return mfn;
  }

  /** grant_table_op: args[0] is the operation, args[1] the address of its structures, args[2] their number. */
  public long call(Vcpu vcpu, long[] args) {
    int operation = (int) args[0];
    int count = (int) args[2];
    if (count < 0 || operation >>> 20 != 0) {
      // The upper bits carry the position of a cache_flush, which x86 has not.
      return -Errno.EINVAL;
    }
    return switch (operation) {
      case 0 -> each(vcpu, args, 32, v -> maps.map(v, arg));
      case 1 -> each(vcpu, args, 24, v -> maps.unmap(v, arg));
      case 2 -> setupTable(vcpu, args[1], count);
      case 4 -> each(vcpu, args, 24, this::transfer);
      case 5 -> each(vcpu, args, 40, this::copy);
      case 6 -> querySize(vcpu, args[1], count);
      case 7 -> each(vcpu, args, 24, v -> maps.unmapAndReplace(v, arg));
      case 8 -> setVersion(vcpu, args[1]);
      case 9 -> getStatusFrames(vcpu, args[1], count);
      case 10 -> getVersion(vcpu, args[1]);
      case 11 -> each(vcpu, args, 12, this::swap);
      default -> -Errno.ENOSYS;
    };
  }

  /** An operation on the structure in hand. */
  private interface Operation {
    void run(Vcpu vcpu);
  }

  private long each(Vcpu vcpu, long[] args, int size, Operation operation) {
    long va = args[1];
    int count = (int) args[2];
    if (!GuestAccess.accessible(vcpu.cpu, va, (long) count * size)) {
      return -Errno.EFAULT;
    }
    for (int i = 0; i < count; i++) {
      long at = va + (long) i * size;
      if (i == PREEMPT_AFTER) {
        vcpu.rest = new long[] {args[0], at, count - i, args[3], args[4]};
        return 0;
      }
      if (!GuestAccess.copyIn(vcpu.cpu, at, raw, 0, size)) {
        return -Errno.EFAULT;
      }
      domain.xen.countWork();
      operation.run(vcpu);
      if (!GuestAccess.copyOut(vcpu.cpu, at, raw, 0, size)) {
        return -Errno.EFAULT;
      }
    }
    return 0;
  }

  private boolean self(int domid) {
    return domid == DOMID_SELF || domid == domain.id;
  }

  /** The status of an operation that a domain may use on itself alone. */
  private int onItself(int domid) {
    return self(domid) ? OKAY : domid == DOMID_0 ? PERMISSION_DENIED : BAD_DOMAIN;
  }

  private int domid(int offset) {
    return arg.getShort(offset) & 0xffff;
  }

  // ---- The table ----

  private long querySize(Vcpu vcpu, long va, int count) {
    if (count != 1) {
      return -Errno.EINVAL;
    }
    if (!GuestAccess.copyIn(vcpu.cpu, va, raw, 0, 16)) {
      return -Errno.EFAULT;
    }
    int status = onItself(domid(0));
    if (status == OKAY) {
      arg.putInt(4, table.frames());
      arg.putInt(8, GrantTable.MAX_FRAMES);
    }
    arg.putShort(12, (short) status);
    return GuestAccess.copyOut(vcpu.cpu, va, raw, 0, 16) ? 0 : -Errno.EFAULT;
  }

  private long setupTable(Vcpu vcpu, long va, int count) {
    if (count != 1) {
      return -Errno.EINVAL;
    }
    if (!GuestAccess.copyIn(vcpu.cpu, va, raw, 0, 24)) {
      return -Errno.EFAULT;
    }
    int frames = arg.getInt(4);
    long list = arg.getLong(16);
    if (!GuestAccess.accessible(vcpu.cpu, list, Integer.toUnsignedLong(frames) * 8)) {
      return -Errno.EFAULT;
    }
    int status = onItself(domid(0));
    if (status == OKAY && (Integer.compareUnsigned(frames, GrantTable.MAX_FRAMES) > 0 || !table.grow(frames))) {
      status = GENERAL_ERROR;
    }
    for (int i = 0; i < frames && status == OKAY; i++) {
      status = writeFrame(vcpu, list, i, domain.frames.name(table.frame(i)));
    }
    return writeStatus(vcpu, va, 8, status);
  }

  private long getStatusFrames(Vcpu vcpu, long va, int count) {
    if (count != 1) {
      return -Errno.EINVAL;
    }
    if (!GuestAccess.copyIn(vcpu.cpu, va, raw, 0, 16)) {
      return -Errno.EFAULT;
    }
    int frames = arg.getInt(0);
    long list = arg.getLong(8);
    if (!GuestAccess.accessible(vcpu.cpu, list, Integer.toUnsignedLong(frames) * 8)) {
      return -Errno.EFAULT;
    }
    int status = onItself(domid(4));
    if (status == OKAY && Integer.compareUnsigned(frames, table.statusFrames()) > 0) {
      status = GENERAL_ERROR;
    }
    for (int i = 0; i < frames && status == OKAY; i++) {
      status = writeFrame(vcpu, list, i, domain.frames.name(table.statusFrame(i)));
    }
    return writeStatus(vcpu, va, 6, status);
  }

  private int writeFrame(Vcpu vcpu, long list, int index, long mfn) {
    arg.putLong(32, mfn);
    return GuestAccess.copyOut(vcpu.cpu, list + 8L * index, raw, 32, 8) ? OKAY : BAD_VIRT_ADDR;
  }

  private long writeStatus(Vcpu vcpu, long va, int offset, int status) {
    arg.putShort(offset, (short) status);
    return GuestAccess.copyOut(vcpu.cpu, va + offset, raw, offset, 2) ? 0 : -Errno.EFAULT;
  }

  private long setVersion(Vcpu vcpu, long va) {
    if (!GuestAccess.copyIn(vcpu.cpu, va, raw, 0, 4)) {
      return -Errno.EFAULT;
    }
    int version = arg.getInt(0);
    long result = version == 1 || version == 2 ? table.setVersion(version) : -Errno.EINVAL;
    arg.putInt(0, table.version());
    return GuestAccess.copyOut(vcpu.cpu, va, raw, 0, 4) ? result : -Errno.EFAULT;
  }

  private long getVersion(Vcpu vcpu, long va) {
    if (!GuestAccess.copyIn(vcpu.cpu, va, raw, 0, 8)) {
      return -Errno.EFAULT;
    }
    if (!self(domid(0))) {
      return domid(0) == DOMID_0 ? -Errno.EPERM : -Errno.ESRCH;
    }
    arg.putInt(4, table.version());
    return GuestAccess.copyOut(vcpu.cpu, va + 4, raw, 4, 4) ? 0 : -Errno.EFAULT;
  }

  private void swap(Vcpu vcpu) {
    int a = arg.getInt(0);
    int b = arg.getInt(4);
    int status = OKAY;
    if (!validRef(a) || !validRef(b)) {
      status = BAD_REF;
    } else if (a != b && (table.active(a) != null || table.active(b) != null)) {
      status = EAGAIN;
    } else if (a != b) {
      table.swap(a, b);
    }
    arg.putShort(8, (short) status);
  }

  private boolean validRef(int ref) {
    return Integer.compareUnsigned(ref, table.entries()) < 0;
  }

  // ---- Transfers ----

  private void transfer(Vcpu vcpu) {
    long mfn = arg.getLong(0);
    int status = BAD_PAGE;
    if (domain.xen.mmu.getPage(domain, mfn)) {
      domain.xen.mmu.putPage(mfn);
      domain.xen.unimplemented("grant_table_op transfer");
      status = GENERAL_ERROR;
    }
    arg.putShort(16, (short) status);
  }

  // ---- Copies ----

  /** One end of a copy: its frame, the bytes of it that may be used, and the entry that is in use for it, or -1. */
  private static final class End {
    long mfn = -1;
    int start;
    int length;
    int ref;
    boolean writing;
  }

  private final End source = new End();
  private final End dest = new End();

  private void copy(Vcpu vcpu) {
    arg.putShort(36, (short) copyStatus());
  }

  private int copyStatus() {
    int length = arg.getShort(32) & 0xffff;
    int flags = arg.getShort(34) & 0xffff;
    if (length == 0) {
      return OKAY;
    }
    boolean sourceIsRef = (flags & SOURCE_IS_REF) != 0;
    boolean destIsRef = (flags & DEST_IS_REF) != 0;
    int status = lockDomain(domid(8), sourceIsRef);
    if (status == OKAY) {
      status = lockDomain(domid(24), destIsRef);
    }
    if (status != OKAY) {
      return status;
    }
    status = claim(source, 0, sourceIsRef, false);
    if (status != OKAY) {
      return status;
    }
    status = claim(dest, 16, destIsRef, true);
    if (status == OKAY) {
      status = copyBytes(arg.getShort(10) & 0xffff, arg.getShort(26) & 0xffff, length);
      release(dest);
    }
    release(source);
    return status;
  }

  private int lockDomain(int domid, boolean isRef) {
    if (domid != DOMID_SELF && !isRef) {
      return PERMISSION_DENIED;
    }
    return self(domid) || domid == DOMID_0 ? OKAY : BAD_DOMAIN;
  }

  private int claim(End end, int offset, boolean isRef, boolean writing) {
    end.ref = -1;
    end.start = 0;
    end.length = 4096;
    end.writing = writing;
    long frame = arg.getLong(offset);
    boolean alreadyFound = false;
    if (isRef) {
      int ref = (int) frame;
      if (domid(offset + 8) == DOMID_0) {
        return Integer.compareUnsigned(ref, DOM0_ENTRIES) < 0 ? GENERAL_ERROR : BAD_REF;
      }
      int status = useEntry(end, ref);
      if (status != OKAY) {
        return status;
      }
      alreadyFound = table.active(ref) != null;
      frame = alreadyFound ? table.active(ref).mfn : table.grantedFrame(ref);
    }
    int status = claimFrame(end, alreadyFound ? frame : domain.frames.find(frame));
    if (status != OKAY && end.ref >= 0) {
      table.reduce(end.ref, !writing);
    }
    return status;
  }

  /** Takes an entry of the domain's own table for a copy (acquire_grant_for_copy). */
  private int useEntry(End end, int ref) {
    if (!validRef(ref)) {
      return BAD_REF;
    }
    ActiveGrant active = table.active(ref);
    if (active != null && (!end.writing || active.written())) {
      end.ref = ref;
      return OKAY;
    }
    int flags = table.flags(ref);
    int type = flags & GrantTable.TYPE_MASK;
    boolean readOnly = (flags & GrantTable.READ_ONLY) != 0;
    boolean transitive = table.version() == 2 && type == GrantTable.TRANSITIVE;
    if (type != GrantTable.PERMIT_ACCESS && !transitive || table.domid(ref) != domain.id || end.writing && readOnly) {
      return GENERAL_ERROR;
    }
    if (transitive) {
      domain.xen.unimplemented("grant_table_op copy through a transitive grant");
      return GENERAL_ERROR;
    }
    if (table.version() == 2 && (flags & GrantTable.SUB_PAGE) != 0) {
      end.start = table.subPageOffset(ref);
      end.length = table.subPageLength(ref);
    }
    end.ref = ref;
    table.setInUse(ref, end.writing);
    return OKAY;
  }

  private int claimFrame(End end, long mfn) {
    if (!domain.xen.mmu.getPage(domain, mfn)) {
      return BAD_PAGE;
    }
    if (end.writing && !domain.xen.mmu.getWritablePage(domain, mfn)) {
      domain.xen.mmu.putPage(mfn);
      return GENERAL_ERROR;
    }
    end.mfn = mfn;
    return OKAY;
  }

  private void release(End end) {
    if (end.writing) {
      domain.xen.mmu.putWritablePage(end.mfn);
    }
    domain.xen.mmu.putPage(end.mfn);
    if (end.ref >= 0) {
      table.reduce(end.ref, !end.writing);
    }
  }

  private int copyBytes(int from, int to, int length) {
    if (from + length > 4096 || to + length > 4096) {
      return BAD_COPY_ARG;
    }
    if (!within(source, from, length) || !within(dest, to, length)) {
      return GENERAL_ERROR;
    }
    byte[] bytes = new byte[length];
    domain.xen.memory.read((source.mfn << 12) + from, bytes, 0, length);
    domain.xen.memory.write((dest.mfn << 12) + to, bytes, 0, length);
    return OKAY;
  }

  private static boolean within(End end, int offset, int length) {
    return offset >= end.start && offset + length <= end.start + end.length;
  }
}
