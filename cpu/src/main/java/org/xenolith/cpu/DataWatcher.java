package org.xenolith.cpu;

/** Is told of data accesses before they are made: a debugger's watchpoints, or a log of what is to be undone. */
public interface DataWatcher {
  /**
   * @param pa the machine address, or -1 where it is not RAM
   * @param size bytes, inside one page
   * @param access {@link Mmu#READ} or {@link Mmu#WRITE}
   */
  void accessed(Cpu cpu, long va, long pa, int size, int access);
}
