package org.xenolith.xen.grant;

import static org.xenolith.xen.grant.GrantTables.BAD_DEV_ADDR;
import static org.xenolith.xen.grant.GrantTables.BAD_DOMAIN;
import static org.xenolith.xen.grant.GrantTables.BAD_HANDLE;
import static org.xenolith.xen.grant.GrantTables.BAD_PAGE;
import static org.xenolith.xen.grant.GrantTables.BAD_REF;
import static org.xenolith.xen.grant.GrantTables.GENERAL_ERROR;
import static org.xenolith.xen.grant.GrantTables.NO_SPACE;
import static org.xenolith.xen.grant.GrantTables.OKAY;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.Pte;
import org.xenolith.xen.mm.PvMmu;

/** Mappings of granted frames (map_grant_ref, unmap_common, unmap_common_complete of Xen's grant_table.c). */
final class GrantMaps {
  /** Flags of a mapping (GNTMAP_*). */
  private static final int DEVICE = 1, HOST = 2, READ_ONLY = 4, APPLICATION = 8, CONTAINS_PTE = 16;

  /** Bits 16 and up are put into the bits of the entry that are the guest's to use, 9 to 11. */
  private static final int AVAILABLE_SHIFT = 16, AVAILABLE_MASK = 7, PTE_AVAILABLE_SHIFT = 9;

  /** Mappings that a domain may have (opt_max_maptrack_frames of 256 each). */
  private static final int MAX_HANDLES = 1024 * 256;

  /** A mapping: the entry it maps and the uses that are left of it. */
  private static final class Mapping {
    int ref;
    int flags;
  }

  private final Domain domain;
  private final GrantTable table;
  private final PvMmu mmu;
  private final GrantEntries entries;
  private final List<Mapping> mappings = new ArrayList<>();
  private final ArrayDeque<Integer> freeHandles = new ArrayDeque<>();

  GrantMaps(Domain domain, GrantTable table, GrantEntries entries) {
    this.domain = domain;
    this.table = table;
    this.mmu = domain.xen.mmu;
    this.entries = entries;
  }

  /** GNTTABOP_map_grant_ref on a struct gnttab_map_grant_ref. */
  void map(Vcpu vcpu, ByteBuffer op) {
    op.putShort(18, (short) mapOne(vcpu, op));
  }

  private int mapOne(Vcpu vcpu, ByteBuffer op) {
    int flags = op.getInt(8);
    int ref = op.getInt(12);
    int domid = op.getShort(16) & 0xffff;
    if ((flags & (DEVICE | HOST)) == 0) {
      return BAD_REF;
    }
    if (domain.isContainer() && (flags & (DEVICE | APPLICATION | CONTAINS_PTE)) != 0) {
      return GENERAL_ERROR;
    }
    if (domid == 0) {
      return Integer.compareUnsigned(ref, GrantTables.DOM0_ENTRIES) < 0 ? GENERAL_ERROR : BAD_REF;
    }
    if (domid != domain.id) {
      return BAD_DOMAIN;
    }
    if (freeHandles.isEmpty() && mappings.size() == MAX_HANDLES) {
      return NO_SPACE;
    }
    if (Integer.compareUnsigned(ref, table.entries()) >= 0) {
      return BAD_REF;
    }
    boolean readOnly = (flags & READ_ONLY) != 0;
    int status = activate(ref, flags, readOnly);
    if (status != OKAY) {
      return status;
    }
    ActiveGrant grant = table.active(ref);
    count(grant, flags, 1);
    status = hold(vcpu, op.getLong(0), grant.mfn, flags, readOnly);
    if (status != OKAY) {
      count(grant, flags, -1);
      table.reduce(ref, readOnly);
      return status;
    }
    int handle = newHandle();
    mappings.get(handle).ref = ref;
    mappings.get(handle).flags = flags;
    op.putInt(20, handle);
    op.putLong(24, grant.mfn << 12);
    return OKAY;
  }

  /** Sees that an entry grants what is asked for, and marks it. */
  private int activate(int ref, int flags, boolean readOnly) {
    ActiveGrant grant = table.active(ref);
    if (grant != null && !grant.canAdd((flags & HOST) != 0, (flags & DEVICE) != 0, readOnly)) {
      return GENERAL_ERROR;
    }
    if (grant != null && (readOnly || grant.written())) {
      return OKAY;
    }
    int entry = table.flags(ref);
    boolean granted = (entry & (GrantTable.TYPE_MASK | GrantTable.SUB_PAGE)) == GrantTable.PERMIT_ACCESS && table.domid(ref) == domain.id;
    if (grant == null && !granted || !readOnly && (entry & GrantTable.READ_ONLY) != 0) {
      return GENERAL_ERROR;
    }
    table.setInUse(ref, !readOnly);
    if (grant == null) {
      long mfn = domain.frames.find(table.grantedFrame(ref));
      if (!mmu.getPage(domain, mfn)) {
        table.reduce(ref, readOnly);
        return BAD_PAGE;
      }
      mmu.putPage(mfn);
      table.setActive(ref, new ActiveGrant(mfn));
    }
    return OKAY;
  }

  private static void count(ActiveGrant grant, int flags, int by) {
    boolean readOnly = (flags & READ_ONLY) != 0;
    if ((flags & DEVICE) != 0) {
      grant.addDevice(readOnly, by);
    }
    if ((flags & HOST) != 0) {
      grant.addHost(readOnly, by);
    }
  }

  /** Takes the references of a mapping and writes its entry. */
  private int hold(Vcpu vcpu, long address, long mfn, int flags, boolean readOnly) {
    boolean device = (flags & DEVICE) != 0;
    if (device && !get(mfn, readOnly)) {
      return GENERAL_ERROR;
    }
    if ((flags & HOST) == 0) {
      return OKAY;
    }
    if (get(mfn, readOnly)) {
      if (entries.map(vcpu, address, (flags & CONTAINS_PTE) != 0, mfn, pteFlags(flags))) {
        return OKAY;
      }
      put(mfn, readOnly);
    }
    if (device) {
      put(mfn, readOnly);
    }
    return GENERAL_ERROR;
  }

  private static long pteFlags(int flags) {
    long pte = Pte.PRESENT | Pte.ACCESSED | Pte.DIRTY | Pte.NO_EXECUTE;
    pte |= (flags & APPLICATION) != 0 ? Pte.USER : 0;
    pte |= (flags & READ_ONLY) != 0 ? 0 : Pte.WRITABLE;
    return pte | (long) (flags >>> AVAILABLE_SHIFT & AVAILABLE_MASK) << PTE_AVAILABLE_SHIFT;
  }

  private boolean get(long mfn, boolean readOnly) {
    return readOnly ? mmu.getPage(domain, mfn) : mmu.getWritablePage(domain, mfn);
  }

  private void put(long mfn, boolean readOnly) {
    if (readOnly) {
      mmu.putPage(mfn);
    } else {
      mmu.putWritablePage(mfn);
    }
  }

  private int newHandle() {
    if (!freeHandles.isEmpty()) {
      return freeHandles.remove();
    }
    mappings.add(new Mapping());
    return mappings.size() - 1;
  }

  /** GNTTABOP_unmap_grant_ref on a struct gnttab_unmap_grant_ref. */
  void unmap(Vcpu vcpu, ByteBuffer op) {
    op.putShort(20, (short) unmapOne(vcpu, op.getInt(16), op.getLong(0), op.getLong(8), 0));
  }

  /** GNTTABOP_unmap_and_replace on a struct gnttab_unmap_and_replace. */
  void unmapAndReplace(Vcpu vcpu, ByteBuffer op) {
    op.putShort(20, (short) unmapOne(vcpu, op.getInt(16), op.getLong(0), 0, op.getLong(8)));
  }

  private int unmapOne(Vcpu vcpu, int handle, long address, long busAddress, long from) {
    if (handle < 0 || handle >= mappings.size() || mappings.get(handle).flags == 0) {
      return BAD_HANDLE;
    }
    Mapping mapping = mappings.get(handle);
    ActiveGrant grant = table.active(mapping.ref);
    int flags = mapping.flags;
    boolean readOnly = (flags & READ_ONLY) != 0;
    boolean device = busAddress != 0 && (flags & DEVICE) != 0;
    boolean host = address != 0 && (flags & HOST) != 0;
    if (device && busAddress != grant.mfn << 12) {
      return BAD_DEV_ADDR;
    }
    if (host && !entries.unmap(vcpu, address, (flags & CONTAINS_PTE) != 0, grant.mfn, !readOnly, from)) {
      return GENERAL_ERROR;
    }
    int done = (host ? HOST : 0) | (device ? DEVICE : 0);
    if (done == 0) {
      return OKAY;
    }
    mapping.flags &= ~done;
    if ((mapping.flags & (HOST | DEVICE)) == 0) {
      mapping.flags = 0;
      freeHandles.add(handle);
    }
    if (device) {
      put(grant.mfn, readOnly);
    }
    if (host) {
      put(grant.mfn, readOnly);
    }
    count(grant, done | flags & READ_ONLY, -1);
    table.reduce(mapping.ref, readOnly);
    return OKAY;
  }
}
