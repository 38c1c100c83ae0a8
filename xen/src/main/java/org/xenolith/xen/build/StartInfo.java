package org.xenolith.xen.build;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/** struct start_info of a 64-bit PV domain (public header xen.h): where a guest finds everything when it starts. */
final class StartInfo {
  /** Bytes for the command line with its final NUL (MAX_GUEST_CMDLINE). */
  static final int MAX_COMMAND_LINE = 1024;

  /** In the flags: mod_start is a pfn (SIF_MOD_START_PFN). */
  static final int MOD_START_PFN = 8;

  private static final int NR_PAGES = 32, SHARED_INFO = 40, FLAGS = 48, STORE_MFN = 56, STORE_PORT = 64, CONSOLE_MFN = 72;
  private static final int CONSOLE_PORT = 80, PT_BASE = 88, NR_PT_FRAMES = 96, MFN_LIST = 104, MOD_START = 112, MOD_LEN = 120;
  private static final int CMD_LINE = 128, FIRST_P2M_PFN = 1152, NR_P2M_FRAMES = 1160;

  private final GuestRam ram;
  private final long address;

  /** Fills the page {@code pfn}, which is still zero. */
  StartInfo(GuestRam ram, long pfn) {
    this.ram = ram;
    this.address = pfn << 12;
    text(0, "xen-3.0-x86_64");
    ram.writeLong(address + NR_PAGES, ram.frames());
  }

  private void text(int offset, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    ram.write(address + offset, MemorySegment.ofArray(bytes));
  }

  void sharedInfo(long pa) {
    ram.writeLong(address + SHARED_INFO, pa);
  }

  void store(long mfn, int port) {
    ram.writeLong(address + STORE_MFN, mfn);
    ram.writeInt(address + STORE_PORT, port);
  }

  void console(long mfn, int port) {
    ram.writeLong(address + CONSOLE_MFN, mfn);
    ram.writeInt(address + CONSOLE_PORT, port);
  }

  void pageTables(long va, long frames) {
    ram.writeLong(address + PT_BASE, va);
    ram.writeLong(address + NR_PT_FRAMES, frames);
  }

  void p2mList(long va) {
    ram.writeLong(address + MFN_LIST, va);
  }

  void p2mFrames(long firstPfn, long frames) {
    ram.writeLong(address + FIRST_P2M_PFN, firstPfn);
    ram.writeLong(address + NR_P2M_FRAMES, frames);
  }

  /** A module that the initial page tables map. */
  void mappedModule(long va, long bytes) {
    ram.writeLong(address + MOD_START, va);
    ram.writeLong(address + MOD_LEN, bytes);
  }

  /** A module that they do not. */
  void unmappedModule(long pfn, long bytes) {
    ram.writeInt(address + FLAGS, MOD_START_PFN);
    ram.writeLong(address + MOD_START, pfn);
    ram.writeLong(address + MOD_LEN, bytes);
  }

  void commandLine(String line) {
    text(CMD_LINE, line);
  }
}
