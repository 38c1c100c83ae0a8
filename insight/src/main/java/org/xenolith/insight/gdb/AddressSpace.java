package org.xenolith.insight.gdb;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.TableWalk;

/** What an address from gdb means. Reads and writes leave the guest's accessed and dirty bits, and its rights, out of account. */
enum AddressSpace {
  /** By the page tables that the processor uses now. */
  VIRTUAL {
    @Override
    long machine(Cpu cpu, long address) {
      return TableWalk.machineOf(cpu, address);
    }
  },

  /** As the guest's page tables name it; in a hardware container the second stage goes further. */
  PHYSICAL {
    @Override
    long machine(Cpu cpu, long address) {
      return TableWalk.machine(cpu, address);
    }
  },

  /** The machine's RAM. */
  MACHINE {
    @Override
    long machine(Cpu cpu, long address) {
      return cpu.memory.isRam(address >>> GuestMemory.FRAME_SHIFT) ? address : -1;
    }
  };

  /** The machine address of RAM, or -1. */
  abstract long machine(Cpu cpu, long address);

  /** Reads into an array; returns how many bytes could be read. */
  int read(Cpu cpu, long address, byte[] into) {
    int done = 0;
    while (done < into.length) {
      long pa = machine(cpu, address + done);
      if (pa < 0) {
        break;
      }
      int length = inPage(pa, into.length - done);
      cpu.memory.read(pa, into, done, length);
      done += length;
    }
    return done;
  }

  /** Writes an array, all of it or, where some of it cannot be, nothing; returns whether it was written. */
  boolean write(Cpu cpu, long address, byte[] from) {
    for (int at = 0; at < from.length; at += inPage(address + at, from.length - at)) {
      if (machine(cpu, address + at) < 0) {
        return false;
      }
    }
    for (int at = 0; at < from.length; ) {
      long pa = machine(cpu, address + at);
      int length = inPage(pa, from.length - at);
      cpu.memory.write(pa, from, at, length);
      at += length;
    }
    return true;
  }

  private static int inPage(long address, int length) {
    return (int) Math.min(length, GuestMemory.FRAME_SIZE - (address & GuestMemory.FRAME_SIZE - 1));
  }
}
