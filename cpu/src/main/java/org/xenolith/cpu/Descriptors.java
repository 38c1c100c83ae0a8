package org.xenolith.cpu;

/** The descriptor tables that segment loads read. Who owns the processor says where they are. */
public interface Descriptors {
  /**
   * The 8-byte descriptor that a selector names (its RPL is ignored; bit 2 chooses the local table), or -1 outside the table's limit. May
   * throw a page fault of {@link Cpu} where the table itself is not mapped.
   */
  long read(int selector);

  /** Sets the accessed bit of the descriptor. */
  void setAccessed(int selector);

  /** No tables: every selector is outside the limit. */
  Descriptors NONE =
      new Descriptors() {
        @Override
        public long read(int selector) {
          return -1;
        }

        @Override
        public void setAccessed(int selector) {}
      };
}
