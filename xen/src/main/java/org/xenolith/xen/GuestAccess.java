package org.xenolith.xen;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;

/**
 * Reads and writes a guest's buffers at linear addresses, as hypercalls do (Xen's copy_from_guest and copy_to_guest): through the vcpu's
 * current page tables, with Xen's own range excluded of a PV guest. Every method says false where the guest's memory faults; nothing is
 * thrown.
 */
public final class GuestAccess {
  private GuestAccess() {}

  /** Whether a list may lie at [va, va+length). In a container the page tables alone tell which addresses are good (guest_handle_okay). */
  public static boolean accessible(Cpu cpu, long va, long length) {
    return cpu.ownsRing0 || accessible(va, length);
  }

  /** Whether [va, va+length) is outside Xen's private range of a PV guest and canonical (access_ok, asm-x86/x86_64/uaccess.h). */
  public static boolean accessible(long va, long length) {
    long end = va + length;
    return length >= 0 && (va >= 0 && end >= 0 && end <= 1L << 47 || va < 0 && va >= 0xffff880000000000L && (end < 0 || end == 0));
  }

  /** Copies {@code length} guest bytes at {@code va} into an array. */
  public static boolean copyIn(Cpu cpu, long va, byte[] into, int offset, int length) {
    if (!accessible(cpu, va, length)) {
      return false;
    }
    while (length > 0) {
      int n = (int) Math.min(length, GuestMemory.FRAME_SIZE - (va & GuestMemory.FRAME_SIZE - 1));
      long pa = cpu.mmu.translate(va, Mmu.READ);
      if (pa < 0 || !cpu.memory.isRam(pa >>> GuestMemory.FRAME_SHIFT)) {
        return false;
      }
      cpu.memory.read(pa, into, offset, n);
      va += n;
      offset += n;
      length -= n;
    }
    return true;
  }

  /** Copies what can be read of the {@code into.length} bytes at RIP, page by page; returns how many these are. */
  public static int copyInstruction(Cpu cpu, byte[] into) {
    int first = (int) Math.min(into.length, GuestMemory.FRAME_SIZE - (cpu.rip & GuestMemory.FRAME_SIZE - 1));
    if (!copyIn(cpu, cpu.rip, into, 0, first)) {
      return 0;
    }
    return copyIn(cpu, cpu.rip + first, into, first, into.length - first) ? into.length : first;
  }

  /** Copies an array to guest memory at {@code va}. */
  public static boolean copyOut(Cpu cpu, long va, byte[] from, int offset, int length) {
    if (!accessible(cpu, va, length)) {
      return false;
    }
    while (length > 0) {
      int n = (int) Math.min(length, GuestMemory.FRAME_SIZE - (va & GuestMemory.FRAME_SIZE - 1));
      long pa = cpu.mmu.translate(va, Mmu.WRITE);
      if (pa < 0 || !cpu.memory.isRam(pa >>> GuestMemory.FRAME_SHIFT)) {
        return false;
      }
      cpu.memory.write(pa, from, offset, n);
      va += n;
      offset += n;
      length -= n;
    }
    return true;
  }
}
